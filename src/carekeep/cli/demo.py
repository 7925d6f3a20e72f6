"""``carekeep demo``: the simulated hospital behind a real server, in one command."""

import asyncio
import base64
import datetime
import os
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import orjson

from carekeep.access import SYSTEM_GRANT, Action
from carekeep.app import System, open_system
from carekeep.cli.console import fail, meter, put, put_table, talk
from carekeep.cli.demo_apps import DemoApp, demo_apps
from carekeep.cli.init import create_unattended, with_port
from carekeep.cli.installation import read_passphrase
from carekeep.cli.loading import Loadable, Loader
from carekeep.cli.operator import record_operation
from carekeep.cli.serve import run_worker
from carekeep.encryption import Secret, new_totp_key, totp_code
from carekeep.identity import Kind
from carekeep.settings import FILE_NAME, Settings, load_settings
from carekeep.simulation import Hospital, Person
from carekeep.storage import system_clock

_SEED = 22
_CAST_FILE = "cast.json"
_TOKENS_FILE = "demo.json"
_SHOWN_SCENES = ("in-care", "not-in-care")
_ENGINE = Person(
    key="engine", kind="app", name="Interface engine", login="engine", title="brings records in from other systems"
)
_TOKEN_LIFETIME_MS = 12 * 3600 * 1000


@click.command()
@click.option(
    "--patients", default=200, show_default=True, type=click.IntRange(1, 1_000_000), help="How many patients."
)
@click.option("--port", default=8443, show_default=True, type=click.IntRange(1, 65535))
@click.option("--database-url", default="", help="postgresql://… ; a SQLite file by default.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("carekeep-demo"),
    show_default=True,
    help="Where the demo lives; loaded once, and found again at the next start.",
)
@click.option("--fresh", is_flag=True, help="Throw the folder away and load the hospital anew.")
@click.option(
    "--state", type=click.Path(path_type=Path, dir_okay=False), help="Write addresses and tokens here, as JSON."
)
@click.option("--code", "login", help="Print the one-time code of this moment for the login of one of the cast.")
def demo(
    patients: int, port: int, database_url: str, folder: Path, fresh: bool, state: Path | None, login: str | None
) -> None:
    """Load a simulated hospital and serve it at https://localhost:8443.

    \b
    Example: carekeep demo --patients 50 --state demo.json
    Example: carekeep demo --code physician
    """
    home = folder.absolute()
    if login is not None:
        put(_code(home, login))
        return
    if fresh and home.exists():
        shutil.rmtree(home)
    if not (home / FILE_NAME).exists():
        create_unattended(with_port(Settings(home, database_url=database_url), port))
    settings = with_port(load_settings(home), port)
    passphrase = read_passphrase(settings)
    if not (home / _CAST_FILE).exists():
        asyncio.run(_fill(settings, passphrase, patients))

    facts = orjson.loads((home / _CAST_FILE).read_bytes())

    async def ready(system: System) -> None:
        accounts = await _tokens_for(system, facts["cast"])
        told = _state(system, accounts, facts["scenes"], await demo_apps(system))
        _write_private(home / _TOKENS_FILE, told)
        if state is not None:
            _write_private(state, told)
        _welcome(told)

    run_worker(settings, passphrase, ready)


async def _fill(settings: Settings, passphrase: Secret, patients: int) -> None:
    """Load the hospital, make an account for everybody in the cast, and write down how to sign in."""
    hospital = Hospital(seed=_SEED, patients=patients, now=datetime.datetime.now(datetime.UTC))
    async with open_system(settings, passphrase) as system:
        loader = Loader(system.services, "demo")
        with meter("Loading the simulated hospital (patients)", patients) as bar:
            await loader.load(_named("directory", hospital.directory()))
            for chart in hospital.people():
                await loader.load(_named(chart.patient_id, chart.resources))
                bar.advance()
        with meter("Integrating the ledger") as bar:
            while count := await system.sequencer.integrate():
                bar.advance(count)
        cast = [await _open_account(system, person) for person in (*hospital.cast(), _ENGINE)]
        loaded = loader.report
    talk.print(f"Loaded {loaded.loaded.total():,} records; {loaded.refused:,} were refused.")
    facts = {"cast": cast, "scenes": [asdict(scene) for scene in hospital.scenes()]}
    _write_private(settings.home / _CAST_FILE, facts)


def _named(where: str, resources: Iterable[Any]) -> Iterator[tuple[str, Loadable]]:
    return ((f"{where}[{number}]", resource) for number, resource in enumerate(resources))


