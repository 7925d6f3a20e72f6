"""Where the product does what can do harm: each place is in a list with its reason, and the list is all there is."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from tests.house.tree import PACKAGE, ROOT, python_files

PARSER: Any = import_module("re._parser")  # Python's own reading of patterns
CONSTANTS: Any = import_module("re._constants")
SOURCES = {file.relative_to(PACKAGE).as_posix(): ast.parse(file.read_text("utf-8")) for file in python_files("src/")}

# What can do harm, as it is imported or called → where it stands, and why. A name that begins with a point is a method.
DANGERS: dict[str, dict[str, str]] = {
    "subprocess": {"cli/device_posture.py": "asks the desktop whether its screen locks: fixed arguments and no shell"},
    "xml.parsers": {
        "audit/foreign/atna_log.py": "reads audit messages of other systems, and refuses a document type",
        "fhir/validation/narrative.py": "reads the XHTML of narratives, and refuses a document type",
    },
    "multiprocessing": {"cli/serve.py": "forks the web workers before anything is opened"},
    "gzip": {
        "fhir/definitions.py": "reads a table of the package",
        "fhir/search/parameters.py": "reads a table of the package",
    },
    "pickle": {},
    "marshal": {},
    "shelve": {},
    "yaml": {},
    "runpy": {},
    "pty": {},
    "os.system": {},
    "os.popen": {},
    "eval": {},
    "exec": {},
    "compile": {},
    "__import__": {},
    ".from_string": {},  # of Jinja: a template that is made of text
    "jinja2.Template": {},
    "markupsafe": {
        "web/browser/charts.py": "pictures of constants; what is filled in is escaped",
        "web/console/chart/trend.py": "small pictures of constants and numbers",
    },
    "ssl._create_unverified_context": {},
    "tempfile.mktemp": {},
}

# Formats that are neither written where they are used nor a constant of their module.
FORMATS = {
    "web/sign_in/words.py": "sentences of a table, filled with the facts of a notice",
    "web/browser/charts.py": "constants of the module, which escape what is filled in (Markup)",
    "web/plain/speech.py": "sentences of the code and of our own catalogues",
}

# Patterns that are put together, though not of constants alone.
PATTERNS = {
    "fhir/fhirpath/patterns.py": "of profiles: looked through before, see test_fhirpath.py",
    "fhir/validation/primitives.py": "of R4's own table in the package",
}

# Patterns in which something without an end repeats in something without an end, and that take no longer for it.
REPEATS = {
    "access/policy_text.py": "blanks and comments: matches whatever comes, so that nothing is tried a second way",
    "identity/apps/client.py": "a point stands before each part and in none",
    "fhir/units.py": "brackets hold what is inside apart from what is around them",
    "fhir/validation/profiles/slicing.py": "brackets hold what is inside apart from what is around them",
}

# Comparisons that look as if something secret was compared.
COMPARISONS = {
    ("audit/pins.py", "digest"): "of a row, which whoever has the database knows",
    ("storage/migrations.py", "migration.digest"): "of a file of the package",
    ("web/sign_in/allowing.py", "_digest(_without_since(query))"): "of what was asked, inside of what was stamped",
}
SECRET = re.compile(r"(?<![a-z])(secret|signature|mac|password|cookie|digest|verifier)(?![a-z])", re.IGNORECASE)


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the product, and the file that it is in."""
    for file, tree in SOURCES.items():
        yield from ((file, node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def used(tree: ast.AST) -> Iterator[str]:
    """What a file imports and calls: modules, functions, methods."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)
            if isinstance(node.func, ast.Attribute):
                yield f".{node.func.attr}"


@pytest.mark.parametrize("danger", DANGERS)
def test_what_can_do_harm_stands_where_the_list_says(danger: str) -> None:
    found = {file for file, tree in SOURCES.items() if any(f"{name}.".startswith(f"{danger}.") for name in used(tree))}
    assert found == set(DANGERS[danger])


def is_constant(node: ast.AST) -> bool:
    """Text as it stands, a constant of the module, or text that is put together of such."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name.isupper()
        case ast.JoinedStr(values=values):
            return all(map(is_constant, values))
        case ast.FormattedValue(value=value):
            return is_constant(value)
    return False


def test_no_format_is_made_of_what_comes_from_outside() -> None:
    found = {
        file
        for file, call in calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in {"format", "format_map"}
        and not is_constant(call.func.value)
        and ast.unparse(call.func.value) != "super()"  # a log record's
    }
    assert found == set(FORMATS)


def patterns() -> Iterator[tuple[str, ast.expr]]:
    """The first argument of every call of ``re``, and the file that it is in."""
    yield from ((file, call.args[0]) for file, call in calls() if ast.unparse(call.func) in MAKES_A_PATTERN)


MAKES_A_PATTERN = {f"re.{name}" for name in ("compile", "match", "fullmatch", "search", "sub", "split", "findall")}


def test_no_pattern_is_made_of_what_comes_from_outside() -> None:
    assert {file for file, pattern in patterns() if not is_constant(pattern)} == set(PATTERNS)


def repeats_what_repeats(parsed: Any, *, inside: bool = False) -> bool:
    """Whether something without an end stands inside of something without an end, as in ``(a+)+``."""
    for operator, argument in parsed:
        endless = operator in {CONSTANTS.MAX_REPEAT, CONSTANTS.MIN_REPEAT} and argument[1] is CONSTANTS.MAXREPEAT
        if endless and inside:
            return True
        parts = argument if isinstance(argument, tuple | list) else [argument]
        for part in [each for branch in parts for each in (branch if isinstance(branch, list) else [branch])]:
            if isinstance(part, PARSER.SubPattern) and repeats_what_repeats(part, inside=inside or endless):
                return True
    return False


def written_patterns() -> Iterator[tuple[str, str]]:
    """(file, pattern): those that are written out, and those that their modules put together."""
    put_together = set()
    for file, pattern in patterns():
        if isinstance(pattern, ast.Constant):
            yield file, str(pattern.value)
        else:
            put_together.add(file)
    for file in put_together:
        module = import_module("carekeep." + file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        yield from ((file, value.pattern) for value in vars(module).values() if isinstance(value, re.Pattern))


def test_no_pattern_of_ours_repeats_what_repeats() -> None:
    assert {file for file, text in written_patterns() if repeats_what_repeats(PARSER.parse(text))} == set(REPEATS)


@pytest.mark.parametrize(
    ("text", "risky"), [("(a+)+", True), ("(a|b*)*c", True), ("(?:x{1,3}y+)*", True), ("a+b*", False)]
)
def test_what_runs_for_long_is_recognized(text: str, *, risky: bool) -> None:
    assert repeats_what_repeats(PARSER.parse(text)) is risky


def test_secrets_are_compared_in_constant_time() -> None:
    """``==`` stops at the first difference; ``hmac.compare_digest`` does not."""
    found = {
        (file, ast.unparse(side))
        for file, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq)
        for side in (node.left, *node.comparators)
        if not isinstance(side, ast.Constant) and SECRET.search(ast.unparse(side)) and not is_length(side)
    }
    assert found == set(COMPARISONS)


def is_length(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "len"


def test_chance_is_never_a_secret() -> None:
    """``random`` repeats by its seed: only the simulated hospital may use it."""
    imports = ("import random", "from random ")
    found = {
        file
        for file, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and ast.unparse(node).startswith(imports)
    }
    assert found
    assert not [file for file in found if not file.startswith("simulation/")]


@pytest.mark.parametrize("lock", ["run", "test"])
def test_every_package_is_locked_by_its_hash(lock: str) -> None:
    """With hashes, pip takes nothing else, whoever answers under the name (``make`` asks for them)."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines
    assert not [line[:60] for line in lines if "==" not in line or "--hash=sha256:" not in line]
    assert "--require-hashes" in (ROOT / "Makefile").read_text("utf-8")
