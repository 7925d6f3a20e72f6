"""The verifier that stands alone, against logs that were spoilt in every way that we could think of."""

import json
import random
import shutil
import threading
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from carekeep.audit.checkpoint import Checkpoint, sign_checkpoint
from carekeep.audit.merkle import leaf_hash
from carekeep.audit.note import Note, sign
from carekeep.audit.tiles import entry_bundle, leaves_in
from tests.audit.published_logs import KEY, ORIGIN, PRIVATE, PublishedLog, leaf, publish
from tests.promises.outsider import verifier

SIZE = 600  # two full tiles, a partial one, and one above them
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture
def log(tmp_path: Path) -> PublishedLog:
    return publish(tmp_path / "log", SIZE)


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs the verifier with the log's key; its exit code, and what it says."""

    def run(command: str, *words: object) -> tuple[int, str]:
        code = verifier.main([command, "--key", str(KEY), *map(str, words)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


Check = Callable[..., tuple[int, str]]


def edit(file: Path, change: Callable[[bytes], bytes]) -> None:
    file.write_bytes(change(file.read_bytes()))


def rewrite_entry(log: PublishedLog) -> None:
    def change(content: bytes) -> bytes:
        leaves = leaves_in(content)
        leaves[44] = b"entry 3OO"
        return entry_bundle(leaves)

    edit(log.folder / "tile/entries/001", change)


def rewrite_entry_and_hash(log: PublishedLog) -> None:
    rewrite_entry(log)
    edit(log.folder / "tile/0/001", lambda tile: tile[: 44 * 32] + leaf_hash(b"entry 3OO") + tile[45 * 32 :])


def rewrite_all_tiles(log: PublishedLog) -> None:
    """Everything but what is signed."""
    note = log.note
    PublishedLog(log.folder).add([b"entry 3OO" if number == 300 else leaf(number) for number in range(SIZE)])
    (log.folder / "checkpoint").write_text(note)


def drop_entry(log: PublishedLog) -> None:
    edit(log.folder / "tile/entries/001", lambda content: entry_bundle(leaves_in(content)[:-1]))


def drop_entry_everywhere(log: PublishedLog) -> None:
    note = log.note
    shutil.rmtree(log.folder / "tile")
    PublishedLog(log.folder).add([leaf(number) for number in range(SIZE) if number != 300])
    (log.folder / "checkpoint").write_text(note)


def flip(path: str, at: int) -> Callable[[PublishedLog], None]:
    def spoil(log: PublishedLog) -> None:
        edit(log.folder / path, lambda content: content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])

    return spoil


def sign_body(body: str) -> Callable[[PublishedLog], None]:
    """The log's own signature, under something else than it should sign."""

    def spoil(log: PublishedLog) -> None:
        root = b64encode(log.edge.root()).decode()
        text = body.format(root=root, loose=root[:-2] + chr(ord(root[-2]) + 1) + "=")
        (log.folder / "checkpoint").write_text(str(Note(text, (sign(text, ORIGIN, PRIVATE),))))

    return spoil


def resign(private: Ed25519PrivateKey, origin: str) -> Callable[[PublishedLog], None]:
    def spoil(log: PublishedLog) -> None:
        note = sign_checkpoint(Checkpoint(origin, SIZE, log.edge.root()), private)
        (log.folder / "checkpoint").write_text(note)

    return spoil


def cut(path: str, size: int) -> Callable[[PublishedLog], None]:
    return lambda log: edit(log.folder / path, lambda content: content[:size])


# What is done to the log, and what the verifier says of it.
ATTACKS = [
    ("a rewritten entry", rewrite_entry, "entry 300: it is not the one that was signed"),
    ("a rewritten entry and its hash", rewrite_entry_and_hash, "tile 1/0: its hash 1 is not the root"),
    ("a rewritten log under an old signature", rewrite_all_tiles, "root: the entries do not lead to it"),
    ("a dropped entry", drop_entry, "tile/entries/001 does not hold 256 entries"),
    ("a dropped entry, and all moved up", drop_entry_everywhere, "No such file"),
    ("a flipped bit of a tile", flip("tile/0/001", 44 * 32), "tile 0/1, hash 44: it was changed"),
    ("a flipped bit of the last tile", flip("tile/0/002.p/88", 87 * 32), "tile 0/2, hash 87: it was changed"),
    ("a flipped bit of a tile above", flip("tile/1/000.p/2", 32), "tile 1/0: its hash 1"),
    ("a flipped bit of a length", flip("tile/entries/000", 1), "tile/entries/000"),
    ("a tile cut short", cut("tile/0/001", 8191), "tile/0/001 has 8191 bytes"),
    ("a bundle cut short", cut("tile/entries/002.p/88", 500), "tile/entries/002.p/88 does not hold 88 entries"),
    ("a forged signature", flip("checkpoint", -20), "the signature of ledger.example/clinic"),
    ("a stranger's signature", resign(STRANGER, ORIGIN), "is not signed by"),
    ("another log's checkpoint", sign_body("ledger.example/other\n600\n{root}\n"), "of another log"),
    ("a size with a zero before it", sign_body(ORIGIN + "\n0600\n{root}\n"), "the tree size is not a number"),
    ("a size with a sign", sign_body(ORIGIN + "\n+600\n{root}\n"), "the tree size is not a number"),
    ("a size in other digits", sign_body(ORIGIN + "\n\u0666\u0660\u0660\n{root}\n"), "the tree size is not a number"),
    ("a root in other base64", sign_body(ORIGIN + "\n600\n{loose}\n"), "the root is not base64"),
    ("no root", sign_body(ORIGIN + "\n600\n"), "not a checkpoint"),
    ("an empty line", sign_body(ORIGIN + "\n600\n{root}\n\n"), "not a checkpoint"),
    ("a size beyond all bounds", sign_body(ORIGIN + "\n9223372036854775808\n{root}\n"), "is not a number"),
]


@pytest.mark.parametrize(("spoil", "says"), [case[1:] for case in ATTACKS], ids=[case[0] for case in ATTACKS])
def test_an_attack_is_found_and_its_place_is_named(
    log: PublishedLog, check: Check, spoil: Callable[[PublishedLog], None], says: str
) -> None:
    assert check("log", log.folder)[0] == 0
    spoil(log)
    code, said = check("log", log.folder)
    assert code in {1, 2}
    assert says in said


def test_any_flipped_bit_of_any_file_is_found(log: PublishedLog, check: Check) -> None:
    chance = random.Random(7)  # noqa: S311 - chance that must repeat
    files = sorted(path for path in log.folder.rglob("*") if path.is_file())
    assert len(files) == 8
    unseen = []
    for file in files:
        whole = file.read_bytes()
        for _ in range(12):
            at, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
            file.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            if check("log", log.folder)[0] == 0:
                unseen.append((file.name, at, bit))
        file.write_bytes(whole)
    assert unseen == []
    assert check("log", log.folder)[0] == 0


@pytest.mark.parametrize("changed", [700, 65_535, 65_536, 66_999])
def test_the_one_entry_is_named_among_many(tmp_path: Path, check: Check, changed: int) -> None:
    """Under three levels of tiles; what it breaks above is not laid at the door of the tiles."""
    log = publish(tmp_path / "log", 67_000)
    number = changed // 256
    edit(
        log.folder / f"tile/entries/{number:03d}{'.p/184' if number == 261 else ''}",
        lambda content: content.replace(leaf(changed), b"ENTRY" + leaf(changed)[5:]),
    )
    code, said = check("log", "--json", log.folder)
    where = {"where": f"entry {changed}", "what": "it is not the one that was signed"}
    assert (code, json.loads(said)["faults"]) == (1, [where])


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_793])
def test_sound_logs_of_every_shape_are_accepted(tmp_path: Path, check: Check, size: int) -> None:
    log = publish(tmp_path / "log", size)
    code, said = check("log", "--json", log.folder)
    answer = json.loads(said)
    assert (code, answer["size"], answer["checked"], answer["faults"]) == (0, size, size, [])