async def _open_account(system: System, person: Person) -> dict[str, Any]:
    """An account for one of the cast, with a password and a code key that are written down for the demo."""
    kind = Kind(person.kind)
    is_app = kind is Kind.APP
    password, key = Secret(f"demo-{secrets.token_urlsafe(9)}"), new_totp_key()
    prepared = await system.services.accounts.prepare_create(
        kind,
        name=person.name,
        login=person.key,  # roles are easier to remember than invented names
        fhir_user=person.fhir_user,
        grants=frozenset({SYSTEM_GRANT}) if person is _ENGINE else frozenset(),
        password=None if is_app else password,
        totp_key=None if is_app else key,
    )
    await record_operation(system.services, Action.ACCOUNT_MANAGE, "account of the demo's cast", prepared)
    return {
        "name": person.name,
        "title": person.title,
        "role": kind.value,
        "login": person.key,
        "fhir_user": person.fhir_user,
        "password": None if is_app else password.reveal().decode(),
        "totp_key": None if is_app else base64.b32encode(key.reveal()).decode(),
    }


async def _tokens_for(system: System, cast: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cast, each with a fresh bearer token."""
    accounts = []
    for member in cast:
        account = await system.services.accounts.find(member["login"])
        if account is None:
            raise LookupError(member["login"])
        issued = system.services.tokens.prepare_issue(account, account.assurance, _TOKEN_LIFETIME_MS)
        reason = f"account {account.id.hex()} was given a token for the demo"
        await record_operation(system.services, Action.SESSION_MANAGE, reason, issued)
        accounts.append({**member, "token": issued.value.secret.reveal().decode()})
    return accounts


def _code(home: Path, login: str) -> str:
    """What the authenticator app of one of the cast would show now."""
    try:
        cast = orjson.loads((home / _CAST_FILE).read_bytes())["cast"]
    except FileNotFoundError:
        fail(f"There is no demo in {home}. Start one with `carekeep demo`, or name its --folder.")
    keys = {member["login"]: member["totp_key"] for member in cast if member["totp_key"]}
    if login not in keys:
        fail(f"Nobody of the demo signs in with this login. There are: {', '.join(keys)}.")
    return totp_code(Secret(base64.b32decode(keys[login])), system_clock())


def _state(
    system: System, accounts: list[dict[str, Any]], scenes: list[dict[str, Any]], apps: tuple[DemoApp, ...]
) -> dict[str, Any]:
    """What an outside harness needs to talk to the demo."""
    settings = system.settings
    return {
        "base_url": settings.base_url,
        "auth_url": settings.sign_in_url,
        "sites": {site.name: site.origin for site in settings.own_sites},
        "fhir_url": settings.fhir_url,
        "ca_certificate": str(settings.certificate.parent / "ca.pem"),
        "ledger_key": str(system.sequencer.key),
        "home": str(settings.home),
        "accounts": accounts,
        "apps": [asdict(app) for app in apps],
        "scenes": scenes,
    }


def _welcome(told: dict[str, Any]) -> None:
    """Who can sign in, and what to try."""
    put(f"\nCarekeep is ready: {told['fhir_url']} (certificate authority: {told['ca_certificate']})\n")
    rows: list[tuple[str, ...]] = [
        (each["login"], each["password"] or "(token only)", each["title"], each["name"]) for each in told["accounts"]
    ]
    put_table(("login", "password", "who", "name"), rows)
    command = Path(sys.executable).with_name("carekeep")
    put(f"\nSign in: {told['auth_url']}/account (the browser must trust the authority above, or be told to go on)")
    put(f"  The code of the moment: {command} demo --folder {told['home']} --code physician")
    put("  Add a passkey there; from then on it is all that you need.")
    put(f"Patients: {told['sites']['portal']}/   Those who work here: {told['sites']['console']}/")
    put("\nFor an app (docs/smart.md), a token by SMART Backend Services, and a request with it:\n")
    put(f"{_by_token(told, command)}\n")
    put(f"Ready tokens for everybody, to try roles quickly, are in {told['home']}/{_TOKENS_FILE}. With two of them:\n")
    for scene in (scene for scene in told["scenes"] if scene["key"] in _SHOWN_SCENES):
        put(f"  # {scene['story']}")
        put(f"  {_curl(told, scene)}\n")
    put("  # What the ledger holds of it, and that nobody changed the past")
    put(f"  {command} --home {told['home']} ledger show --last 5\n  {command} --home {told['home']} ledger verify\n")
    put("Ctrl+C stops it.")


def _by_token(told: dict[str, Any], command: Path) -> str:
    """Two lines for a shell: a token, and a request with it."""
    feed = next(app for app in told["apps"] if app["key_file"] is not None)
    ca, url = told["ca_certificate"], told["fhir_url"]
    return (
        f"  TOKEN=$({command} app token --server {told['base_url']} --ca {ca} --client {feed['client_id']} "
        f"--key {feed['key_file']} --scopes system/Patient.rs)\n"
        f"  curl --cacert {ca} -H \"Authorization: Bearer $TOKEN\" '{url}/Patient?_count=3'"
    )


def _curl(told: dict[str, Any], scene: dict[str, Any]) -> str:
    token = next(each["token"] for each in told["accounts"] if each["login"] == scene["who"]["key"])
    ca, url = told["ca_certificate"], f"{told['fhir_url']}/{scene['reference']}"
    return f"curl --cacert {ca} -H 'Authorization: Bearer {token}' {url}"


def _write_private(path: Path, facts: Any) -> None:
    """JSON that only its owner may read."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
