"""What is installed: the locks say what the project says, and the wheel holds all that the code reads."""

import ast
import base64
import hashlib
import json
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

BUILT = PACKAGE / "web" / "assets" / "built"
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
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    declared = {Requirement(r).name for r in project["dependencies"] + extras}
    foreign = set(imported_packages()) - sys.stdlib_module_names - {"carekeep"}
    distributions = packages_distributions()
    found = {name for package in foreign for name in set(distributions.get(package, [package]))}
    assert set(map(canonicalize_name, found)) == set(map(canonicalize_name, declared))


def test_tests_run_on_what_is_run() -> None:
    assert locked("run").items() <= locked("test").items()


def test_wheel_holds_the_whole_package(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("carekeep/")}
    kept = {f.relative_to(PACKAGE.parent).as_posix() for f in kept_files() if f.is_relative_to(PACKAGE)}
    fetched = json.loads((BUILT / "manifest.json").read_text("utf-8")).keys() | {"manifest.json"}
    assert packed == kept | {f"carekeep/web/assets/built/{name}" for name in fetched}
    assert wheel.name.startswith(f"carekeep-{carekeep.__version__}-")


def test_nobody_changed_what_was_fetched_from_others() -> None:
    manifest: dict[str, str] = json.loads((BUILT / "manifest.json").read_text("utf-8"))
    found = {
        file.name: "sha384-" + base64.b64encode(hashlib.sha384(file.read_bytes()).digest()).decode()
        for file in BUILT.iterdir()
        if file.name != "manifest.json"
    }
    assert found == manifest


def test_the_lock_of_the_assets_holds_the_hash_of_every_package() -> None:
    folder = BUILT.parent
    wanted = json.loads((folder / "package.json").read_text("utf-8"))["dependencies"]
    locked = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
    for name, version in wanted.items():
        package = locked[f"node_modules/{name}"]
        assert package["version"] == version
        assert package["integrity"].startswith("sha512-")
