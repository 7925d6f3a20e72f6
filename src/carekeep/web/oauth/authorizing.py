"""Authorization requests: what an app asks a person to allow, and the code that it gets if they do.

Errors are of two kinds (RFC 6749 §4.1.2.1). Where the client or its redirect URI is not certain, nobody is sent
anywhere: the page says what is wrong. Everything else is told to the client, with ``iss`` (RFC 9207), so that it knows
who says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from carekeep.access import ScopeInvalid, Scopes
from carekeep.identity import Account, Kind
from carekeep.identity.apps.client import REFRESH_TOKEN, Client
from carekeep.identity.apps.codes import Code
from carekeep.identity.apps.grant import Context
from carekeep.identity.apps.launches import Launch
from carekeep.identity.apps.pushed import Pushed
from carekeep.identity.assurance import least_level
from carekeep.identity.browser_session_rows import BrowserSession
from carekeep.storage import Prepared
from carekeep.web.oauth.protocol import (
    Refused,
    check_challenge,
    check_response_type,
    invalid_request,
    single,
    with_parameters,
)
from carekeep.web.oauth.requests import prompts_of, seconds_of, short, thumbprint
from carekeep.web.oauth.urls import Urls
from carekeep.web.services import Services

PATIENT_LEVEL: Final = "patient"
LAUNCH: Final = "launch"
LAUNCH_PATIENT: Final = "launch/patient"
MAX_SCOPE_LENGTH: Final = 8_192  # characters
MOST_SCOPES: Final = 200
_STAYING = frozenset({"offline_access", "online_access"})


class AuthorizationRefused(Exception):
    """A request that cannot be answered with a code.

    Its text is for the person; ``reason`` for the ledger, ``error`` is the code of OAuth. ``location``: where to send
    the browser with the error; None when nobody must be sent anywhere.
    """

    def __init__(self, refused: Refused, location: str | None = None) -> None:
        super().__init__(refused.description)
        self.error = refused.error
        self.reason = refused.reason
        self.location = location


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What an app asks for, checked.

    ``scopes``: what may be granted at most. ``prompt``: OpenID's words. ``max_age_ms``: how old the sign-in may be.
    ``assurance``: the least level that the app asks for (1 to 3). ``launch``: the open chart that it was started from.
    """

    client: Client
    redirect_uri: str
    scopes: Scopes
    challenge: str = field(repr=False)
    state: str | None = field(default=None, repr=False)
    nonce: str | None = field(default=None, repr=False)
    prompt: frozenset[str] = frozenset()
    max_age_ms: int | None = None
    assurance: int = 1
    login_hint: str | None = field(default=None, repr=False)
    launch: Launch | None = None
    pushed: Pushed | None = None
    proof_key: str | None = None

    def is_met_by(self, session: BrowserSession, now_ms: int) -> bool:
        """Whether the sign-in is strong and young enough for what the app asks."""
        age_ms = now_ms - session.authenticated_ms
        return session.assurance >= self.assurance and (self.max_age_ms is None or age_ms <= self.max_age_ms)

    def needs_patient(self, account: Account) -> bool:
        """Whether the person must choose a patient: neither a chart nor the account says whose records are meant."""
        is_open = self.launch is not None and self.launch.context.patient is not None
        has_own = account.kind is Kind.PATIENT and not account.is_related_person
        return not is_open and not has_own and self.is_about_patient

    @property
    def is_about_patient(self) -> bool:
        """Whether the app asks for the records of one patient, who must be known."""
        return LAUNCH_PATIENT in self.scopes or bool(self.scopes.at_level(PATIENT_LEVEL))


