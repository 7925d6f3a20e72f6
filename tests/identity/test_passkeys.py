"""Passkeys: the right one signs in, once; and what an attacker holds instead of it does not."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from carekeep.encryption import Tampered
from carekeep.identity import (
    Account,
    AccountInvalid,
    Kind,
    Passkey,
    PasskeyCannotGo,
    PasskeyRefused,
    SignedIn,
    SignInRefused,
)
from carekeep.storage import Change, Conflict
from tests.identity.authenticator import Authenticator, unb64
from tests.identity.people import ORIGIN, PASSWORD, RP_ID, Office

MINUTE_MS = 60_000


async def enrol(office: Office, account: Account, device: Authenticator, name: str = "My key") -> Passkey:
    asked = await office.passkeys.begin_registration(account)
    answer = device.create(asked.options)
    prepared = await office.passkeys.prepare_registration(account, asked.state.reveal_text(), answer, name)
    await office.database.commit(prepared.steps)
    return prepared.value


async def sign_in(office: Office, device: Authenticator) -> SignedIn:
    asked = await office.passkeys.begin_sign_in()
    prepared = await office.passkeys.prepare_sign_in(asked.state.reveal_text(), device.get(asked.options))
    await office.database.commit(prepared.steps)
    return prepared.value


async def refusal(office: Office, state: str, answer: bytes, account: Account | None = None) -> str:
    with pytest.raises(PasskeyRefused, match=r"^The passkey was not accepted\.$") as refused:
        await office.passkeys.prepare_sign_in(state, answer, account)
    return refused.value.reason


async def nobody(office: Office, login: str = "nils") -> Account:
    """Somebody without a password."""
    prepared = await office.accounts.prepare_create(
        Kind.PRACTITIONER, name="Nils", login=login, fhir_user="Practitioner/p-2"
    )
    await office.database.commit(prepared.steps)
    return prepared.value


async def test_what_the_browser_is_asked(office: Office) -> None:
    made = await office.practitioner()
    first = Authenticator()
    await enrol(office, made, first)
    asked = json.loads((await office.passkeys.begin_registration(made)).options)
    assert asked["rp"] == {"id": RP_ID, "name": "Carekeep"}
    assert (unb64(asked["user"]["id"]), asked["user"]["name"]) == (made.id, "amelie")
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert asked["attestation"] == "none"
    assert [unb64(each["id"]) for each in asked["excludeCredentials"]] == [first.credential_id]
    anybody = json.loads((await office.passkeys.begin_sign_in()).options)
    assert (anybody["userVerification"], anybody["allowCredentials"], anybody["rpId"]) == ("required", [], RP_ID)
    assert len(unb64(anybody["challenge"])) == 32
    known = json.loads((await office.passkeys.begin_sign_in(made)).options)
    assert [(unb64(each["id"]), each["transports"]) for each in known["allowCredentials"]] == [
        (first.credential_id, ["internal", "hybrid"])
    ]


@pytest.mark.parametrize(
    ("syncs", "assurance", "methods"), [(False, 3, ("hwk", "user", "mfa")), (True, 2, ("swk", "user", "mfa"))]
)
async def test_signing_in_without_login_or_password(
    office: Office, *, syncs: bool, assurance: int, methods: tuple[str, ...]
) -> None:
    made, device = await nobody(office), Authenticator(syncs=syncs)
    passkey = await enrol(office, made, device)
    assert (passkey.syncs, passkey.backed_up, passkey.last_used_ms, passkey.name) == (syncs, syncs, None, "My key")
    office.now += MINUTE_MS
    signed_in = await sign_in(office, device)
    assert signed_in == SignedIn(made, assurance, methods, passkey=passkey.id.hex())
    [kept] = await office.passkeys.of_account(made.id)
    assert (kept.last_used_ms, kept.sign_count, kept.revision) == (office.now, 1, 2)
    await sign_in(office, device)


async def test_an_authenticator_that_does_not_count(office: Office) -> None:
    device = Authenticator(counts=False)
    await enrol(office, await office.practitioner(), device)
    for _ in range(2):
        await sign_in(office, device)


async def test_a_replayed_assertion(office: Office) -> None:
    device = Authenticator(counts=False)
    await enrol(office, await office.practitioner(), device)
    asked = await office.passkeys.begin_sign_in()
    state, answer = asked.state.reveal_text(), device.get(asked.options)
    first = await office.passkeys.prepare_sign_in(state, answer)
    twin = await office.passkeys.prepare_sign_in(state, answer)  # before the first one is committed
    await office.database.commit(first.steps)
    with pytest.raises(Conflict):
        await office.database.commit(twin.steps)
    assert await refusal(office, state, answer) == "passkey: the question was answered already"


async def test_two_answers_at_once_to_one_question(office: Office) -> None:
    """By two passkeys, so that only the question itself is in common."""
    made, one, two = await office.practitioner(), Authenticator(), Authenticator()
    await enrol(office, made, one)
    await enrol(office, made, two)
    asked = await office.passkeys.begin_sign_in()
    state = asked.state.reveal_text()
    first, second = [await office.passkeys.prepare_sign_in(state, device.get(asked.options)) for device in (one, two)]
    await office.database.commit(first.steps)
    with pytest.raises(Conflict):
        await office.database.commit(second.steps)


def cloned(device: Authenticator) -> None:
    device.count = 0


def asked_elsewhere(device: Authenticator) -> None:
    device.origin = "https://auth.records.example.net:8443"


def on_another_port(device: Authenticator) -> None:
    device.origin = ORIGIN.removesuffix(":8443")


def for_another_party(device: Authenticator) -> None:
    device.rp_id = "records.example.org"


def without_verification(device: Authenticator) -> None:
    device.uv = False


def in_a_frame(device: Authenticator) -> None:
    device.cross_origin = True


def with_another_key(device: Authenticator) -> None:
    device.key = Authenticator().key


def with_backup(device: Authenticator) -> None:
    device.syncs = True


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (cloned, "its counter went backwards, so there may be a copy of it"),
        (asked_elsewhere, "origin"),
        (on_another_port, "origin"),
        (for_another_party, "RP ID"),
        (without_verification, "not verified"),
        (in_a_frame, "a frame in another origin's page"),
        (with_another_key, "signature"),
        (with_backup, "it says something else of its backup"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_an_assertion_that_is_not_right(
    office: Office, spoil: Callable[[Authenticator], None], reason: str
) -> None:
    device = Authenticator()
    made = await office.practitioner()
    await enrol(office, made, device)
    await sign_in(office, device)
    spoil(device)
    asked = await office.passkeys.begin_sign_in()
    with pytest.raises(PasskeyRefused) as refused:
        await office.passkeys.prepare_sign_in(asked.state.reveal_text(), device.get(asked.options))
    assert reason in refused.value.reason
    assert refused.value.account_id == made.id.hex()


async def test_a_forged_counter_does_not_cry_wolf(office: Office) -> None:
    """Whoever knows a credential id, and has no key, cannot have the owner taken for one with a copied key."""
    device = Authenticator()
    await enrol(office, await office.practitioner(), device)
    await sign_in(office, device)
    device.count, device.key = 0, Authenticator().key
    asked = await office.passkeys.begin_sign_in()
    assert "signature" in await refusal(office, asked.state.reveal_text(), device.get(asked.options))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (asked_elsewhere, "origin"),
        (for_another_party, "RP ID"),
        (without_verification, "not verified"),
        (in_a_frame, "a frame in another origin's page"),
        (lambda device: setattr(device, "fmt", "tpm"), "an attestation that was not asked for"),
    ],
    ids=["origin", "party", "verification", "frame", "attestation"],
)
async def test_a_registration_that_is_not_right(
    office: Office, spoil: Callable[[Authenticator], None], reason: str
) -> None:
    device, made = Authenticator(), await office.practitioner()
    spoil(device)
    with pytest.raises(PasskeyRefused) as refused:
        await enrol(office, made, device)
    assert reason in refused.value.reason
    assert await office.passkeys.of_account(made.id) == ()


async def test_a_challenge_is_for_one_browser_and_five_minutes(office: Office) -> None:
    made, device = await office.practitioner(), Authenticator()
    await enrol(office, made, device)
    mine, theirs = await office.passkeys.begin_sign_in(), await office.passkeys.begin_sign_in()
    answer = device.get(mine.options)
    assert "challenge was not expected" in await refusal(office, theirs.state.reveal_text(), answer)
    for forged in ("", "x" * 2000, "é", mine.state.reveal_text()[:-1] + "x", theirs.state.reveal_text()[::-1]):
        assert await refusal(office, forged, answer) == "passkey: this browser was not asked for one"
    registration = await office.passkeys.begin_registration(made)
    assert "asked for something else" in await refusal(office, registration.state.reveal_text(), answer)
    office.now += 5 * MINUTE_MS
    assert await refusal(office, mine.state.reveal_text(), answer) == "passkey: the answer came too late"


async def test_a_registration_is_for_the_account_that_was_asked(office: Office) -> None:
    """Session fixation the other way: an attacker's passkey on the victim's account."""
    victim, attacker = await office.practitioner(), await office.practitioner("bruno")
    asked = await office.passkeys.begin_registration(attacker)
    answer = Authenticator().create(asked.options)
    with pytest.raises(PasskeyRefused):
        await office.passkeys.prepare_registration(victim, asked.state.reveal_text(), answer, "key")


async def test_stepping_up_is_for_the_one_who_is_signed_in(office: Office) -> None:
    made, other = await office.practitioner(), await office.practitioner("bruno")
    mine, theirs = Authenticator(), Authenticator()
    await enrol(office, made, mine)
    await enrol(office, other, theirs)
    asked = await office.passkeys.begin_sign_in(made)
    state = asked.state.reveal_text()
    assert "of another account" in await refusal(office, state, theirs.get(asked.options), made)
    assert "asked for something else" in await refusal(office, state, theirs.get(asked.options), other)
    assert "asked for something else" in await refusal(office, state, theirs.get(asked.options))
    done = await office.passkeys.prepare_sign_in(state, mine.get(asked.options), made)
    assert done.value.account == made


async def test_a_passkey_answers_for_its_own_user(office: Office) -> None:
    made, other, device = await office.practitioner(), await office.practitioner("bruno"), Authenticator()
    await enrol(office, made, device)
    asked = await office.passkeys.begin_sign_in()
    answer = device.get(asked.options, other.id)
    assert "another user" in await refusal(office, asked.state.reveal_text(), answer)


async def test_unknown_and_disabled(office: Office) -> None:
    made, device = await office.practitioner(), Authenticator()
    await enrol(office, made, device)
    asked = await office.passkeys.begin_sign_in()
    stranger = Authenticator(user=made.id).get(asked.options)
    assert await refusal(office, asked.state.reveal_text(), stranger) == "passkey: nobody has it"
    await office.disable(made)
    answer = device.get(asked.options)
    assert await refusal(office, asked.state.reveal_text(), answer) == "the account is disabled"


@pytest.mark.parametrize(
    "answer",
    [b"", b"null", b"[]", b"{", b"\xff", b'{"id": 1}', b"[" * 10_000, b'{"id":"a","rawId":"a"}', b" " * 20_000],
    ids=lambda answer: repr(answer[:20]),
)
async def test_nonsense(office: Office, answer: bytes) -> None:
    made = await office.practitioner()
    asked = await office.passkeys.begin_sign_in()
    await refusal(office, asked.state.reveal_text(), answer)
    asked = await office.passkeys.begin_registration(made)
    with pytest.raises(PasskeyRefused):
        await office.passkeys.prepare_registration(made, asked.state.reveal_text(), answer, "key")


async def test_a_passkey_is_registered_once(office: Office) -> None:
    made, other, device = await office.practitioner(), await office.practitioner("bruno"), Authenticator()
    await enrol(office, made, device)
    with pytest.raises(Conflict):
        await enrol(office, other, device)
    asked = await office.passkeys.begin_registration(made)
    answer = Authenticator().create(asked.options)
    first, twin = [
        await office.passkeys.prepare_registration(made, asked.state.reveal_text(), answer, "key") for _ in range(2)
    ]
    await office.database.commit(first.steps)
    with pytest.raises(Conflict):
        await office.database.commit(twin.steps)


async def test_a_question_for_a_new_passkey_is_answered_once(office: Office) -> None:
    made = await office.practitioner()
    asked = await office.passkeys.begin_registration(made)
    state = asked.state.reveal_text()
    answers = [Authenticator().create(asked.options) for _ in range(2)]
    first = await office.passkeys.prepare_registration(made, state, answers[0], "key")
    await office.database.commit(first.steps)
    with pytest.raises(PasskeyRefused) as refused:
        await office.passkeys.prepare_registration(made, state, answers[1], "key")
    assert refused.value.reason == "passkey: the question was answered already"


async def test_names_and_numbers(office: Office) -> None:
    made = await office.practitioner()
    passkey = await enrol(office, made, Authenticator())
    renamed = office.passkeys.prepare_rename(passkey, "Blue key")
    await office.database.commit(renamed.steps)
    [kept] = await office.passkeys.of_account(made.id)
    assert kept == renamed.value == replace(passkey, name="Blue key", revision=2)
    for name in ("", " x", "x" * 65, "a\nb"):
        with pytest.raises(AccountInvalid):
            office.passkeys.prepare_rename(kept, name)
    for _ in range(18):
        await enrol(office, made, Authenticator())
    asked = await office.passkeys.begin_registration(made)
    late = await office.passkeys.prepare_registration(
        made, asked.state.reveal_text(), Authenticator().create(asked.options), "late"
    )
    await enrol(office, made, Authenticator())
    with pytest.raises(Conflict):  # the twentieth of two windows at once
        await office.database.commit(late.steps)
    with pytest.raises(AccountInvalid, match="at most 20"):
        await office.passkeys.begin_registration(made)
    with pytest.raises(AccountInvalid, match="app"):
        await office.passkeys.begin_registration(await office.app())


async def test_the_last_way_in_stays(office: Office) -> None:
    made = await nobody(office)
    one, two = [await enrol(office, made, Authenticator()) for _ in range(2)]
    first, second = [await office.passkeys.prepare_remove(made, passkey) for passkey in (one, two)]
    await office.database.commit(first.steps)
    with pytest.raises(Conflict):  # both at once would have left none
        await office.database.commit(second.steps)
    with pytest.raises(PasskeyCannotGo):
        await office.passkeys.prepare_remove(made, two)
    assert [(pin.table, pin.key, pin.digest) for pin in first.pins] == [("passkey", one.id.hex(), b"")]
    assert (await office.passkeys.prepare_remove(made, one)).steps == ()  # gone already
    with_password = await office.practitioner()
    only = await enrol(office, with_password, Authenticator())
    await office.database.commit((await office.passkeys.prepare_remove(with_password, only)).steps)
    assert await office.passkeys.of_account(with_password.id) == ()


async def test_all_of_an_account_go(office: Office) -> None:
    made, other = await office.practitioner(), await office.practitioner("bruno")
    for account in (made, made, other):
        await enrol(office, account, Authenticator())
    prepared = await office.passkeys.prepare_remove_all(made.id)
    await office.database.commit(prepared.steps)
    assert (prepared.value, len(prepared.pins)) == (2, 2)
    assert await office.passkeys.of_account(made.id) == ()
    assert len(await office.passkeys.of_account(other.id)) == 1
    assert (await office.passkeys.prepare_remove_all(made.id)).steps == ()


async def test_a_locked_password_does_not_lock_the_passkey(office: Office) -> None:
    """The lock-out attack: strangers use up the password's tries; the owner signs in, and has a password again."""
    made, device = await office.practitioner(), Authenticator()
    await enrol(office, made, device)
    tag = office.keyring.index.digest("login", "amelie")
    locked = Change("INSERT INTO attempt (subject, failures, last_ms) VALUES ($1, 100, $2)", ((tag, office.now),))
    await office.database.commit([locked])
    with pytest.raises(SignInRefused) as refused:
        await office.sign_in.verify("amelie", PASSWORD, None)
    assert refused.value.reason == "throttled: the password is off"
    assert (await sign_in(office, device)).account == made
    await office.sign_in.verify("amelie", PASSWORD, None)