class TestGoingOn:
    """The state file makes of the verifier a monitor outside: what it has seen once can never be unmade."""

    def test_only_what_is_new_is_read(self, log: PublishedLog, check: Check, tmp_path: Path) -> None:
        state = tmp_path / "state"
        for size in (SIZE, SIZE, SIZE + 1, 767, 768, 1100):
            log.add(map(leaf, range(log.edge.size, size)))
            before = json.loads(state.read_text())["checkpoint"].split("\n")[1] if state.exists() else 0
            code, said = check("log", "--json", "--state", state, log.folder)
            answer = json.loads(said)
            assert (code, answer["checked"]) == (0, size - int(before)), said
        (log.folder / "tile/entries/000").unlink()
        assert check("log", "--state", state, log.folder)[0] == 0
        assert check("log", "--state", state, "--again", log.folder)[0] == 2

    def test_a_split_view_is_found_and_kept_as_evidence(self, log: PublishedLog, check: Check, tmp_path: Path) -> None:
        """To one monitor the log shows one continuation, to the other another one; both are signed."""
        twin = publish(tmp_path / "twin", SIZE)
        one, other = tmp_path / "one", tmp_path / "other"
        assert check("log", "--state", one, log.add([leaf(1)] * 100).folder)[0] == 0
        assert check("log", "--state", other, twin.add([leaf(2)] * 100).folder)[0] == 0
        kept = one.read_bytes()
        for source in (twin.folder, twin.add([leaf(3)] * 300).folder):
            code, said = check("log", "--state", one, source)
            assert (code, "split view" in said) == (1, True), said
            assert (tmp_path / "one.evidence").read_text() == twin.note
        assert one.read_bytes() == kept
        code, said = check("consistency", one, other)
        assert (code, "split view" in said) == (1, True), said

    def test_a_rollback_is_found(self, log: PublishedLog, check: Check, tmp_path: Path) -> None:
        state = tmp_path / "state"
        shutil.copytree(log.folder, tmp_path / "old")
        log.add([leaf(1)] * 100)
        assert check("log", "--state", state, log.folder)[0] == 0
        code, said = check("log", "--state", state, tmp_path / "old")
        assert (code, "rolled back: 700 entries were signed, and now 600" in said) == (1, True)

    def test_a_changed_entry_of_the_last_tile_is_found(self, log: PublishedLog, check: Check, tmp_path: Path) -> None:
        state = tmp_path / "state"
        assert check("log", "--state", state, log.folder)[0] == 0
        log.add([leaf(1)] * 10)
        flip("tile/entries/002.p/98", 5)(log)
        code, said = check("log", "--state", state, log.folder)
        assert (code, "entries 512 to 599: not those of last time" in said) == (1, True)

    @pytest.mark.parametrize(
        ("name", "change"),
        [
            ("no JSON", lambda _: "{"),
            ("no state", lambda _: "{}"),
            ("a list", lambda _: "[]"),
            ("another edge", lambda state: json.dumps(state | {"edge": [state["edge"][0][::-1], *state["edge"][1:]]})),
            ("less of it", lambda state: json.dumps(state | {"edge": [state["edge"][0][1:], *state["edge"][1:]]})),
            (
                "no signature",
                lambda state: json.dumps(state | {"checkpoint": state["checkpoint"].replace("600", "601")}),
            ),
        ],
    )
    def test_a_changed_state_is_refused(
        self, log: PublishedLog, check: Check, tmp_path: Path, name: str, change: Callable[[dict[str, object]], str]
    ) -> None:
        state = tmp_path / "state"
        assert check("log", "--state", state, log.folder)[0] == 0
        state.write_text(change(json.loads(state.read_text())))
        assert check("log", "--state", state, log.folder)[0] == 1, name