class Authorizing:
    """Reads authorization requests, and prepares their answers. For the pages of the sign-in host."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._clock = services.clock
        self._urls = Urls.of(services)

    async def read_authorization(self, pairs: Sequence[tuple[str, str]]) -> AuthorizationRequest:
        """The request in a query or form. Raises AuthorizationRefused; Tampered when a row was changed.

        May be called again for the same request while the person decides; ``prepare_code`` uses it up.
        """
        try:
            parameters = single(pairs)
            client = await self._client(parameters)
            pushed = await self._pushed(parameters, client)
        except Refused as refused:
            raise AuthorizationRefused(refused) from None
        return await self.check(client, dict(pushed.parameters) if pushed else parameters, pushed)

    async def check(
        self, client: Client, asked: Mapping[str, str], pushed: Pushed | None = None
    ) -> AuthorizationRequest:
        """The request of a client that is known. Raises AuthorizationRefused."""
        redirect_uri = asked.get("redirect_uri", "")
        if not client.may_redirect_to(redirect_uri):
            text = "The app asks to be answered at an address that is not one of its own."
            raise AuthorizationRefused(invalid_request(text))
        try:
            return await self._read(asked, client, redirect_uri, pushed)
        except Refused as refused:
            location = self._error_url(redirect_uri, asked.get("state"), refused)
            raise AuthorizationRefused(refused, location) from None

    def prepare_code(
        self,
        request: AuthorizationRequest,
        session: BrowserSession,
        approved: Scopes,
        chosen: Context | None = None,
    ) -> Prepared[str]:
        """The answer to a request that a person allowed: the URL to send the browser to, with a code.

        ``session`` is that of the browser, and of who allowed it. ``approved`` are the scopes that the
        person left; ``chosen`` the patient (and encounter) that a clinician picked, where ``needs_patient`` says so.
        Commit it with an entry of Action.GRANT_GIVE; a conflict means that the request was used meanwhile. Raises
        AuthorizationRefused.
        """
        account = session.account
        if account.disabled or account.kind is Kind.APP:
            raise self.refusal(request, "access_denied", "the account gives nothing to apps")
        if request.launch is not None and request.launch.account != account.id.hex():
            raise self.refusal(request, "access_denied", "the chart was opened by another account")
        if not request.is_met_by(session, self._clock()):
            raise self.refusal(request, "unmet_authentication_requirements", "the sign-in is too weak or too old")
        context = _context(request, account, chosen or Context())
        scopes = _granted(approved.narrowed_to(request.scopes), context)
        if not scopes.rights and not scopes.words:
            raise self.refusal(request, "access_denied", "nothing was allowed")
        code = Code(
            client=request.client.id,
            account=account.id.hex(),
            redirect_uri=request.redirect_uri,
            scopes=str(scopes),
            challenge=request.challenge,
            context=context,
            assurance=session.assurance,
            authenticated_ms=session.authenticated_ms,
            methods=session.methods,
            session_ends_ms=session.end_ms,
            session=session.id,
            nonce=request.nonce,
            device=session.device,
            proof_key=request.proof_key,
        )
        issued = self._services.apps.codes.prepare_issue(code)
        steps = issued.steps
        if request.pushed is not None:
            steps += self._services.apps.pushed.prepare_use(request.pushed).steps
        if request.launch is not None:
            steps += self._services.apps.launches.prepare_use(request.launch).steps
        answer = [("code", issued.value.reveal_text()), *self._closing(request.state)]
        return Prepared(with_parameters(request.redirect_uri, answer), steps, issued.pins)

    def refusal(self, request: AuthorizationRequest, error: str, reason: str) -> AuthorizationRefused:
        """The answer to a request that was read: ``access_denied``, ``login_required``, ``consent_required``."""
        refused = Refused(error, reason, "The app was not allowed what it asked for.")
        return AuthorizationRefused(refused, self._error_url(request.redirect_uri, request.state, refused))

    async def _client(self, parameters: Mapping[str, str]) -> Client:
        client = await self._services.apps.clients.get(parameters.get("client_id", ""))
        if client is None or not client.is_approved:
            reason = "no such client" if client is None else f"the client {client.id} is {client.state}"
            raise Refused("invalid_client", reason, "This app is not known here, or not approved yet.")
        return client

    async def _pushed(self, parameters: Mapping[str, str], client: Client) -> Pushed | None:
        """What the client pushed before (RFC 9126 §4); then the rest of the query does not count."""
        request_uri = parameters.get("request_uri")
        if request_uri is None:
            if client.first_party:
                raise invalid_request("This app must push its requests (RFC 9126).")
            return None
        pushed = await self._services.apps.pushed.find(request_uri)
        if pushed is None or pushed.client != client.id:
            raise Refused("invalid_request_uri", "This request is not there any more. Start again from the app.")
        return pushed

    async def _read(
        self, asked: Mapping[str, str], client: Client, redirect_uri: str, pushed: Pushed | None
    ) -> AuthorizationRequest:
        check_response_type(asked)
        if "request" in asked:
            raise Refused("request_not_supported", "Push the request (RFC 9126) instead of signing it.")
        launch = await self._launch(asked.get("launch"), client)
        scopes = _askable(asked.get("scope", ""), client, is_launch=launch is not None)
        self._urls.check_audience(asked, is_needed=bool(scopes.rights) or launch is not None)
        acr_values = short(asked, "acr_values")
        return AuthorizationRequest(
            client=client,
            redirect_uri=redirect_uri,
            scopes=scopes,
            challenge=check_challenge(self._urls.token, asked),
            state=short(asked, "state"),
            nonce=short(asked, "nonce"),
            prompt=prompts_of(asked),
            max_age_ms=seconds_of(asked, "max_age"),
            assurance=(least_level(acr_values) or 1) if acr_values else 1,
            login_hint=short(asked, "login_hint"),
            launch=launch,
            pushed=pushed,
            proof_key=thumbprint(asked, "dpop_jkt"),
        )

    async def _launch(self, launch: str | None, client: Client) -> Launch | None:
        if launch is None:
            return None
        found = await self._services.apps.launches.find(launch)
        if found is None or found.client != client.id:
            raise invalid_request("The launch is over, used, or of another app. Start the app from the chart again.")
        return found

    def _error_url(self, redirect_uri: str, state: str | None, refused: Refused) -> str:
        return with_parameters(redirect_uri, [*refused.parameters(), *self._closing(state)])

    def _closing(self, state: str | None) -> list[tuple[str, str]]:
        """What every answer ends with: the client's own state, and who answers (RFC 9207 §2)."""
        return [*([("state", state)] if state else []), ("iss", self._urls.issuer)]


