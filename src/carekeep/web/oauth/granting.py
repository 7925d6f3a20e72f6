"""What can be exchanged for tokens, one function for each ``grant_type``. Nothing is committed here.

Granted is never more than was asked, than the client may have at most, and than the person allowed; what comes of a
grant ends with it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from carekeep.access import Purpose, ScopeInvalid, Scopes
from carekeep.identity import Account, IssuedToken, Kind
from carekeep.identity.apps.business import Business
from carekeep.identity.apps.client import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, REFRESH_TOKEN, TOKEN_EXCHANGE, Client
from carekeep.identity.apps.codes import Known
from carekeep.identity.apps.ending import prepare_end_grants
from carekeep.identity.apps.grant import Context, Grant
from carekeep.identity.apps.grants import LONGEST_MS, Granted, Presented
from carekeep.storage import Prepared
from carekeep.web.oauth.authenticating import Caller
from carekeep.web.oauth.issuing import (
    MACHINE_LIFETIME_MS,
    Issue,
    SignIn,
    TokenAnswer,
    lifetime_ms,
    prepare_id_token,
    prepare_token,
    with_tokens,
)
from carekeep.web.oauth.protocol import (
    Refused,
    check_verifier,
    invalid_grant,
    invalid_request,
    unsupported_grant_type,
)
from carekeep.web.oauth.urls import Urls
from carekeep.web.services import Services


class Misused(Refused):
    """Something that is good once was used again: what came of it the first time ends, since one of two is a thief."""

    def __init__(self, reason: str, ended: Prepared[int]) -> None:
        refused = invalid_grant(reason)
        super().__init__(refused.error, reason, refused.description)
        self.ended = ended


@dataclass(frozen=True, slots=True)
class Turn:
    """One request to the token endpoint, from a client that is known."""

    services: Services
    urls: Urls
    caller: Caller
    parameters: Mapping[str, str] = field(repr=False)

    @property
    def client(self) -> Client:
        """The client that asks."""
        return self.caller.client

    def needed(self, name: str) -> str:
        """A parameter that must be there. Raises Refused."""
        value = self.parameters.get(name)
        if value is None:
            raise invalid_request(f"The parameter {name} is missing.")
        return value


@dataclass(frozen=True, slots=True)
class Given:
    """What a turn ends with: the token, the body of the answer, and what must be committed before it leaves."""

    issued: IssuedToken
    body: dict[str, Any] = field(repr=False)
    reason: str
    prepared: tuple[Prepared[Any], ...]


async def give(turn: Turn) -> Given:
    """The tokens that a client asks for. Raises Refused."""
    grant_type = turn.needed("grant_type")
    way = _WAYS.get(grant_type)
    if way is None:
        raise unsupported_grant_type()
    if grant_type not in turn.client.grant_types:
        raise Refused("unauthorized_client", f"This client may not use {grant_type}.")
    turn.urls.check_audience(turn.parameters, is_needed=False)
    try:
        return await way(turn)
    except ScopeInvalid as error:
        raise Refused("invalid_scope", str(error)) from None


async def _by_code(turn: Turn) -> Given:
    """RFC 6749 §4.1.3, with PKCE (RFC 7636 §4.6)."""
    services, client = turn.services, turn.client
    known = await services.apps.codes.find(turn.needed("code"))
    if known is None:
        raise invalid_grant("no such code")
    if known.code.client != client.id:
        raise invalid_grant(f"the code is of the client {known.code.client}")
    if known.used_for is not None:
        raise await _misused(services, known.used_for, "an authorization code was used again")
    _check_code(turn, known)
    account = await _account(services, bytes.fromhex(known.code.account))
    scopes = Scopes.parse(known.code.scopes)
    granted = services.apps.grants.prepare_give(_grant(turn, known, scopes), refreshable=_stays(client, scopes))
    used = services.apps.codes.prepare_use(known, granted.value.grant.id)
    issue = Issue(
        account, SignIn.of(known.code), scopes, known.code.context, lifetime_ms(client), granted.value.grant.id
    )
    return await _for_person(turn, issue, granted, (used,), nonce=known.code.nonce)


def _check_code(turn: Turn, known: Known) -> None:
    code, proven = known.code, turn.caller.proven
    if turn.services.apps.codes.is_over(known):
        raise invalid_grant("the code is over")
    if turn.needed("redirect_uri") != code.redirect_uri:
        raise invalid_grant("another redirect URI than that of the request")
    check_verifier(turn.urls.token, turn.parameters, code.challenge)
    if code.proof_key is not None and (proven is None or proven.thumbprint != code.proof_key):
        raise invalid_grant("the code is bound to a DPoP key that was not shown")


def _stays(client: Client, scopes: Scopes) -> bool:
    return REFRESH_TOKEN in client.grant_types and ("offline_access" in scopes or "online_access" in scopes)


def _grant(turn: Turn, known: Known, scopes: Scopes) -> Grant:
    """The grant that a code becomes. Refresh tokens of apps that keep no secret are bound to their key, if any."""
    code, now = known.code, turn.services.clock()
    ends_ms = now + LONGEST_MS if "offline_access" in scopes else code.session_ends_ms
    return Grant(
        id=b"",
        account=bytes.fromhex(code.account),
        client=code.client,
        scopes=str(scopes),
        context=code.context,
        assurance=code.assurance,
        authenticated_ms=code.authenticated_ms,
        methods=code.methods,
        given_ms=now,
        last_used_ms=now,
        ends_ms=ends_ms,
        expires_ms=now + lifetime_ms(turn.client),
        device=code.device,
        session=None if "offline_access" in scopes else bytes.fromhex(code.session),
        binding=None if turn.client.is_confidential else turn.caller.binding,
    )


async def _by_refresh_token(turn: Turn) -> Given:
    """RFC 6749 §6, with a new refresh token each time (RFC 9700 §4.14.2)."""
    services, client = turn.services, turn.client
    presented = await services.apps.grants.present(turn.needed("refresh_token"))
    if presented is None:
        raise invalid_grant("no such refresh token, or it is over")
    grant = presented.grant
    if grant.client != client.id:
        raise invalid_grant(f"the refresh token is of the client {grant.client}")
    if not presented.is_current:
        raise await _misused(services, grant.id, "a refresh token was used again")
    if grant.binding is not None and grant.binding != turn.caller.binding:
        raise invalid_grant("the refresh token is bound to a key that was not shown")
    account = await _account(services, grant.account)
    scopes = _narrowed(turn, Scopes.parse(grant.scopes).narrowed_to(Scopes.parse(client.scopes)))
    rotated = services.apps.grants.prepare_rotate(presented)
    issue = Issue(account, SignIn.of(grant), scopes, grant.context, _lasting(turn, presented), grant.id)
    return await _for_person(turn, issue, rotated, ())


def _lasting(turn: Turn, presented: Presented) -> int:
    """An access token does not outlive the grant."""
    return min(lifetime_ms(turn.client), presented.grant.ends_ms - turn.services.clock())


async def _for_person(
    turn: Turn, issue: Issue, granted: Prepared[Granted], others: tuple[Prepared[Any], ...], nonce: str | None = None
) -> Given:
    token = prepare_token(turn.services, turn.caller, issue)
    prepared: tuple[Prepared[Any], ...] = (granted, token, *others)
    id_token: str | None = None
    if "openid" in issue.scopes:
        signed = await prepare_id_token(turn.services, turn.urls, turn.client, issue, nonce)
        prepared, id_token = (*prepared, signed), signed.value
    body = with_tokens(token.value, refresh_token=granted.value.refresh_token, id_token=id_token)
    return _given(turn, token.value, body, f"under the grant {granted.value.grant.id.hex()}", prepared)


async def _by_itself(turn: Turn) -> Given:
    """RFC 6749 §4.4, SMART Backend Services: a client on nobody's behalf but its own."""
    client = turn.client
    account = await _account(turn.services, bytes.fromhex(client.account or ""))
    if account.kind is not Kind.APP:
        raise invalid_grant("the client's account is not that of an app")
    asked = Scopes.parse(turn.needed("scope"))
    allowed = asked.narrowed_to(Scopes.parse(client.scopes))
    scopes = Scopes.of(allowed.at_level("system"))
    if not scopes.rights:
        raise Refused("invalid_scope", "None of these scopes can be granted to this client.")
    sign_in = SignIn(assurance=1, authenticated_ms=turn.services.clock())
    business = _business(turn)
    parent, purposes = bytes.fromhex(client.id), " ".join(business.purposes) if business else None
    via = business.organization if business else None
    issue = Issue(account, sign_in, scopes, Context(), MACHINE_LIFETIME_MS, parent, purposes, via)
    token = prepare_token(turn.services, turn.caller, issue)
    return _given(turn, token.value, token.value.body, "on its own behalf", (token,))


