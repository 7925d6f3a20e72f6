"""What is installed: the locks say what the project says, and the wheel holds all that the code reads."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import carekeep
from tests.house.tree import PACKAGE, ROOT, kept_files, python_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def locked(environment: str) -> dict[str, str]:
    """Name → version in the lock of an environment (``run`` or ``test``)."""
    text = (ROOT / "requirements" / f"{environment}.txt").read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def unmet(wanted: list[str], environment: str) -> list[str]:
    """The requirements that the lock of an environment does not fulfil."""
    versions = locked(environment)

    def is_met(requirement: Requirement) -> bool:
        version = versions.get(canonicalize_name(requirement.name))
        return version is not None and version in requirement.specifier

    return [text for text in wanted if not is_met(Requirement(text))]


def test_locks_fulfil_what_the_project_asks_for() -> None:
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    run = project["dependencies"] + project["optional-dependencies"]["postgres"] + groups["build"]
    assert not unmet(run, "run"), "run `make lock`"
    assert not unmet(run + groups["test"] + groups["lint"], "test"), "run `make lock`"


def imported_packages() -> Iterator[str]:
    """The first names of everything that the product imports, wherever in a file."""
    for file in python_files("src/"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0]


def test_dependencies_are_what_is_imported() -> None:
    project = PROJECT["project"]
    declared = {Requirement(r).name for r in project["dependencies"] + project["optional-dependencies"]["postgres"]}
    foreign = set(imported_packages()) - sys.stdlib_module_names - {"carekeep"}
    distributions = packages_distributions()
    assert {name for package in foreign for name in set(distributions.get(package, [package]))} == declared


def test_tests_run_on_what_is_run() -> None:
    assert locked("run").items() <= locked("test").items()


def test_wheel_holds_the_whole_package(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("carekeep/")}
    assert packed == {f.relative_to(PACKAGE.parent).as_posix() for f in kept_files() if f.is_relative_to(PACKAGE)}
    assert wheel.name.startswith(f"carekeep-{carekeep.__version__}-")
