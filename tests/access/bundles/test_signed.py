"""Bundles in one file: the same bytes for the same bundle, and nothing changed without its being seen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from carekeep.access import PolicyFile
from carekeep.access.bundles import Bundle, BundleRefused, open_signed, read_bundle
from carekeep.access.bundles import sign_bundle as sign_with
from carekeep.audit.note import VerifierKey, sign

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
SIGNER, STRANGER = VerifierKey.of("officer", KEY), VerifierKey.of("stranger", OTHER)
BUNDLE = Bundle("rules", "1.2", ("clinic",), (PolicyFile("a.cedar", "// ä\n"), PolicyFile("b.cedar", "")))


def sign_bundle(bundle: Bundle, name: str, key: Ed25519PrivateKey) -> bytes:
    return sign_with(bundle, lambda text: sign(text, name, key))


SIGNED = sign_bundle(BUNDLE, "officer", KEY)


def test_a_signed_bundle_is_read_again() -> None:
    assert open_signed(SIGNED, [STRANGER, SIGNER]) == (BUNDLE, ("officer",))
    assert open_signed(SIGNED, []) == (BUNDLE, ())
    assert sign_bundle(BUNDLE, "officer", KEY) == SIGNED


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    members = orjson.loads(SIGNED)
    change(members)
    return orjson.dumps(members)


ATTACKS: tuple[tuple[str, bytes], ...] = (
    (
        ("a policy is changed", changed(lambda m: m["bundle"]["files"].update({"a.cedar": "// b\n"}))),
        ("a policy is added", changed(lambda m: m["bundle"]["files"].update({"c.cedar": ""}))),
        ("a policy is taken away", changed(lambda m: m["bundle"]["files"].pop("b.cedar"))),
        ("a pack is added", changed(lambda m: m["bundle"]["packs"].append("research"))),
        ("the version is changed", changed(lambda m: m["bundle"].update(version="1.3"))),
        ("the title in the note is changed", changed(lambda m: m.update(note=m["note"].replace("1.2", "1.3")))),
        ("the note is of another bundle", changed(lambda m: m.update(note=orjson.loads(OF_ANOTHER)["note"]))),
        ("a stranger signs in the signer's name", sign_bundle(BUNDLE, "officer", OTHER)),
        ("a stranger signs", sign_bundle(BUNDLE, "stranger", OTHER)),
        ("nobody signs", changed(lambda m: m.update(note=m["note"].rpartition("\n\n")[0] + "\n\n"))),
        ("there is no note", changed(lambda m: m.pop("note"))),
        ("it is no JSON", b"{"),
        ("it is something else", b"[]"),
        ("files are no texts", changed(lambda m: m["bundle"]["files"].update({"a.cedar": 7}))),
        ("a name leads elsewhere", changed(lambda m: m["bundle"]["files"].update({"../a.cedar": ""}))),
        ("it has no end", SIGNED + b" " * 4_000_001),
    )
    if (OF_ANOTHER := sign_bundle(Bundle("rules", "9", ("clinic",)), "officer", KEY))
    else ()
)


@pytest.mark.parametrize(("what", "content"), ATTACKS, ids=[what for what, _ in ATTACKS])
def test_what_was_changed_or_is_not_signed_is_refused(what: str, content: bytes) -> None:
    del what
    with pytest.raises(BundleRefused):
        open_signed(content, [SIGNER])


def folder(path: Path, manifest: str, **files: str) -> Path:
    (path / "bundle.toml").write_text(manifest)
    for name, text in files.items():
        (path / f"{name}.cedar").write_text(text)
    return path


MANIFEST = 'name = "a"\nversion = "1"\n'


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    found = read_bundle(folder(tmp_path, f'{MANIFEST}packs = ["clinic"]', b="//b", a="//a"))
    assert found == Bundle("a", "1", ("clinic",), (PolicyFile("a.cedar", "//a"), PolicyFile("b.cedar", "//b")))


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ("name = ", "bundle.toml: "),
        ('version = "1"', "name is missing"),
        ('name = "A b"\nversion = "1"', "name has lower-case"),
        (f'{MANIFEST}packs = "clinic"', "packs is a list"),
        (f'{MANIFEST}packs = ["pirate"]', "no pack 'pirate'"),
        (f"{MANIFEST}colour = 1", "'colour' is not known"),
        (MANIFEST, "neither policies nor packs"),
    ],
)
def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path, manifest: str, told: str) -> None:
    with pytest.raises(BundleRefused, match=told):
        read_bundle(folder(tmp_path, manifest))


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match=r"bundle\.toml does not exist"):
        read_bundle(tmp_path)
