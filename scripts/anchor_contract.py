"""Compile the contract of the anchors into the bytecode that ships: ``python -m scripts.anchor_contract``."""

import textwrap
from pathlib import Path

from vyper.compiler import compile_code  # type: ignore[import-untyped]

FOLDER = Path(__file__).parents[1] / "src" / "carekeep" / "audit" / "anchors"
SOURCE = FOLDER / "tree_heads.vy"
COMPILED = FOLDER / "tree_heads.bin"


def compiled() -> str:
    """The bytecode that creates the contract, hexadecimal, in lines."""
    made = compile_code(SOURCE.read_text("utf-8"), output_formats=["bytecode"])
    return "\n".join(textwrap.wrap(made["bytecode"].removeprefix("0x"), 120)) + "\n"


if __name__ == "__main__":
    COMPILED.write_text(compiled(), "ascii")
