"""Where things are in this repository, for the tests that look at all of it."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "carekeep"


def kept_files() -> list[Path]:
    """Every file that is in git or would be added by ``git add .``."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    files = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


def python_files(*folders: str) -> list[Path]:
    """The kept Python files in these folders of the repository; in all, if none is named."""
    return [file for file in kept_files() if file.suffix == ".py" and name_of(file).startswith(folders or "")]


def name_of(file: Path) -> str:
    """A file's name as people say it: from the root of the repository."""
    return file.relative_to(ROOT).as_posix()


def room_names() -> list[str]:
    """The rooms: the packages directly in ``carekeep``."""
    return sorted({file.relative_to(PACKAGE).parts[0] for file in PACKAGE.glob("*/**/*.py")})


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a file, nested ones too."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"), filename=name_of(file))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
