"""The functions of FHIRPath that rules use. Each entry makes a step from the steps of its arguments."""

from collections.abc import Callable, Iterator
from typing import Any

from carekeep.fhir.fhirpath.comparing import same
from carekeep.fhir.fhirpath.nodes import (
    Node,
    Scope,
    Work,
    boolean,
    children,
    children_named,
    integer,
    only,
    string,
    truth,
)
from carekeep.fhir.fhirpath.patterns import safe_pattern

Nodes = list[Node]
Step = Callable[[Nodes, Scope], Nodes]


def _each(focus: Nodes, scope: Scope) -> Iterator[Node]:
    """The items one by one, each as ``$this`` while it is looked at."""
    scope.spend(len(focus))
    outer = scope.this, scope.index
    try:
        for scope.index, scope.this in enumerate(focus):
            yield scope.this
    finally:
        scope.this, scope.index = outer


def _kept(focus: Nodes, scope: Scope, criteria: Step) -> Nodes:
    return [node for node in _each(focus, scope) if truth(criteria([node], scope))]


def _where(criteria: Step) -> Step:
    return lambda focus, scope: _kept(focus, scope, criteria)


def _exists(criteria: Step | None = None) -> Step:
    if criteria is None:
        return lambda focus, _scope: boolean(bool(focus))
    return lambda focus, scope: boolean(bool(_kept(focus, scope, criteria)))


def _all(criteria: Step) -> Step:
    return lambda focus, scope: boolean(len(_kept(focus, scope, criteria)) == len(focus))


def _select(projection: Step) -> Step:
    return lambda focus, scope: [found for node in _each(focus, scope) for found in projection([node], scope)]


def _plain(answer: Callable[[Nodes], Nodes]) -> Callable[[], Step]:
    return lambda: lambda focus, _scope: answer(focus)


def _truths(decide: Callable[[list[Any]], bool]) -> Callable[[], Step]:
    return _plain(lambda focus: boolean(decide([node.value for node in focus])))


def _not(focus: Nodes) -> Nodes:
    value = truth(focus)
    return [] if value is None else boolean(not value)


def _is_distinct() -> Step:
    def step(focus: Nodes, scope: Scope) -> Nodes:
        # Strings, which most rules ask about, are told apart by a set; the rest by looking at each pair.
        if all(isinstance(node.value, str) for node in focus):
            return boolean(len({node.value for node in focus}) == len(focus))
        scope.spend(len(focus) ** 2)
        return boolean(not any(same(a, b) for at, a in enumerate(focus) for b in focus[:at]))

    return step


def _distinct() -> Step:
    def step(focus: Nodes, scope: Scope) -> Nodes:
        scope.spend(len(focus) ** 2)
        return [a for at, a in enumerate(focus) if not any(same(a, b) for b in focus[:at])]

    return step


def _combine(other: Step) -> Step:
    return lambda focus, scope: [*focus, *other(_outer(scope), scope)]


def _outer(scope: Scope) -> Nodes:
    """Where an argument that is no criterion starts: at ``$this``, not at what was walked to."""
    return [scope.context if scope.this is None else scope.this]


def _descendants() -> Step:
    def step(focus: Nodes, scope: Scope) -> Nodes:
        found: Nodes = []
        level = focus
        while level:
            level = [child for node in level for child in children(node)]
            scope.spend(len(level))
            found += level
        return found

    return step


def _iif(condition: Step, then: Step, otherwise: Step | None = None) -> Step:
    def step(focus: Nodes, scope: Scope) -> Nodes:
        if truth(condition(focus, scope)):
            return then(focus, scope)
        return otherwise(focus, scope) if otherwise else []

    return step


def _trace(_name: Step, _projection: Step | None = None) -> Step:
    return lambda focus, _scope: focus


def _extension(url: Step) -> Step:
    def step(focus: Nodes, scope: Scope) -> Nodes:
        wanted = only(url(focus, scope)).value
        found = [extension for node in focus for extension in children_named(node, "extension")]
        return [extension for extension in found if extension.value.get("url") == wanted]

    return step


def _resolve() -> Step:
    def step(focus: Nodes, scope: Scope) -> Nodes:
        found = []
        for node in focus:
            reference = node.value.get("reference", "") if isinstance(node.value, dict) else node.value
            if reference == "#":
                found.append(scope.root)
            elif isinstance(reference, str) and reference.startswith("#"):
                contained = children_named(scope.root, "contained")
                found += [inner for inner in contained if inner.value.get("id") == reference[1:]]
        return found

    return step


def _text(make: Callable[[str, Any], Nodes]) -> Callable[[Step], Step]:
    """A function of a string and one argument."""

    def function(argument: Step) -> Step:
        def step(focus: Nodes, scope: Scope) -> Nodes:
            given = argument(_outer(scope), scope)
            if not focus or not given:
                return []
            value = only(focus).value
            return make(value, only(given).value) if isinstance(value, str) else []

        return step

    return function


