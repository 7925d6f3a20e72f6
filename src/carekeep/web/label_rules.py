"""Which labelling rules an installation has: its own file, or those that come with Carekeep."""

from pathlib import Path
from typing import Final

from carekeep.access.labelling import Rules, RulesRefused

FILE_NAME: Final = "labels.toml"


def label_rules(home: Path) -> Rules:
    """The rules of ``labels.toml`` in the folder, else the bundled ones. Raises RulesRefused, which names the file.

    Rules that do not load must not become no rules: then nothing is served.
    """
    path = home / FILE_NAME
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Rules.bundled()
    except UnicodeDecodeError:
        raise RulesRefused(f"{path}: is not text in UTF-8") from None
    try:
        return Rules.read(text)
    except RulesRefused as refused:
        raise RulesRefused(f"{path}: {refused}") from None
