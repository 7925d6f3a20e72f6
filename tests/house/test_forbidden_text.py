"""What no file of the project may say: where packages are fetched from, whose machine it was, what is left undone."""

import re
from collections.abc import Iterator

import pytest

from tests.house.tree import kept_files, name_of

# "_" stands between the letters of each word, so that this file does not find itself.
PACKAGE_INDEXES = re.compile(
    r"py_pi\.org|python_hosted\.org|npm_js\.(org|com)|(index|registry)_-url|://[\w.-]*regis_try[\w.-]*".replace("_", "")
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(work|farm|root|home|Users)/\w")
LEFTOVERS = re.compile(r"\b(TO_DO|FIX_ME|XX_X|HA_CK)\b".replace("_", ""))

# Leftovers are looked for in what people write; tables of the standard may hold such words (a currency is one).
WRITTEN = frozenset({".py", ".md", ".toml", ".sql", ".cedar", ".cedarschema", ".yml", ".yaml", ""})


def lines() -> Iterator[tuple[str, str, str]]:
    """(place, suffix, text) of every line of every kept text file."""
    for file in kept_files():
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            yield f"{name_of(file)}:{number}", file.suffix, line


@pytest.mark.parametrize("pattern", [PACKAGE_INDEXES, MACHINE_PATHS], ids=["package-index", "machine-path"])
def test_no_file_names(pattern: re.Pattern[str]) -> None:
    assert not [f"{place}: {line.strip()[:120]}" for place, _, line in lines() if pattern.search(line)]


def test_nothing_is_left_undone() -> None:
    assert not [place for place, suffix, line in lines() if suffix in WRITTEN and LEFTOVERS.search(line)]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (PACKAGE_INDEXES, "https://files.python_hosted.org/packages/x.whl"),
        (PACKAGE_INDEXES, "--index_-url=https://example.org"),
        (PACKAGE_INDEXES, "https://regis_try.example.org/"),
        (MACHINE_PATHS, 'open("/_root/x")'),
        (MACHINE_PATHS, "/_home/somebody"),
        (LEFTOVERS, "# TO_DO: later"),
    ],
)
def test_patterns_find_what_they_are_for(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text.replace("_", ""))