def _matches(pattern: Step) -> Step:
    compiled = safe_pattern(_written(pattern))

    def step(focus: Nodes, _scope: Scope) -> Nodes:
        if not focus or not isinstance(value := only(focus).value, str):
            return []
        return boolean(compiled.search(value))

    return step


def _replace_matches(pattern: Step, substitution: Step) -> Step:
    compiled = safe_pattern(_written(pattern))
    replacement = _written(substitution)

    def step(focus: Nodes, _scope: Scope) -> Nodes:
        if not focus or not isinstance(value := only(focus).value, str):
            return []
        return string(compiled.replace(value, replacement))

    return step


def _written(argument: Step) -> str:
    """The value of an argument that is a literal."""
    return str(only(argument([], Scope(_NOTHING, _NOTHING, _NOTHING, Work(0)))).value)


def _intersect(other: Step) -> Step:
    def step(focus: Nodes, scope: Scope) -> Nodes:
        others = other(_outer(scope), scope)
        scope.spend(len(focus) * (len(focus) + len(others)))
        found = [a for a in focus if any(same(a, b) for b in others)]
        return [a for at, a in enumerate(found) if not any(same(a, b) for b in found[:at])]

    return step


def _substring(start: Step, length: Step | None = None) -> Step:
    def step(focus: Nodes, scope: Scope) -> Nodes:
        if not focus or not isinstance(text := only(focus).value, str):
            return []
        at = only(start(focus, scope)).value
        end = at + only(length(focus, scope)).value if length else None
        return string(text[at:end]) if 0 <= at < len(text) else []

    return step


def _to_string(focus: Nodes) -> Nodes:
    if not focus or isinstance(value := only(focus).value, dict) or value is None:
        return []
    return string(str(value).lower() if isinstance(value, bool) else str(value))


def _to_integer(focus: Nodes) -> Nodes:
    if not focus:
        return []
    value = only(focus).value
    if isinstance(value, int):
        return integer(int(value))
    if isinstance(value, str) and value.lstrip("+-").isascii() and value.lstrip("+-").isdigit():
        return integer(int(value[:20]))
    return []


def _length(focus: Nodes) -> Nodes:
    return integer(len(only(focus).value)) if focus and isinstance(only(focus).value, str) else []


def _has_value(focus: Nodes) -> Nodes:
    return boolean(len(focus) == 1 and focus[0].value is not None and not isinstance(focus[0].value, dict))


_NOTHING = Node(None, "string")

# Name: fewest and most arguments, and what makes the step.
FUNCTIONS: dict[str, tuple[int, int, Callable[..., Step]]] = {
    "all": (1, 1, _all),
    "allFalse": (0, 0, _truths(lambda values: all(value is False for value in values))),
    "allTrue": (0, 0, _truths(lambda values: all(value is True for value in values))),
    "anyFalse": (0, 0, _truths(lambda values: any(value is False for value in values))),
    "anyTrue": (0, 0, _truths(lambda values: any(value is True for value in values))),
    "children": (0, 0, _plain(lambda focus: [child for node in focus for child in children(node)])),
    "combine": (1, 1, _combine),
    "contains": (1, 1, _text(lambda text, part: boolean(part in text))),
    "count": (0, 0, _plain(lambda focus: integer(len(focus)))),
    "descendants": (0, 0, _descendants),
    "distinct": (0, 0, _distinct),
    "empty": (0, 0, _plain(lambda focus: boolean(not focus))),
    "endsWith": (1, 1, _text(lambda text, part: boolean(text.endswith(part)))),
    "exists": (0, 1, _exists),
    "extension": (1, 1, _extension),
    "first": (0, 0, _plain(lambda focus: focus[:1])),
    "hasValue": (0, 0, _plain(_has_value)),
    "htmlChecks": (0, 0, _plain(lambda _focus: boolean(value=True))),  # the walk has looked at every narrative
    "iif": (2, 3, _iif),
    "intersect": (1, 1, _intersect),
    "isDistinct": (0, 0, _is_distinct),
    "last": (0, 0, _plain(lambda focus: focus[-1:])),
    "length": (0, 0, _plain(_length)),
    "matches": (1, 1, _matches),
    "not": (0, 0, _plain(_not)),
    "replaceMatches": (2, 2, _replace_matches),
    "resolve": (0, 0, _resolve),
    "select": (1, 1, _select),
    "startsWith": (1, 1, _text(lambda text, part: boolean(text.startswith(part)))),
    "substring": (1, 2, _substring),
    "tail": (0, 0, _plain(lambda focus: focus[1:])),
    "toInteger": (0, 0, _plain(_to_integer)),
    "toString": (0, 0, _plain(_to_string)),
    "trace": (1, 2, _trace),
    "where": (1, 1, _where),
}
