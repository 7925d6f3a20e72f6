"""``carekeep witness``: set up in a few commands, and a real one that is killed forgets nothing that it signed."""

import datetime
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from carekeep.audit.note import open_note
from carekeep.audit.witnessing import Policy, parse_key
from carekeep.audit.witnessing.policy import TrustedWitness
from carekeep.audit.witnessing.submitting import Submit
from carekeep.audit.witnessing.watching import Fetch
from carekeep.encryption.certificates import make_local_authority
from carekeep.web.exchange.reaching import fetch_from, hosts_of, submit_to
from tests.audit.witnessing.parties import HONEST, Log, with_lines
from tests.cli.conftest import Run

NAME = "witness.north.example/w1"
PATIENCE_S = 20.0


@pytest.fixture
def set_up(run: Run) -> Run:
    """A witness of the honest log."""
    assert run("witness", "init", "--name", NAME).code == 0
    assert run("witness", "add-log", str(HONEST.key)).out == f"{HONEST.origin} is witnessed.\n"
    return run


def policy(run: Run, url: str = "") -> Policy:
    """The policy that its lines make."""
    lines = run("witness", "keys", *(("--url", url) if url else ())).out
    return Policy.parse(f"log {HONEST.key}\n{lines}quorum {NAME}\n".encode())


def test_its_keys_are_lines_of_a_policy(set_up: Run) -> None:
    found = policy(set_up, "https://witness.north.example")
    assert [each.name for each in found.witnesses] == [NAME, f"{NAME}/ml-dsa-44"]
    assert {each.url for each in found.witnesses} == {"https://witness.north.example"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("init", "--name", "another.example"), 3, "already holds a witness"),
        (("add-log", str(HONEST.key)), 3, "the same log key stands twice"),
        (("add-log", "no key"), 3, "The key cannot be added"),
        (("serve", "--bind", "192.0.2.1"), 3, "listens on this machine only"),
        (("status",), 0, HONEST.origin),
    ],
    ids=["twice", "log twice", "no key", "plain http", "status"],
)
def test_what_it_says(set_up: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = set_up("witness", *arguments)
    assert ran.code == code
    assert said in ran.out + ran.err


def test_names_that_cannot_be_are_refused(run: Run) -> None:
    assert run("witness", "init", "--name", "a b").code == 3
    assert "Run: carekeep witness init" in run("witness", "status").err


@contextmanager
def serving(home: Path, folder: Path, *, kills_itself: bool = False) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """``carekeep witness serve`` with TLS, in a process of its own; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = "from carekeep.cli.main import main; main()"
    if kills_itself:
        # As if the power went between the two: it is killed once the checkpoint over 9 entries is durable.
        program = (
            "import os, signal; from carekeep.audit.witnessing.folder import WitnessFolder as F; keep = F.keep_latest\n"
            "def kept(self, origin, note):\n"
            "    keep(self, origin, note)\n"
            "    if '\\n9\\n' in note: os.kill(os.getpid(), signal.SIGKILL)\n"
            "F.keep_latest = kept\n" + program
        )
    tls = ("--tls-certificate", str(folder / "server.pem"), "--tls-key", str(folder / "server.key"))
    command = [sys.executable, "-c", program, "--home", str(home), "witness", "serve", "--port", str(port), *tls]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
        yield f"https://localhost:{port}", process
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


async def test_a_killed_witness_forgets_nothing_that_it_signed(set_up: Run, tmp_path: Path) -> None:
    """Over real TLS, by the client that the keeper uses; SIGKILL between remembering and signing."""
    tls, home = tmp_path / "tls", tmp_path / "home"
    make_local_authority(tls, ["localhost"], datetime.datetime.now(datetime.UTC))
    trust = ssl.create_default_context(cafile=tls / "ca.pem")
    rule = policy(set_up)

    def hosts(url: str) -> tuple[Submit, Fetch]:
        witnesses = tuple(TrustedWitness(each.name, each.key, url) for each in rule.witnesses)
        allowed = hosts_of(Policy(witnesses=witnesses), "127.0.0.0/8 ::1/128")
        return submit_to(allowed, trust), fetch_from(allowed, trust)

    with serving(home, tls, kills_itself=True) as (url, process):
        submit, _ = hosts(url)
        answer = await submit(f"{url}/add-checkpoint", HONEST.request(0, 7))
        assert rule.judge(with_lines(HONEST.note(7), answer.body.decode())).final
        with pytest.raises(Exception, match="it cannot be reached: the connection failed"):
            await submit(f"{url}/add-checkpoint", HONEST.request(7, 9))
        assert process.wait(PATIENCE_S) == -signal.SIGKILL
    with serving(home, tls) as (url, process):
        submit, fetch = hosts(url)
        behind = await submit(f"{url}/add-checkpoint", HONEST.request(7, 8))
        assert (behind.status, behind.content_type, behind.body) == (409, "text/x.tlog.size", b"9\n")
        forked = await submit(f"{url}/add-checkpoint", Log(fork_at=8).request(9, 9))
        assert (forked.status, forked.body) == (409, b"9\n")
        again = await submit(f"{url}/add-checkpoint", HONEST.request(9, 9))
        assert rule.judge(with_lines(HONEST.note(9), again.body.decode())).final
        keys = [parse_key(line) for line in (await fetch(f"{url}/keys")).decode().splitlines()]
        assert len(open_note(with_lines(HONEST.note(9), again.body.decode()), keys).signatures) == 2
    ran = set_up("witness", "status", "--json")
    assert ran.code == 1  # the fork left its proof
    (found,) = json.loads(ran.out)
    assert (found["entries"], found["split_views"]) == (9, 1)
    (proof,) = home.glob("witness/logs/*/split-views/*.txt")
    assert set_up("witness", "check", str(proof), "--key", str(HONEST.key)).code == 0
    assert set_up("witness", "check", str(proof), "--key", str(Log(keyname="other").key)).code == 1
    assert proof.stat().st_mode & 0o777 == 0o600
