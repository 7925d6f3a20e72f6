"""``carekeep link``: the side of whoever shares. It encrypts here, and the key goes into the link and nowhere else."""

import base64
import http.client
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import orjson
import segno
from joserfc import jwe
from joserfc.jwk import OctKey

from carekeep.cli.console import fail, json_option, put, put_json, talk
from carekeep.storage import Clock, system_clock

FHIR_JSON = "application/fhir+json"
_PATIENCE_S = 60
_LARGEST_ANSWER = 32 * 1024 * 1024
_HTTPS = 443
_KEY_LENGTH = 32
_DAY_S = 24 * 3600
_ASK, _OK, _CREATED = 428, 200, 201


@dataclass(frozen=True, slots=True)
class Server:
    """Where the records are, and who asks (``token`` "": nobody who is known yet). ``ca``: an own authority (PEM)."""

    url: str
    token: str = field(repr=False)
    ca: str | None = None

    def ask(self, method: str, path: str, facts: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any], str]:
        """One request: status, the JSON of the answer, and the id of its ledger entry. Ends the command on failure."""
        place = urlsplit(self.url)
        if place.scheme != "https" or not place.hostname or place.path not in {"", "/"}:
            fail("The server must be like https://records.example.org.")
        context = ssl.create_default_context(cafile=self.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        connection = http.client.HTTPSConnection(
            place.hostname, place.port or _HTTPS, timeout=_PATIENCE_S, context=context
        )
        headers = {"accept": FHIR_JSON, "content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, path, None if facts is None else orjson.dumps(facts), headers)
            response = connection.getresponse()
            body = response.read(_LARGEST_ANSWER)
            return response.status, orjson.loads(body) if body else {}, response.getheader("x-ledger-entry") or ""
        except (OSError, http.client.HTTPException, ValueError) as error:
            fail(f"{self.url} could not be asked: {type(error).__name__}.")
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be shared, and how. ``passcode`` "" and ``uses`` 0: none.

    ``sensitive``: the categories of specially protected records that go along; without them, they stay behind.
    """

    patient: str
    label: str
    days: int
    long_term: bool = False
    uses: int = 0
    passcode: str = field(default="", repr=False)
    sensitive: tuple[str, ...] = ()


@click.group()
def link() -> None:
    """Share a summary of one's records by a SMART Health Link."""


@link.command()
@click.option("--server", required=True, help="https://… of the records.")
@click.option("--patient", required=True, help="The id of the Patient record.")
@click.option(
    "--token",
    "token_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="A file with the patient's access token.",
)
@click.option("--label", default="Health summary", show_default=True, help="What whoever gets the link reads first.")
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True, help="How long it can be opened.")
@click.option("--uses", type=click.IntRange(0, 1000), default=0, help="How often it can be opened; 0: no bound.")
@click.option("--long-term", is_flag=True, help="The files behind it may be replaced later.")
@click.option("--passcode", is_flag=True, help="Ask for a passcode; whoever opens the link needs it.")
@click.option(
    "--sensitive",
    multiple=True,
    metavar="CATEGORY",
    help="A category of specially protected records that goes along, like substance-use; else all stay behind.",
)
@click.option("--viewer", default="", help="A viewer's URL that ends with #, to go before the link.")
@click.option("--ca", type=click.Path(dir_okay=False, exists=True), help="An own authority (PEM).")
@json_option
def create(  # noqa: PLR0913, PLR0917 - each is an option of the command
    server: str,
    patient: str,
    token_file: Path,
    label: str,
    days: int,
    uses: int,
    long_term: bool,
    passcode: bool,
    sensitive: tuple[str, ...],
    viewer: str,
    ca: str | None,
    as_json: bool,
) -> None:
    """Fetch the patient's summary (IPS), encrypt it here, and print the link that opens it.

    The key is made here and stands in the link only: whoever has the link can read the summary, the server cannot.

    \b
    Example: carekeep link create --server https://records.example.org --patient ada --token ada.token --passcode
    """
    if viewer and not viewer.endswith("#"):
        fail("A viewer's URL ends with #, so that what follows is sent to no server.")
    code = click.prompt("Passcode", hide_input=True, confirmation_prompt=True, err=True) if passcode else ""
    wish = Wish(patient, label, days, long_term, uses, code, sensitive)
    made = share(Server(server.rstrip("/"), token_file.read_text().strip(), ca), wish, _confirmed)
    if as_json:
        put_json({"link": made, "url": f"{viewer}{made}" if viewer else made})
        return
    put(f"{viewer}{made}")
    segno.make(f"{viewer}{made}", error="m", micro=False).terminal(out=None, compact=True)
    talk.print("Whoever has this link can read the summary. Hand it only to whom it is for.")


def share(server: Server, wish: Wish, confirm: Callable[[list[str]], bool], clock: Clock = system_clock) -> str:
    """The summary of a patient behind a link: ``shlink:/…``. Ends the command when the server says no.

    ``confirm`` is asked when the server has questions first.
    """
    categories = ",".join(wish.sensitive) or "none"
    status, summary, entry = server.ask("GET", f"/fhir/Patient/{wish.patient}/$summary?sensitive={categories}")
    if status != _OK:
        fail(f"The summary could not be read: {status} {told(summary)}")
    key = os.urandom(_KEY_LENGTH)
    facts: dict[str, Any] = {
        "patient": wish.patient,
        "label": wish.label,
        "flag": ("L" if wish.long_term else "") + ("P" if wish.passcode else ""),
        "exp": clock() // 1000 + wish.days * _DAY_S,
        "files": [{"content_type": FHIR_JSON, "jwe": encrypted(orjson.dumps(summary), key)}],
        "made_from": entry,
    }
    facts |= {name: value for name, value in (("passcode", wish.passcode), ("uses", wish.uses)) if value}
    status, answer, _ = server.ask("POST", "/links", facts)
    if status == _ASK:
        if not confirm([question["text"] for question in answer["questions"]]):
            fail("Nothing was shared.")
        status, answer, _ = server.ask("POST", "/links", {**facts, "confirmation": answer["confirmation"]})
    if status != _CREATED:
        fail(f"The server answered {status}: {told(answer)}")
    return payload(answer, key)


def encrypted(content: bytes, key: bytes) -> str:
    """A file of a SMART Health Link: a compact JWE (dir, A256GCM), compressed, with a new initialization vector."""
    header = {"alg": "dir", "enc": "A256GCM", "zip": "DEF", "cty": FHIR_JSON}
    return jwe.encrypt_compact(header, content, OctKey.import_key(key))


def payload(facts: Mapping[str, Any], key: bytes) -> str:
    """The link itself (1.0.0, link payload)."""
    facts_told = {"url": facts["url"], "key": _text(key), "exp": facts["exp"], "label": facts["label"]}
    if facts["flag"]:
        facts_told["flag"] = facts["flag"]
    return "shlink:/" + _text(orjson.dumps(facts_told))


def _confirmed(texts: list[str]) -> bool:
    for text in texts:
        talk.print(text)
    return click.confirm("Share it all the same?", err=True)


def told(answer: Mapping[str, Any]) -> str:
    """What an OperationOutcome says."""
    issues = answer.get("issue", [])
    return " ".join(str(issue.get("diagnostics", "")) for issue in issues if isinstance(issue, dict))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
