"""Accounts: found by login and id, changed one at a time, and secret in the database."""

import hashlib
import json
from dataclasses import replace

import pytest

from carekeep.encryption import Secret, Tampered, associated_data, totp_counter, verify_password
from carekeep.identity import Account, AccountInvalid, Kind, PasswordRefused, SignInRefused
from carekeep.identity.account import open_account, seal_account
from carekeep.storage import Change, Conflict, Insert
from tests.identity.people import PASSWORD, TOTP_KEY, Office


async def test_an_account_is_found_again(office: Office) -> None:
    made = await office.practitioner(totp=True)
    assert await office.accounts.find("amelie") == made
    assert await office.accounts.get(made.id) == made
    assert [account async for account in office.accounts.all()] == [made]
    assert (made.revision, made.created_ms, made.assurance) == (1, office.now, 2)
    assert await office.accounts.find("nobody") is None
    assert await office.accounts.get(bytes(16)) is None


@pytest.mark.parametrize("written", ["AMELIE", "Amelie", "\uff41melie"])
async def test_a_login_is_the_same_in_other_letters(office: Office, written: str) -> None:
    made = await office.practitioner()
    assert await office.accounts.find(written) == made
    with pytest.raises(Conflict):
        await office.practitioner(written)


async def test_an_app_has_grants_and_no_password(office: Office) -> None:
    app = await office.app()
    assert await office.accounts.find("lab-import") == app
    assert app.grants == {"system"}
    with pytest.raises(AccountInvalid, match="given tokens"):
        await office.accounts.prepare_password(app, PASSWORD)


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        (Kind.PATIENT, {"fhir_user": None}, "fhir_user"),
        (Kind.PATIENT, {"fhir_user": "Practitioner/1"}, "fhir_user"),
        (Kind.PRACTITIONER, {"fhir_user": "RelatedPerson/1"}, "fhir_user"),
        (Kind.PRACTITIONER, {"fhir_user": "Practitioner/1/2"}, "fhir_user"),
        (Kind.PRACTITIONER, {"fhir_user": "Practitioner/1\n"}, "fhir_user"),
        (Kind.AUDITOR, {"fhir_user": "Patient/1"}, "fhir_user"),
        (Kind.APP, {"fhir_user": "Practitioner/1"}, "fhir_user"),
        (Kind.AUDITOR, {"login": ""}, "login"),
        (Kind.AUDITOR, {"login": "x" * 129}, "login"),
        (Kind.AUDITOR, {"login": "a\x00b"}, "login"),
        (Kind.AUDITOR, {"login": " a"}, "login"),
        (Kind.AUDITOR, {"login": "\ud800"}, "login"),
        (Kind.AUDITOR, {"name": "two\nlines"}, "name"),
        (Kind.AUDITOR, {"name": "x" * 201}, "name"),
        (Kind.AUDITOR, {"grants": frozenset({"system"})}, "grants"),
        (Kind.APP, {"grants": frozenset({"System!"})}, "grants"),
        (Kind.APP, {"password": PASSWORD}, "password"),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_an_account_that_cannot_be(office: Office, kind: Kind, fields: dict[str, object], field: str) -> None:
    given = {"name": "Name", "login": "login", **fields}
    with pytest.raises(AccountInvalid) as refused:
        await office.accounts.prepare_create(kind, **given)  # type: ignore[arg-type]
    assert refused.value.field == field


async def test_a_change_is_made_once(office: Office) -> None:
    made = await office.practitioner()
    first = office.accounts.prepare_change(replace(made, login="amy"))
    second = office.accounts.prepare_change(replace(made, name="Other"))
    await office.database.commit(first.steps)
    with pytest.raises(Conflict):
        await office.database.commit(second.steps)
    assert await office.accounts.find("amelie") is None
    assert await office.accounts.find("amy") == first.value == replace(made, login="amy", revision=2)
    assert await office.database.fetch("SELECT topic, n FROM generation") == [("accounts", 1)]


async def test_a_login_that_is_taken_is_not_given_twice(office: Office) -> None:
    await office.practitioner("amelie")
    other = await office.practitioner("bruno")
    with pytest.raises(Conflict):
        await office.database.commit(office.accounts.prepare_change(replace(other, login="Amelie")).steps)


async def test_a_new_password(office: Office) -> None:
    made = await office.practitioner()
    with pytest.raises(PasswordRefused, match="at least 15"):
        await office.accounts.prepare_password(made, Secret("swans"))
    prepared = await office.accounts.prepare_password(made, Secret("eighteen swans swim"))
    await office.database.commit(prepared.steps)
    kept = await office.accounts.get(made.id)
    assert kept is not None
    assert kept.credentials.password_hash is not None
    assert verify_password(Secret("eighteen swans swim"), kept.credentials.password_hash)
    assert not verify_password(PASSWORD, kept.credentials.password_hash)


async def test_a_one_time_code_is_added(office: Office) -> None:
    made = await office.practitioner()
    assert (made.has_totp, made.assurance) == (False, 1)
    await office.database.commit(office.accounts.prepare_totp(made, TOTP_KEY).steps)
    kept = await office.accounts.get(made.id)
    assert kept is not None
    assert (kept.has_totp, kept.credentials.totp_key) == (True, TOTP_KEY)