async def test_rows_are_sealed_and_pinned(office: Office) -> None:
    made, device = await office.practitioner(), Authenticator()
    asked = await office.passkeys.begin_registration(made)
    prepared = await office.passkeys.prepare_registration(
        made, asked.state.reveal_text(), device.create(asked.options), "Mark of blue"
    )
    await office.database.commit(prepared.steps)
    [(id_, _, _, sealed)] = await office.database.fetch("SELECT * FROM passkey")
    assert [pinned async for pinned in office.passkeys.pinned_rows()] == [(id_.hex(), sealed)]
    assert (prepared.pins[0].table, prepared.pins[0].key) == ("passkey", id_.hex())
    assert device.credential_id not in sealed
    assert b"Mark" not in sealed
    assert device.credential_id.hex() not in f"{prepared.value!r}"
    assert [finding async for finding in office.passkeys.verify()] == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE passkey SET account = (SELECT id FROM account WHERE id <> account)",
        "UPDATE passkey SET revision = revision + 1",
        "UPDATE passkey SET sealed = id",
        "UPDATE passkey SET id = account",
    ],
)
async def test_a_row_that_was_changed_is_found(office: Office, sql: str) -> None:
    made = await office.practitioner()
    other = await office.practitioner("bruno")
    await enrol(office, made, Authenticator())
    await office.database.commit([Change(sql, ((),), expect=1)])
    for account in (made, other):
        if await office.database.fetch("SELECT 1 FROM passkey WHERE account = $1", (account.id,)):
            with pytest.raises(Tampered):
                await office.passkeys.of_account(account.id)
    assert len([finding async for finding in office.passkeys.verify()]) == 1


async def test_a_passkey_without_its_account_is_found(office: Office) -> None:
    await enrol(office, await office.practitioner(), Authenticator())
    await office.database.commit([Change("DELETE FROM account", ((),), expect=1)])
    [finding] = [finding async for finding in office.passkeys.verify()]
    assert "does not exist" in finding.what
