"""``carekeep witness``: a witness for the logs of others. It needs no installation of Carekeep, only a folder."""

import asyncio
import os
import signal
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path

import click
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.server.embed import Server

from carekeep.audit import NoteRefused, ProofRefused
from carekeep.audit.checkpoint import parse_checkpoint
from carekeep.audit.note import parse_note
from carekeep.audit.witnessing import (
    PolicyRefused,
    SplitView,
    Witness,
    WitnessBroken,
    WitnessFolder,
    hash_of,
    parse_key,
)
from carekeep.audit.witnessing.folder import SEED_SIZE
from carekeep.cli.console import fail, json_option, put, put_json, put_table, talk
from carekeep.cli.log_lines import log_to_stderr
from carekeep.storage import system_clock
from carekeep.web.exchange.witness import WitnessApplication

_LARGEST_EVIDENCE = 1 << 20


@click.group()
def witness() -> None:
    """Be a witness for the logs of others: say that they only grew, and keep proof when one did not."""


@witness.command()
@click.option("--name", required=True, help="Your name on cosignatures: a host and path of yours, without https://.")
@click.pass_obj
def init(home: Path, name: str) -> None:
    """Make the witness's folder (in the home folder) and its keys, Ed25519 and ML-DSA-44.

    \b
    Example: carekeep --home /var/lib/witness witness init --name witness.north.example/w1
    """
    folder = _folder(home)
    try:
        folder.create(name, (os.urandom(SEED_SIZE), os.urandom(SEED_SIZE)))
    except FileExistsError:
        fail(f"{folder.path} already holds a witness; nothing was changed.")
    except NoteRefused as refused:
        fail(f"This name cannot be used: {refused}.")
    put(f"The witness {name} is set up in {folder.path}.")
    talk.print(
        "Its keys cannot be replaced: keep a copy of witness.key, and never put the folder back to an old state."
    )
    talk.print("Next: carekeep witness add-log, then carekeep witness serve.")


@witness.command("add-log")
@click.argument("key")
@click.option("--url", default="", help="Where the log is published; a note for people.")
@click.pass_obj
def add_log(home: Path, key: str, url: str) -> None:
    """Witness a log from now on, by its public key (`carekeep ledger key`). A log may have several keys.

    \b
    Example: carekeep witness add-log "records.example.org/carekeep+0a1b2c3d+AX…"
    """
    try:
        parsed = parse_key(key.strip())
        _folder(home).add_log(parsed, url)
    except (NoteRefused, PolicyRefused) as refused:
        fail(f"The key cannot be added: {refused}.")
    except WitnessBroken as broken:
        fail(str(broken))
    put(f"{parsed.name} is witnessed.")


@witness.command()
@click.option("--url", default="", help="Where the witness answers; for the lines of policies.")
@click.pass_obj
def keys(home: Path, url: str) -> None:
    """Print this witness as lines of a policy (C2SP tlog-policy). Give them to the logs, and to whoever checks.

    \b
    Example: carekeep witness keys --url https://witness.north.example
    """
    try:
        classic, post_quantum = _folder(home).cosigners()
    except WitnessBroken as broken:
        fail(str(broken))
    put(f"witness {classic.name} {classic.key} {url}".rstrip())
    put(f"witness {post_quantum.name}/ml-dsa-44 {post_quantum.key} {url}".rstrip())


@dataclass(frozen=True, slots=True)
class _Witnessed:
    """A log and how far it was cosigned; ``split_views``: proofs that it showed two pasts."""

    log: str
    entries: int
    hash: str
    split_views: int


@witness.command()
@json_option
@click.pass_obj
def status(home: Path, as_json: bool) -> None:
    """Which logs are witnessed, how far, and whether one showed two pasts. Exit code 1 if one did.

    \b
    Example: carekeep witness status
    """
    folder = _folder(home)
    try:
        folder.cosigners()
        origins = dict.fromkeys(log.key.name for log in folder.logs())
        found = [_witnessed(folder, origin) for origin in origins]
    except (WitnessBroken, NoteRefused) as broken:
        fail(str(broken))
    if as_json:
        put_json([asdict(each) for each in found])
    elif found:
        rows: list[tuple[str, ...]] = [(each.log, f"{each.entries:,}", str(each.split_views)) for each in found]
        put_table(("log", "entries", "split views"), rows)
    else:
        put("No log is witnessed yet.")
    if not as_json:
        for path in folder.split_views():
            put(f"Proof: {path}")
    if any(each.split_views for each in found):
        raise SystemExit(1)


def _witnessed(folder: WitnessFolder, origin: str) -> _Witnessed:
    latest = folder.latest(origin)
    entries = 0 if latest is None else parse_checkpoint(parse_note(latest).text).size
    views = [path for path in folder.split_views() if path.parent.parent.name == hash_of(origin)]
    return _Witnessed(origin, entries, hash_of(origin), len(views))


@witness.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--key", multiple=True, help="The log's key, as you know it. Without it, the one in the file is used.")
def check(file: Path, key: tuple[str, ...]) -> None:
    """Check a proof that a log showed two pasts. Exit code 1 if it proves nothing.

    \b
    Example: carekeep witness check split-view.txt --key "$(cat ledger.key)"
    """
    try:
        with file.open(encoding="utf-8") as opened:
            evidence = SplitView.parse(opened.read(_LARGEST_EVIDENCE))
        evidence.check([parse_key(each.strip()) for each in key])
    except (NoteRefused, ProofRefused, UnicodeDecodeError) as refused:
        put(f"This proves nothing: {refused}.")
        raise SystemExit(1) from None
    first, second = evidence.checkpoints
    put(f"{evidence.origin} signed two pasts: over {first.size:,} and over {second.size:,} entries.")
    for each in evidence.keys:
        put(f"Signed by {each}")


@witness.command()
@click.option("--bind", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8444, show_default=True, type=click.IntRange(1, 65535))
@click.option("--tls-certificate", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="PEM, the chain.")
@click.option("--tls-key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="PEM.")
@click.pass_obj
def serve(home: Path, bind: str, port: int, tls_certificate: Path | None, tls_key: Path | None) -> None:
    """Answer logs that ask for cosignatures, until it is told to stop (Ctrl+C or SIGTERM).

    Without a certificate it speaks plain HTTP, to this machine only: put a front with TLS before it.

    \b
    Example: carekeep witness serve --bind 0.0.0.0 --tls-certificate w.pem --tls-key w.key
    """
    folder = _folder(home)
    try:
        name = folder.cosigners()[0].name
        folder.logs()
    except WitnessBroken as broken:
        fail(str(broken))
    if (tls_certificate is None) != (tls_key is None):
        fail("--tls-certificate and --tls-key go together.")
    if tls_certificate is None and not ip_address(bind).is_loopback:
        fail(
            "Without a certificate the witness listens on this machine only: set --bind 127.0.0.1, or give both files."
        )
    log_to_stderr()
    talk.print(f"The witness {name} answers at port {port}.")
    server = Server(
        WitnessApplication(Witness(folder, system_clock)),
        address=bind,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.auto,
        websockets=False,
        backlog=256,
        backpressure=256,
        log_enabled=False,
        ssl_cert=tls_certificate,
        ssl_key=tls_key,
        ssl_protocol_min=SSLProtocols.tls13,
    )
    asyncio.run(_until_stopped(server))


async def _until_stopped(server: Server) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server.serve()


def _folder(home: Path) -> WitnessFolder:
    return WitnessFolder(home / "witness")
