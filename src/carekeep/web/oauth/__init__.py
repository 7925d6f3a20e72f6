"""OAuth 2.1, OpenID Connect and SMART App Launch 2.2.0: how apps get tokens, and how they give them back.

Invariants: an app never gets more than was asked for, than it may have at most, and than the person allowed; what is
good once is good once, and a second use ends what came of the first; every grant, refusal and end has its ledger entry
before its answer; nobody is sent to an address that is not the app's own. Pages where people decide are on the sign-in
host, and use ``Authorizing``.
"""

from carekeep.web.oauth.authorizing import AuthorizationRefused, AuthorizationRequest, Authorizing
from carekeep.web.oauth.routes import OAuthRoutes
from carekeep.web.oauth.well_known import Documents, api_documents, issuer_documents

__all__ = [
    "AuthorizationRefused",
    "AuthorizationRequest",
    "Authorizing",
    "Documents",
    "OAuthRoutes",
    "api_documents",
    "issuer_documents",
]
