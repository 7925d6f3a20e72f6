"""What the server says of itself to apps: OAuth (RFC 8414), OpenID Connect Discovery, SMART App Launch, RFC 9728.

Each is checked by Authlib's models when it is made, so that a member that breaks its standard never leaves.
"""

from typing import Any

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata

from carekeep.identity.apps.assertions import ALGORITHMS as ASSERTION_ALGORITHMS
from carekeep.identity.apps.client import GRANT_TYPES, ID_TOKEN_ALGORITHMS, ClientAuthentication
from carekeep.identity.apps.proofs import ALGORITHMS as PROOF_ALGORITHMS
from carekeep.identity.assurance import ACR
from carekeep.web.oauth.urls import Urls

SCOPES = (
    "openid",
    "fhirUser",
    "profile",
    "launch",
    "launch/patient",
    "offline_access",
    "online_access",
    "patient/*.cruds",
    "user/*.cruds",
    "system/*.cruds",
)
CAPABILITIES = (
    "authorize-post",
    "client-confidential-asymmetric",
    "client-public",
    "context-banner",
    "context-ehr-encounter",
    "context-ehr-patient",
    "context-standalone-patient",
    "launch-ehr",
    "launch-standalone",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
    "sso-openid-connect",
)
"""SMART App Launch 2.2.0, capability sets; each has its test."""
_METHODS = [method.value for method in ClientAuthentication]
_CONFIDENTIAL = [method for method in _METHODS if method != "none"]


def authorization_server(urls: Urls) -> dict[str, Any]:
    """RFC 8414, with what RFC 7009, 7662, 8705, 9126, 9207 and 9449 add to it."""
    metadata: dict[str, Any] = {
        "issuer": urls.issuer,
        "authorization_endpoint": urls.authorize,
        "token_endpoint": urls.token,
        "jwks_uri": urls.endpoint("jwks"),
        "registration_endpoint": urls.endpoint("register"),
        "introspection_endpoint": urls.endpoint("introspect"),
        "revocation_endpoint": urls.endpoint("revoke"),
        "pushed_authorization_request_endpoint": urls.endpoint("par"),
        "require_pushed_authorization_requests": False,
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": _METHODS,
        "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": _CONFIDENTIAL,
        "introspection_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": _METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "authorization_response_iss_parameter_supported": True,
        "dpop_signing_alg_values_supported": list(PROOF_ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": True,
    }
    AuthorizationServerMetadata(metadata).validate()
    return metadata


def openid_provider(urls: Urls) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0 §3."""
    metadata = authorization_server(urls) | {
        "userinfo_endpoint": urls.endpoint("userinfo"),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ID_TOKEN_ALGORITHMS),
        "acr_values_supported": list(ACR.values()),
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "name", "fhirUser")
        ],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }
    OpenIDProviderMetadata(metadata).validate()
    return metadata


def smart_configuration(urls: Urls) -> dict[str, Any]:
    """SMART App Launch 2.2.0, conformance. ``management_endpoint``: where people see and end what apps may."""
    server = authorization_server(urls)
    told = (
        *("issuer", "jwks_uri", "authorization_endpoint", "token_endpoint", "registration_endpoint"),
        *("introspection_endpoint", "revocation_endpoint", "scopes_supported", "response_types_supported"),
        *("grant_types_supported", "code_challenge_methods_supported", "token_endpoint_auth_methods_supported"),
        "token_endpoint_auth_signing_alg_values_supported",
    )
    return {name: server[name] for name in told} | {
        "management_endpoint": urls.manage,
        "capabilities": list(CAPABILITIES),
    }


def protected_resource(urls: Urls, resource: str) -> dict[str, Any]:
    """RFC 9728: who gives tokens for this resource, and how they are presented."""
    return {
        "resource": resource,
        "authorization_servers": [urls.issuer],
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(PROOF_ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": True,
        "resource_name": "Carekeep FHIR",
    }
