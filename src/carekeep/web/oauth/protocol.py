"""Where requests meet Authlib: what they may look like, PKCE, and the errors of OAuth 2 as it knows them.

Authlib's server would ask for what it needs, and save what it made, from inside its grants, one call after the other
and each waiting for the database. Ours reads first, collects everything that changes, and commits it once with its
ledger entry. So its parts are used and its server is not: what a request may look like, what PKCE demands, which errors
there are and how they are told, what the metadata of clients and servers must be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import (
    AccessDeniedError,
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Request,
    UnauthorizedClientError,
    UnsupportedGrantTypeError,
    UnsupportedResponseTypeError,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7591 import (
    ClientMetadataClaims,
    InvalidClientMetadataError,
    InvalidRedirectURIError,
)
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.errors import (
    ConsentRequiredError,
    InteractionRequiredError,
    InvalidRequestURIError,
    LoginRequiredError,
    RequestNotSupportedError,
)
from joserfc.errors import JoseError

from carekeep.web.http import BadRequest, form_pairs

# In the names of RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6, RFC 7591 §3.2.2; those that Authlib has no
# class for (RFC 8707, RFC 9449, OpenID's unmet_authentication_requirements) are plain OAuth2Errors.
_ERRORS: Mapping[str, Any] = MappingProxyType(
    {
        error.error: error
        for error in (
            AccessDeniedError,
            ConsentRequiredError,
            InteractionRequiredError,
            InvalidClientError,
            InvalidClientMetadataError,
            InvalidGrantError,
            InvalidRedirectURIError,
            InvalidRequestError,
            InvalidRequestURIError,
            InvalidScopeError,
            LoginRequiredError,
            RequestNotSupportedError,
            UnauthorizedClientError,
        )
    }
)


class Refused(Exception):
    """A request that is refused, with an error of OAuth 2.

    ``error``: its code. ``description``: for the developer of the client, the same for everything that it must not
    learn. ``reason``: for the ledger; the description, where there is nothing to hide.
    """

    def __init__(self, error: str, reason: str, description: str | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.reason = reason
        self.description = reason if description is None else description

    def parameters(self) -> list[tuple[str, str]]:
        """``error`` and ``error_description``, as they go into a URL or a JSON body."""
        kind = _ERRORS.get(self.error)
        error = kind(self.description or None) if kind else OAuth2Error(self.description or None, error=self.error)
        return [(name, value) for name, value in error.get_body() if value]


def invalid_request(description: str) -> Refused:
    """Something is missing or malformed; says what."""
    return Refused("invalid_request", description)


def invalid_grant(reason: str) -> Refused:
    """A code or token is not good; the client does not learn why."""
    return Refused("invalid_grant", reason, "The code or token is not valid.")


def invalid_client(reason: str) -> Refused:
    """A client that is unknown, not approved, or did not prove who it is: one answer for all of it."""
    return Refused("invalid_client", reason, "The client is not known, or did not prove who it is.")


def single(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The parameters of a request, each given once and not empty (RFC 6749 §3.1, §3.2). Raises Refused."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise invalid_request("A parameter stands more than once.")
    return {name: value for name, value in found.items() if value}


def read_form(content_type: str | None, body: bytes) -> dict[str, str]:
    """The parameters of a form that was posted. Raises Refused."""
    if (content_type or "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise invalid_request("Send a form (application/x-www-form-urlencoded).")
    try:
        return single(form_pairs(body.decode("ascii")))
    except (UnicodeDecodeError, BadRequest):
        raise invalid_request("The form cannot be read.") from None


class _S256(CodeChallenge):  # type: ignore[misc]  # Authlib has no types
    """PKCE without its plain method, which anybody who sees the request can answer (RFC 9700 §2.1.1)."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)
    CODE_CHALLENGE_METHODS: Mapping[str, Any] = MappingProxyType({"S256": CodeChallenge.CODE_CHALLENGE_METHODS["S256"]})


class _Request(OAuth2Request):  # type: ignore[misc]
    """A request as Authlib wants it."""

    def __init__(self, url: str, parameters: Mapping[str, str]) -> None:
        super().__init__("POST", url)
        self.payload = BasicOAuth2Payload(dict(parameters))
        self.auth_method = "none"  # the verifier is asked of every client

    @property
    def form(self) -> dict[str, str]:
        data: dict[str, str] = self.payload.data
        return data


@dataclass(frozen=True, slots=True)
class _Challenge:
    """What was kept of the authorization request."""

    code_challenge: str
    code_challenge_method: str = "S256"


@dataclass(frozen=True, slots=True)
class _Step:
    """The part of a grant that PKCE looks at."""

    request: _Request


_PKCE = _S256(required=True)


def check_challenge(url: str, parameters: Mapping[str, str]) -> str:
    """The PKCE challenge of an authorization request, by S256. Raises Refused."""
    if not parameters.get("code_challenge") or parameters.get("code_challenge_method") != "S256":
        raise invalid_request("PKCE is needed: send code_challenge, and code_challenge_method=S256.")
    try:
        _PKCE.validate_code_challenge(_Step(_Request(url, parameters)), None)
    except OAuth2Error as error:
        raise Refused(error.error, error.description) from None
    return parameters["code_challenge"]


def check_verifier(url: str, parameters: Mapping[str, str], challenge: str) -> None:
    """That who has the code also began the flow. Raises Refused."""
    request = _Request(url, parameters)
    request.authorization_code = _Challenge(challenge)
    try:
        _PKCE.validate_code_verifier(_Step(request), None)
    except InvalidGrantError:
        raise invalid_grant("the PKCE verifier is not that of the challenge") from None
    except OAuth2Error as error:
        raise Refused(error.error, error.description) from None


def check_response_type(parameters: Mapping[str, str]) -> None:
    """That a code is asked for, to be sent in the query. Raises Refused."""
    if parameters.get("response_type") != "code":
        error = UnsupportedResponseTypeError("of that name")
        raise Refused(error.error, "Only response_type=code is answered.")
    if parameters.get("response_mode", "query") != "query":
        raise invalid_request("Only response_mode=query is answered.")


def unsupported_grant_type() -> Refused:
    """The token endpoint knows no such way."""
    return Refused(UnsupportedGrantTypeError.error, "There is no such grant_type here.")


def check_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Client metadata as RFC 7591 wants it, with what is left out filled in. Raises Refused."""
    claims = ClientMetadataClaims(metadata, {})
    try:
        claims.validate()
    except (JoseError, OAuth2Error, ValueError, TypeError, AttributeError, KeyError) as error:
        # Authlib looks at values before it knows what type they have.
        about = getattr(error, "claim", None)
        kind = "invalid_redirect_uri" if about == "redirect_uris" else "invalid_client_metadata"
        raise Refused(kind, f"The metadata cannot be used{f': look at {about}' if about else ''}.") from None
    return dict(claims)


def with_parameters(uri: str, parameters: Sequence[tuple[str, str]]) -> str:
    """A redirect URI with more parameters in its query."""
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(parameters)}"
