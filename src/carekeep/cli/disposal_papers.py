"""``carekeep disposal certificate`` and ``check``: the papers of a disposal, and what an outsider checks of them."""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import click
import orjson

from carekeep.access import Action
from carekeep.app import System
from carekeep.audit import NoteRefused, NotInLog, ProofRefused, VerifierKey, prove, verify_proof
from carekeep.audit.pinning_entry import entry_of_pin
from carekeep.audit.statement import make_statement, open_statement
from carekeep.cli.console import fail, put
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.records.disposal import Disposal, State, in_words

_LARGEST_FILE = 1024 * 1024
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@dataclass(frozen=True, slots=True)
class _Papers:
    """The certificate (for machines and for people), and what shows that the ledger backs it."""

    certificate: str
    words: str
    statement: str = ""
    proof: str = ""


@click.command()
@click.argument("disposal_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the certificate as it is kept, for machines.")
@click.option(
    "--proof",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the certificate into this folder, with a proof of its ledger entry and a signed statement on it.",
)
@click.pass_obj
def certificate(home: Path, disposal_id: str, as_json: bool, folder: Path | None) -> None:
    """Print the certificate of a disposal. It holds no health data.

    \b
    Example: carekeep disposal certificate 0f31… --proof papers
    """

    async def work(system: System) -> _Papers:
        disposal = await _disposed(system, disposal_id)
        epoch = int(orjson.loads(disposal.certificate)["epoch"])
        words = in_words(disposal.certificate, epoch_ended=system.keyring.has_ended(epoch))
        statement, proof = ("", "") if folder is None else await _proof(system, disposal)
        told = f"the certificate of disposal {disposal_id} was given out"
        await record_operation(system.services, Action.DISPOSAL_MANAGE, told)
        return _Papers(disposal.certificate, words, statement, proof)

    papers = with_system(home, work)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"disposal-{disposal_id}"
        for ending, text in (
            ("json", papers.certificate),
            ("txt", papers.words),
            ("statement", papers.statement),
            ("tlog-proof", papers.proof),
        ):
            (folder / f"{name}.{ending}").write_text(text, encoding="utf-8")
    click.echo(papers.certificate if as_json else papers.words, nl=False)


@click.command()
@click.argument("certificate_file", metavar="CERTIFICATE", type=_FILE)
@click.option("--key", required=True, help="The log's public key, as `carekeep ledger key` prints it.")
def check(certificate_file: Path, key: str) -> None:
    """Check CERTIFICATE (the .json that `certificate --proof` wrote, with its .statement and .tlog-proof beside it).

    Needs no installation: the certificate is the one of which the log says that its entry speaks, and that entry is in
    the log. What the sealed entry says stays the log's word, which it has signed.

    \b
    Example: carekeep disposal check papers/disposal-0f31….json --key "example.org/log+1234+AQ…"
    """
    try:
        known = VerifierKey.parse(key)
        statement = open_statement(_text(certificate_file.with_suffix(".statement")), known)
        proven = verify_proof(_text(certificate_file.with_suffix(".tlog-proof")), known)
    except (NoteRefused, ProofRefused) as refused:
        _no(str(refused))
    if hashlib.sha256(certificate_file.read_bytes()).hexdigest() != statement.document:
        _no("The certificate is not the one that the statement speaks of: it was changed.")
    if not statement.fits(proven):
        _no("The proof is of another entry than the statement speaks of.")
    put(f"The log signed that its entry {proven.index} ({statement.entry_id.hex()}) speaks of this certificate,")
    put(f"and the entry is in the log of {proven.checkpoint.size:,} entries.")


def _no(text: str) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(1)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_FILE).decode()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path} cannot be read ({type(error).__name__}).")


async def _disposed(system: System, text: str) -> Disposal:
    try:
        found = await system.services.disposals.get(bytes.fromhex(text))
    except ValueError:
        found = None
    if found is None or found.state is not State.DISPOSED:
        fail("There is no certificate with this id: nothing of the kind was disposed of.")
    return found


async def _proof(system: System, disposal: Disposal) -> tuple[str, str]:
    """The signed statement, and the proof of the entry that pins the certificate."""
    while await system.sequencer.integrate():
        pass  # entries that wait, in case no server runs that does it
    pin = await system.services.disposals.pin_of(disposal)
    ledger = system.services.ledger
    entry_id = await entry_of_pin(system.database, ledger, pin, disposal.decided_ms)
    sealed = None if entry_id is None else await ledger.find(entry_id)
    if entry_id is None or sealed is None:
        fail("Its entry is not in the log yet, or is not found there. Is the server running? Try again in a second.")
    try:
        proof = await prove(system.database, entry_id)
    except NotInLog as error:
        fail(str(error))
    origin, key = system.settings.ledger_origin, system.keyring.checkpoint_key
    return make_statement(disposal.certificate_digest, entry_id, sealed.leaf, origin, key), proof
