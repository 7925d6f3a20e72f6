"""How tables of facts are written: the same facts always give the same bytes."""

import gzip
import json
from pathlib import Path
from typing import Any


def table_bytes(facts: dict[str, Any]) -> bytes:
    """The facts as compressed JSON without a time stamp."""
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def write_table(facts: dict[str, Any], file: Path) -> int:
    """Write the table and return its size in bytes."""
    content = table_bytes(facts)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return len(content)
