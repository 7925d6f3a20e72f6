"""What somebody signs about themselves to prove who they are (RFC 7523 §3): for one server, for minutes, and once."""

from typing import Any

from carekeep.identity.apps.signed import NotSigned, seconds

LIFETIME_MS = 300_000
SKEW_MS = 10_000
"""Clocks are allowed to differ by this much, in both directions."""

_LONGEST_ID = 256


def check_claims(claims: dict[str, Any], issuer: str, audiences: tuple[str, ...], now_ms: int) -> None:
    """That a statement is by its issuer about itself, for one of these audiences, and fresh. Raises NotSigned."""
    if claims.get("iss") != issuer or claims.get("sub") != issuer:
        raise NotSigned("it is not of the client about itself")
    audience = claims.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    if not isinstance(audience, str) or audience not in audiences:
        raise NotSigned("it is for another server")
    ends = seconds(claims, "exp")
    if ends is None or ends * 1000 <= now_ms - SKEW_MS:
        raise NotSigned("it is over, or does not say when it will be")
    if ends * 1000 > now_ms + LIFETIME_MS + SKEW_MS:
        raise NotSigned("it is good for more than five minutes")
    for name in ("iat", "nbf"):
        if name in claims and ((since := seconds(claims, name)) is None or since * 1000 > now_ms + SKEW_MS):
            raise NotSigned("it is from the future")
    id_ = claims.get("jti")
    if not isinstance(id_, str) or not 0 < len(id_) <= _LONGEST_ID:
        raise NotSigned("it has no usable id")


def used_until_ms(claims: dict[str, Any]) -> int:
    """Until when the id of a statement must be remembered: it is not accepted any more then."""
    return int(claims["exp"] * 1000) + SKEW_MS + 1