def _business(turn: Turn) -> Business | None:
    """On whose behalf a client of a trust community asks, and what for; it must say so (UDAP, B2B authorization)."""
    asserted = turn.caller.asserted
    business = asserted.value if asserted is not None else None
    if turn.client.organization is None:
        return None
    if business is None:
        raise invalid_grant("a client of the trust community sent no hl7-b2b extension")
    if not set(business.purposes) <= set(Purpose):
        raise invalid_grant("the hl7-b2b extension states a purpose of use that is not known here")
    return business


def _narrowed(turn: Turn, most: Scopes) -> Scopes:
    """The scopes that are asked for, or all; never more. Raises Refused."""
    asked = turn.parameters.get("scope")
    if asked is None:
        return most
    scopes = Scopes.parse(asked)
    if not scopes.is_within(most):
        raise Refused("invalid_scope", "More was asked for than was granted.")
    return scopes


async def _account(services: Services, account_id: bytes) -> Account:
    account = await services.accounts.get(account_id)
    if account is None or account.disabled:
        raise invalid_grant("the account is disabled, or not there any more")
    return account


async def _misused(services: Services, grant_id: bytes, reason: str) -> Misused:
    grant = await services.apps.grants.get(grant_id)
    ended = await prepare_end_grants(services.apps.grants, services.tokens, () if grant is None else (grant,))
    return Misused(f"{reason}; the grant {grant_id.hex()} is ended", ended)