def _askable(text: str, client: Client, *, is_launch: bool) -> Scopes:
    """What of the scopes that are asked for can be granted; scopes that are not known are passed over.

    Raises Refused when nothing is left (SMART: granted scopes may differ from those asked for).
    """
    try:
        scopes = _known(text).narrowed_to(Scopes.parse(client.scopes))
    except ScopeInvalid as error:
        raise Refused("invalid_scope", str(error)) from None
    words = set(scopes.words)
    if not is_launch:
        words.discard(LAUNCH)
    if REFRESH_TOKEN not in client.grant_types:
        words -= _STAYING
    kept = Scopes.of([right for right in scopes.rights if right.level != "system"], words)
    if not kept.rights and not kept.words:
        raise Refused("invalid_scope", "None of these scopes can be granted to this app.")
    return kept


def _known(text: str) -> Scopes:
    if len(text) > MAX_SCOPE_LENGTH:
        raise ScopeInvalid(f"The scopes are longer than {MAX_SCOPE_LENGTH} characters.")
    known = []
    for part in text.split(" ")[:MOST_SCOPES]:
        try:
            Scopes.parse(part)
        except ScopeInvalid:
            continue
        known.append(part)
    return Scopes.parse(" ".join(known))


def _context(request: AuthorizationRequest, account: Account, chosen: Context) -> Context:
    """Whose records, and which visit: patients have their own, a chart what was open, else what was chosen.

    Who acts for a patient chooses, among the one whose consent names them.
    """
    if not request.is_about_patient and request.launch is None:
        return Context()
    if account.kind is Kind.PATIENT and not account.is_related_person:
        return Context(patient=(account.fhir_user or "").removeprefix("Patient/"))
    if request.launch is not None and request.launch.context.patient is not None:
        return request.launch.context
    return replace(chosen, others=())


def _granted(scopes: Scopes, context: Context) -> Scopes:
    """Without what means nothing when no patient is known."""
    if context.patient is not None:
        return scopes
    rights = [right for right in scopes.rights if right.level != PATIENT_LEVEL]
    return Scopes.of(rights, scopes.words - {LAUNCH_PATIENT})
