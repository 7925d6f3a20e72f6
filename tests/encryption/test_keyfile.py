"""The key file: sealed, private, whole at any moment, and the same for every process that has it open."""

import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.encryption import KeyFile, KeyFileError, KeyMissing, Secret, Tampered, WrongPassphrase, keyfile
from carekeep.encryption.durable import replace_file
from tests.encryption.keys import CHEAP, PASSPHRASE, new_key_file, opened_key_file

KEY = bytes(range(32))


def test_two_processes_have_the_same_keys(tmp_path: Path) -> None:
    one, two = new_key_file(tmp_path), opened_key_file(tmp_path)
    assert two.unwrap("system", one.wrap("system", KEY, b"aad"), b"aad") == KEY
    assert two.open_in_epoch(one.epoch, one.seal_in_epoch(KEY, b"aad"), b"aad") == KEY


def test_wrapped_keys_are_bound_to_use_and_place(tmp_path: Path) -> None:
    service = new_key_file(tmp_path)
    wrapped = service.wrap("system", KEY, b"aad")
    for name, aad in (("patient", b"aad"), ("system", b"other")):
        with pytest.raises(Tampered):
            service.unwrap(name, wrapped, aad)


def test_every_flipped_bit_of_a_wrapped_key_is_found(tmp_path: Path) -> None:
    service = new_key_file(tmp_path)
    wrapped = service.wrap("system", KEY, b"aad")
    for bit in range(len(wrapped) * 8):
        changed = bytearray(wrapped)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((Tampered, KeyMissing)):
            service.unwrap("system", bytes(changed), b"aad")


def test_wrong_passphrase_says_so_and_shows_nothing(tmp_path: Path) -> None:
    new_key_file(tmp_path)
    with pytest.raises(WrongPassphrase, match="does not open the key file") as refused:
        KeyFile.open(tmp_path / "carekeep.key", Secret("a wrong guess"))
    assert "guess" not in str(refused.value)


@pytest.mark.parametrize("passphrase", ["", "x" * 1025])
def test_passphrase_is_bounded(tmp_path: Path, passphrase: str) -> None:
    with pytest.raises(KeyFileError, match="1 to 1024 bytes"):
        KeyFile.create(tmp_path / "k", Secret(passphrase), cost=CHEAP)
    assert list(tmp_path.iterdir()) == []


def test_file_is_private_and_holds_no_key_in_the_open(tmp_path: Path) -> None:
    made = iter(bytes([n]) * 32 for n in range(1, 99))
    file = KeyFile.create(tmp_path / "k", PASSPHRASE, cost=CHEAP, random=lambda length: next(made)[:length])
    file.begin_rotation()
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    content = (tmp_path / "k").read_bytes()
    assert PASSPHRASE.reveal() not in content
    assert not any((bytes([n]) * 8).hex().encode() in content for n in range(2, 99))
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


def test_create_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "carekeep.key").write_text("precious")
    with pytest.raises(KeyFileError, match="exists already"):
        new_key_file(tmp_path)
    assert (tmp_path / "carekeep.key").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_create_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be written: No such file"):
        KeyFile.create(tmp_path / "missing" / "k", PASSPHRASE, cost=CHEAP)


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        parsed = json.loads(content)
        change(parsed)
        return json.dumps(parsed).encode()

    return edit


