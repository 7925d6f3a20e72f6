"""Tokens for an app, and what the answer says of them (RFC 6749 §5.1; SMART App Launch; OpenID Connect Core §2)."""

from dataclasses import dataclass, field
from typing import Any

from carekeep.access import Scopes
from carekeep.encryption import Secret
from carekeep.identity import Account, BindingKind, Delegation, IssuedToken
from carekeep.identity.apps.client import Client
from carekeep.identity.apps.codes import Code
from carekeep.identity.apps.grant import Context, Grant
from carekeep.identity.assurance import ACR
from carekeep.storage import Prepared
from carekeep.web.oauth.authenticating import Caller
from carekeep.web.oauth.urls import Urls
from carekeep.web.services import Services

_MINUTE_MS = 60_000
LIFETIME_MS = 15 * _MINUTE_MS
# A public app of somebody else can keep no secret: ASVS 5.0, V10.4 asks more of it than SMART lets it do.
PUBLIC_LIFETIME_MS = 10 * _MINUTE_MS
MACHINE_LIFETIME_MS = 5 * _MINUTE_MS  # SMART Backend Services: at most 300 seconds


@dataclass(frozen=True, slots=True)
class SignIn:
    """The facts of the sign-in that a token goes back to."""

    assurance: int
    authenticated_ms: int
    methods: tuple[str, ...] = ()
    device: str | None = None

    @classmethod
    def of(cls, known: Code | Grant) -> "SignIn":
        """Those that a code or grant kept."""
        return cls(known.assurance, known.authenticated_ms, known.methods, known.device)


@dataclass(frozen=True, slots=True)
class Issue:
    """A token to be issued. ``parent``: the grant, session or client that it ends with."""

    account: Account
    sign_in: SignIn
    scopes: Scopes
    context: Context
    lifetime_ms: int
    parent: bytes | None
    purpose: str | None = None
    via: str | None = None


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What goes back to the client, and the token's id for the ledger."""

    issued: IssuedToken
    body: dict[str, Any] = field(repr=False)


def lifetime_ms(client: Client) -> int:
    """How long an access token of a person is good for in this client."""
    return LIFETIME_MS if client.is_confidential or client.first_party else PUBLIC_LIFETIME_MS


def prepare_token(services: Services, caller: Caller, issue: Issue) -> Prepared[TokenAnswer]:
    """An access token, bound to the key that the client proved to have."""
    client, context = caller.client, issue.context
    issued = services.tokens.prepare_issue(
        issue.account,
        issue.sign_in.assurance,
        issue.lifetime_ms,
        authenticated_ms=issue.sign_in.authenticated_ms,
        methods=issue.sign_in.methods,
        binding=caller.binding,
        delegation=Delegation(
            client=client.id,
            app=client.name,
            scopes=str(issue.scopes),
            patient=context.patient,
            encounter=context.encounter,
            via=issue.via or client.organization,
            purpose=issue.purpose,
            outside=None if client.first_party else True,
        ),
        device=issue.sign_in.device,
        parent=issue.parent,
    )
    is_proven = caller.binding is not None and caller.binding.kind is BindingKind.DPOP
    body: dict[str, Any] = {
        "access_token": issued.value.secret.reveal_text(),
        "token_type": "DPoP" if is_proven else "Bearer",
        "expires_in": issue.lifetime_ms // 1000,
        "scope": str(issue.scopes),
    }
    return Prepared(TokenAnswer(issued.value, body | _launch_context(context)), issued.steps, issued.pins)


def _launch_context(context: Context) -> dict[str, Any]:
    """SMART's launch context; an app shows whose records it shows, since no chart around it does."""
    told: dict[str, Any] = {}
    if context.patient is not None:
        told = {"patient": context.patient, "need_patient_banner": True}
    if context.encounter is not None:
        told["encounter"] = context.encounter
    if context.others:
        told["fhirContext"] = [{"reference": reference} for reference in context.others]
    return told


async def prepare_id_token(
    services: Services, urls: Urls, client: Client, issue: Issue, nonce: str | None
) -> Prepared[str]:
    """Who signed in, when and how, signed for this client; and new keys to be committed, if it was time for them."""
    now = services.clock()
    ready = await services.apps.signing_keys.ready()
    key = next(key for key in ready.value if key.algorithm == client.id_token_algorithm)
    claims: dict[str, Any] = {
        "iss": urls.issuer,
        "aud": client.id,
        "iat": now // 1000,
        "exp": (now + issue.lifetime_ms) // 1000,
        "auth_time": issue.sign_in.authenticated_ms // 1000,
        "acr": ACR[issue.sign_in.assurance],
        **person(urls, issue.account, issue.scopes),
    }
    if issue.sign_in.methods:
        claims["amr"] = list(issue.sign_in.methods)
    if nonce is not None:
        claims["nonce"] = nonce
    return Prepared(key.sign(claims), ready.steps, ready.pins)


def person(urls: Urls, account: Account, scopes: Scopes) -> dict[str, Any]:
    """The claims about a person that these scopes give: ``sub``, ``name`` (profile), ``fhirUser``."""
    claims: dict[str, Any] = {"sub": account.id.hex()}
    if "profile" in scopes:
        claims["name"] = account.name
    if "fhirUser" in scopes and account.fhir_user:
        claims["fhirUser"] = f"{urls.fhir}/{account.fhir_user}"
    return claims


def with_tokens(answer: TokenAnswer, *, refresh_token: Secret | None, id_token: str | None) -> dict[str, Any]:
    """The body with the tokens that go along."""
    also = {"refresh_token": refresh_token.reveal_text() if refresh_token else None, "id_token": id_token}
    return answer.body | {name: value for name, value in also.items() if value is not None}
