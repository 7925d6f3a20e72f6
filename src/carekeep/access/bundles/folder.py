"""Bundles as people keep them: a folder with ``bundle.toml`` and ``*.cedar``, and cases (``*.cases.toml``) beside."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from carekeep.access.bundles.bundle import LARGEST, MOST_FILES, Bundle, BundleRefused
from carekeep.access.policy_text import PolicyFile, bundled_policies

PACKS = ("clinic", "hospital", "research")
MANIFEST = "bundle.toml"
_CASES = "*.cases.toml"


def read_bundle(folder: Path) -> Bundle:
    """The bundle in a folder. Raises BundleRefused."""
    try:
        manifest = tomllib.loads(_text(folder / MANIFEST))
    except tomllib.TOMLDecodeError as error:
        raise BundleRefused(f"{MANIFEST}: {error}") from None
    unknown = sorted(manifest.keys() - {"name", "version", "packs"})
    if unknown:
        raise BundleRefused(f"{MANIFEST}: {unknown[0]!r} is not known; there are name, version and packs")
    packs = manifest.get("packs", [])
    if not isinstance(packs, list):
        raise BundleRefused(f"{MANIFEST}: packs is a list of names")
    files = tuple(PolicyFile(path.name, _text(path)) for path in _files(folder, "*.cedar"))
    name, version = _word(manifest, "name"), _word(manifest, "version")
    bundle = Bundle(name, version, tuple(packs), files, read_case_files(folder))
    policies_of(bundle)
    return bundle


def read_case_files(folder: Path) -> tuple[PolicyFile, ...]:
    """The files of cases in a folder, by name. Raises BundleRefused."""
    return tuple(PolicyFile(path.name, _text(path)) for path in _files(folder, _CASES))


def pack(name: str) -> tuple[PolicyFile, ...]:
    """The policies of a pack. Raises BundleRefused for one that does not come with Carekeep."""
    return tuple(_of_pack(name, ".cedar"))


def pack_cases(name: str) -> tuple[PolicyFile, ...]:
    """The cases of a pack. Raises BundleRefused."""
    return tuple(_of_pack(name, ".cases.toml"))


def policies_of(bundle: Bundle | None) -> tuple[PolicyFile, ...]:
    """Everything that is in force with a bundle: what always loads, its packs, its own. Raises BundleRefused."""
    if bundle is None:
        return bundled_policies()
    return (*bundled_policies(), *(file for name in bundle.packs for file in pack(name)), *bundle.files)


def _of_pack(name: str, ending: str) -> list[PolicyFile]:
    if name not in PACKS:
        raise BundleRefused(f"there is no pack {name[:80]!r}; there are {', '.join(PACKS)}")
    folder = resources.files("carekeep.access") / "policies" / "packs" / name
    found = sorted((each for each in folder.iterdir() if each.name.endswith(ending)), key=lambda each: each.name)
    return [PolicyFile(f"{name}/{each.name}", each.read_text("utf-8")) for each in found]


def _files(folder: Path, pattern: str) -> list[Path]:
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    if len(found) > MOST_FILES:
        raise BundleRefused(f"{folder}: more than {MOST_FILES} files {pattern}")
    return found


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise BundleRefused(f"{path} does not exist") from None
    except IsADirectoryError:
        raise BundleRefused(f"{path} is a folder") from None
    if len(content) > LARGEST:
        raise BundleRefused(f"{path.name}: longer than {LARGEST} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise BundleRefused(f"{path.name}: is not UTF-8") from None


def _word(manifest: dict[str, Any], name: str) -> str:
    value = manifest.get(name)
    if not isinstance(value, str):
        raise BundleRefused(f"{MANIFEST}: {name} is missing, or not a text")
    return value