@pytest.mark.parametrize("old", [1, 2, 255, 256, 300, 511, 512, 599, 600])
def test_consistency_by_tiles_and_by_a_file(tmp_path: Path, check: Check, old: int) -> None:
    log = publish(tmp_path / "log", old)
    first, last, proof = tmp_path / "first", tmp_path / "last", tmp_path / "proof"
    first.write_text(log.note)
    log.add(map(leaf, range(old, SIZE)))
    last.write_text(log.note)
    code, said = check("consistency", first, last, log.folder)
    assert (code, f"{SIZE} entries continue {old}" in said) == (0, True), said
    hashes = verifier.Source(str(log.folder)).consistency(old, SIZE) if old < SIZE else []
    for spoilt in (hashes[:-1], [*hashes, bytes(32)], hashes[::-1]):
        proof.write_text(json.dumps({"consistency": [b64encode(each).decode() for each in spoilt]}))
        assert check("consistency", first, last, proof)[0] == (0 if spoilt == hashes or old == SIZE else 1)
    code, said = check("consistency", last, first, log.folder)
    assert (code, "rolled back" in said) == ((1, True) if old < SIZE else (0, False))


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, and says nothing of it."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        del format, args


def test_a_log_over_http(log: PublishedLog, check: Check, tmp_path: Path) -> None:
    """A tile that was partial may be there in full only, by the time that it is fetched."""
    for full, part in (("tile/0/002", "tile/0/002.p/88"), ("tile/entries/002", "tile/entries/002.p/88")):
        (log.folder / part).unlink()
        (log.folder / part).parent.rmdir()
        twin = publish(tmp_path / full, 768)
        shutil.copy(twin.folder / full, log.folder / full)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(log.folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        code, said = check("log", "--json", url + "/")
        assert (code, json.loads(said)["checked"]) == (0, SIZE), said
        (log.folder / "tile/1/000.p/2").unlink()
        assert check("log", url)[0] == 2
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