def _given(
    turn: Turn, answer: TokenAnswer, body: dict[str, Any], how: str, prepared: tuple[Prepared[Any], ...]
) -> Given:
    reason = f"the client {turn.client.id} was given a token {how}, for {body['scope']}"
    unchanged = turn.services.apps.clients.prepare_unchanged(turn.client)
    return Given(answer.issued, body, reason, (*turn.caller.once, unchanged, *prepared))


async def _by_token(turn: Turn) -> Given:
    """RFC 8693: a token of one's own for one that may less, is good for no longer, and ends with the same grant."""
    services, client = turn.services, turn.client
    _check_types(turn)
    held = await services.tokens.inspect(turn.needed("subject_token"))
    if held is None:
        raise invalid_grant("no such subject token, or it is over")
    principal, session = held
    delegation = principal.delegation
    if delegation is None or delegation.client != client.id:
        raise invalid_grant("the subject token is not of this client")
    if session.binding != turn.caller.binding:
        raise invalid_grant("the subject token is bound to a key that was not shown")
    scopes = _narrowed(turn, Scopes.parse(delegation.scopes))
    rights_only = Scopes.of(scopes.rights, scopes.words - {"offline_access", "online_access"})
    issue = Issue(
        await _account(services, bytes.fromhex(principal.account_id)),
        SignIn(session.assurance, session.authenticated_ms, session.methods, session.device),
        rights_only,
        Context(delegation.patient, delegation.encounter),
        min(lifetime_ms(client), session.expires_ms - services.clock()),
        session.parent,
        delegation.purpose,
        delegation.via,
    )
    token = prepare_token(services, turn.caller, issue)
    body = token.value.body | {"issued_token_type": _ACCESS_TOKEN}
    prepared: tuple[Prepared[Any], ...] = (token,)
    if session.parent != bytes.fromhex(client.id):  # a person's: it must not outlive the grant
        grant = await services.apps.grants.get(session.parent or b"")
        if grant is None:
            raise invalid_grant("the grant of the subject token has ended")
        prepared = (services.apps.grants.prepare_use(grant), token)
    return _given(turn, token.value, body, "in exchange for another", prepared)


_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name


def _check_types(turn: Turn) -> None:
    if turn.needed("subject_token_type") != _ACCESS_TOKEN:
        raise invalid_request("Only access tokens can be exchanged.")
    if turn.parameters.get("requested_token_type", _ACCESS_TOKEN) != _ACCESS_TOKEN:
        raise invalid_request("Only access tokens are given in exchange.")
    if "actor_token" in turn.parameters:
        raise invalid_request("actor_token is not understood here.")
    audience = turn.parameters.get("audience", turn.urls.fhir)
    if audience.rstrip("/") != turn.urls.fhir:
        raise Refused("invalid_target", f"Tokens of this server are good for {turn.urls.fhir} only.")


_WAYS: Mapping[str, Callable[[Turn], Awaitable[Given]]] = MappingProxyType(
    {
        AUTHORIZATION_CODE: _by_code,
        REFRESH_TOKEN: _by_refresh_token,
        CLIENT_CREDENTIALS: _by_itself,
        TOKEN_EXCHANGE: _by_token,
    }
)