async def test_pins_are_digests_of_the_rows(office: Office) -> None:
    created = await office.accounts.prepare_create(Kind.AUDITOR, name="Name", login="x")
    changed = office.accounts.prepare_change(replace(created.value, name="Other"))
    for prepared in (created, changed):
        await office.database.commit(prepared.steps)
        [pin] = prepared.pins
        rows = [(key, hashlib.sha256(sealed).digest()) async for key, sealed in office.accounts.pinned_rows()]
        assert (pin.table, [(pin.key, pin.digest)]) == ("account", rows)


async def test_nothing_stands_in_the_open(office: Office) -> None:
    made = await office.practitioner(totp=True)
    [row] = await office.database.fetch("SELECT * FROM account")
    kept = repr(row).lower() + b"".join(value for value in row if isinstance(value, bytes)).decode("latin-1").lower()
    for mark in ("amelie", "marked", "p-1", "practitioner", "argon2", "swans", "123456"):
        assert mark not in kept
    for mark in ("amelie", "Marked", "p-1", "argon2", "swans", "123456"):
        assert mark not in f"{made!r} {made}"


async def findings(office: Office) -> list[str]:
    return [finding.where async for finding in office.accounts.verify()]


async def test_verify_finds_nothing_in_what_is_as_it_was_written(office: Office) -> None:
    await office.disable(await office.practitioner())
    await office.app()
    assert await findings(office) == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE account SET revision = 2 WHERE login_tag = $1",
        "UPDATE account SET sealed = (SELECT sealed FROM account WHERE login_tag <> $1) WHERE login_tag = $1",
        "UPDATE account SET login_tag = sealed WHERE login_tag = $1",
    ],
)
async def test_verify_names_a_row_that_was_changed(office: Office, sql: str) -> None:
    made = await office.practitioner()
    await office.app()
    tag = office.keyring.index.digest("login", "amelie")
    await office.database.commit([Change(sql, ((tag,),), expect=1)])
    assert await findings(office) == [f"account/{made.id.hex()}"]
    with pytest.raises(Tampered):
        await office.accounts.get(made.id)


async def test_verify_names_a_row_under_another_login(office: Office) -> None:
    """Somebody who has the keys, and files an account where another person's sign-in would find it."""
    account = Account(bytes(16), Kind.AUDITOR, "Name", "real", 0)
    tag = office.keyring.index.digest("login", "forged")
    row = (account.id, tag, 1, seal_account(account, tag, office.keyring.rows))
    await office.database.commit([Insert("account", ("id", "login_tag", "revision", "sealed"), (row,))])
    assert await findings(office) == [f"account/{account.id.hex()}"]


async def test_an_external_id(office: Office) -> None:
    prepared = await office.accounts.prepare_create(Kind.AUDITOR, name="Name", login="x", external_id="00u1-Ab")
    await office.database.commit(prepared.steps)
    kept = await office.accounts.get(prepared.value.id)
    assert kept is not None
    assert kept.external_id == "00u1-Ab"
    assert "00u1" not in repr(kept)
    for wrong in ("", " x", "x" * 257, "a\nb"):
        with pytest.raises(AccountInvalid) as refused:
            replace(kept, external_id=wrong)
        assert refused.value.field == "external_id"


async def test_a_password_that_leans_on_codes_keeps_them(office: Office) -> None:
    made = await office.practitioner(totp=True)
    short = await office.accounts.prepare_password(made, Secret("kq7wzp3x"))
    await office.database.commit(short.steps)
    assert short.value.has_password_way
    with pytest.raises(AccountInvalid, match="long enough"):
        office.accounts.prepare_without_totp(short.value)
    long = await office.accounts.prepare_password(short.value, Secret("eighteen swans swim"))
    await office.database.commit(long.steps)
    bare = office.accounts.prepare_without_totp(long.value)
    await office.database.commit(bare.steps)
    kept = await office.accounts.get(made.id)
    assert kept is not None
    assert (kept, kept.has_totp, kept.has_password_way) == (bare.value, False, True)


async def test_the_code_that_showed_the_key_is_not_good_again(office: Office) -> None:
    made = await office.practitioner()
    counter = totp_counter(TOTP_KEY, office.code(), office.now, 0)
    assert counter is not None
    await office.database.commit(office.accounts.prepare_totp(made, TOTP_KEY, counter).steps)
    with pytest.raises(SignInRefused):
        await office.sign_in.verify("amelie", PASSWORD, office.code())


@pytest.mark.parametrize(("totp_key", "alone"), [(None, True), ("MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", False)])
async def test_a_row_from_before_says_what_it_meant(office: Office, totp_key: str | None, *, alone: bool) -> None:
    content: dict[str, object] = {
        "kind": "auditor",
        "name": "Name",
        "login": "old",
        "fhir_user": None,
        "created_ms": 0,
        "grants": [],
        "disabled": False,
        "password_hash": "$argon2id$",
        "totp_key": totp_key,
        "totp_counter": 0,
    }
    cipher = office.keyring.rows
    sealed = cipher.seal(json.dumps(content).encode(), associated_data("account", bytes(16), bytes(16), 1))
    account = open_account((bytes(16), bytes(16), 1, sealed), cipher)
    assert account.credentials.password_stands_alone is alone
    assert (account.credentials.recovery_codes, account.external_id) == ((), None)
    assert account.has_password_way