DAMAGES = {
    "version": (edited(lambda file: file.update(version=2)), "version 2, not 1"),
    "format": (edited(lambda file: file.update(format="other")), "does not say that it is one"),
    "function": (edited(lambda file: file["kdf"].update(name="pbkdf2")), "not argon2id"),
    "memory": (edited(lambda file: file["kdf"].update(memory_kib=1 << 30)), "out of bounds"),
    "time": (edited(lambda file: file["kdf"].update(iterations=10**9)), "out of bounds"),
    "lanes as text": (edited(lambda file: file["kdf"].update(lanes="1")), "not numbers"),
    "lanes as truth": (edited(lambda file: file["kdf"].update(lanes=True)), "not numbers"),
    "short salt": (edited(lambda file: file["kdf"].update(salt="AAAA")), "salt"),
    "no salt": (edited(lambda file: file["kdf"].pop("salt")), "salt"),
    "costs of another kind": (edited(lambda file: file.update(kdf=[])), "not a key file"),
    "not base64": (edited(lambda file: file.update(sealed="%")), "not a key file"),
    "sealed as number": (edited(lambda file: file.update(sealed=7)), "not a key file"),
    "suite": (edited(lambda file: file.update(sealed="f" + file["sealed"][1:])), "unknown cipher suite"),
    "other costs": (edited(lambda file: file["kdf"].update(memory_kib=16)), "passphrase does not open"),
    "cut": (lambda content: content[:-20], "not a key file"),
    "not UTF-8": (lambda _: b"\xff\xfe", "not a key file"),
    "deep": (lambda _: b"[" * 100_000, "not a key file"),
    "large": (lambda _: b" " * (1 << 21), "too large"),
    "empty": (lambda _: b"", "not a key file"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_file_that_is_not_as_it_was_written(tmp_path: Path, damage: str) -> None:
    edit, message = DAMAGES[damage]
    new_key_file(tmp_path)
    path = tmp_path / "carekeep.key"
    path.write_bytes(edit(path.read_bytes()))
    with pytest.raises(KeyFileError, match=message):
        opened_key_file(tmp_path)


@given(st.binary(max_size=200))
def test_any_file_is_refused_politely(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "carekeep.key").write_bytes(content)
        with pytest.raises(KeyFileError):
            opened_key_file(Path(folder))


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be read: No such file"):
        opened_key_file(tmp_path)


def test_rotation_is_noticed_by_others_without_the_passphrase(tmp_path: Path) -> None:
    one, two = new_key_file(tmp_path), opened_key_file(tmp_path)
    old_wrapped, old_sealed = one.wrap("system", KEY, b""), one.seal_in_epoch(KEY, b"")
    one.begin_rotation()
    wrapped, sealed = one.wrap("system", KEY, b""), one.seal_in_epoch(KEY, b"")
    with pytest.raises(KeyMissing, match="does not hold root key"):
        two.unwrap("system", wrapped, b"")
    with pytest.raises(KeyMissing, match="epoch 2"):
        two.open_in_epoch(2, sealed, b"")
    two.refresh()
    assert two.unwrap("system", wrapped, b"") == two.unwrap("system", old_wrapped, b"") == KEY
    assert two.open_in_epoch(2, sealed, b"") == two.open_in_epoch(1, old_sealed, b"") == KEY
    assert (two.is_newest(wrapped), two.is_newest(old_wrapped)) == (True, False)
    one.end_rotation(2)
    two.refresh()
    with pytest.raises(KeyMissing):
        two.unwrap("system", old_wrapped, b"")
    with pytest.raises(KeyMissing):
        opened_key_file(tmp_path).open_in_epoch(1, old_sealed, b"")


def test_two_processes_that_rotate_at_once_do_it_once(tmp_path: Path) -> None:
    one, two = new_key_file(tmp_path), opened_key_file(tmp_path)
    one.begin_rotation()
    two.begin_rotation()
    assert one.epoch == two.epoch == 2
    assert one.unwrap("system", two.wrap("system", KEY, b""), b"") == KEY
    two.end_rotation(2)
    assert not two.retiring
    two.begin_rotation()
    one.end_rotation(2)  # of a rotation that is over: the next one's keys stay
    assert (one.epoch, one.retiring) == (3, True)


def test_another_passphrase_is_not_mistaken_for_a_rotation(tmp_path: Path) -> None:
    service = new_key_file(tmp_path)
    (tmp_path / "carekeep.key").unlink()
    KeyFile.create(tmp_path / "carekeep.key", Secret("another one"), cost=CHEAP)
    with pytest.raises(KeyFileError, match="another passphrase than when it was opened"):
        service.refresh()
    (tmp_path / "carekeep.key").unlink()
    with pytest.raises(KeyFileError, match="cannot be read"):
        service.refresh()


@pytest.mark.parametrize(("owner", "function"), [(os, "fsync"), (Path, "replace")], ids=["writing", "replacing"])
def test_a_disk_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, function: str
) -> None:
    service = new_key_file(tmp_path)
    wrapped = service.wrap("system", KEY, b"")

    def crash(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(owner, function, crash)
        with pytest.raises(KeyFileError, match="No space left"):
            service.begin_rotation()
    assert opened_key_file(tmp_path).unwrap("system", wrapped, b"") == KEY
    assert not service.retiring
    assert [path.name for path in tmp_path.iterdir()] == ["carekeep.key"]


def test_crash_after_writing_leaves_the_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = new_key_file(tmp_path)
    wrapped = service.wrap("system", KEY, b"")

    def crash(path: Path, content: bytes) -> None:
        replace_file(path, content)
        raise KeyboardInterrupt

    monkeypatch.setattr(keyfile, "replace_file", crash)
    with pytest.raises(KeyboardInterrupt):
        service.begin_rotation()
    again = opened_key_file(tmp_path)
    assert again.retiring
    assert again.unwrap("system", wrapped, b"") == KEY
