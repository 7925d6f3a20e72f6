"""How the pages say times, ways of signing in, and what happened."""

import datetime
from collections.abc import Mapping
from types import MappingProxyType

from carekeep.identity.notices import Notice

_WAYS: Mapping[str, str] = MappingProxyType(
    {
        "hwk": "with a passkey of one device",
        "swk": "with a passkey",
        "otp": "with password and code",
        "fed": "at the organization's directory",
    }
)

# What the kinds of notices mean to the owner of the account.
_NOTICES: Mapping[str, str] = MappingProxyType(
    {
        "passkey.added": "A passkey was added: {name}.",
        "passkey.removed": "A passkey was removed: {name}.",
        "password.changed": "Your password was changed.",
        "totp.changed": "Another authenticator app is used now.",
        "recovery-codes.made": "New recovery codes were made; the old ones are worthless.",
        "recovery-code.used": "A recovery code was used to sign in. Codes that are left: {left}.",
        "app.allowed": "You allowed an app to act for you: {app}.",
        "app.stopped": "An app was stopped: {app}.",
        "sessions.ended": "All sign-ins were ended.",
        "outside.linked": "Your account was joined with a sign-in at {provider}.",
        "invitation.used": "You set up how you sign in.",
        "device.enrolled": "A device was enrolled: {device}.",
        "device.lost": "A device was reported lost: {device}.",
        "device.retired": "A device went out of use: {device}.",
        "device.changed": "A device was changed by an administrator: {device} is {state} now.",
        "emergency.opened": "{by} opened your records in an emergency. This is being reviewed.",
        "recovery.opened": "A recovery of your account was opened by an administrator: {by}.",
        "recovery.approved": "The recovery of your account was approved by a second administrator: {by}.",
        "recovery.rejected": "The recovery of your account was rejected: by {by}.",
    }
)


class _Missing(dict[str, str]):
    def __missing__(self, _key: str) -> str:
        return "(not known)"


def moment(ms: int) -> str:
    """A time for people, in UTC."""
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).strftime("%-d %B %Y, %H:%M UTC")


def day(ms: int | None) -> str:
    """A day for people; "never" for none."""
    return "never" if ms is None else datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).strftime("%-d %B %Y")


def way(methods: tuple[str, ...]) -> str:
    """How somebody signed in."""
    return next((text for method, text in _WAYS.items() if method in methods), "with a password alone")


def notice_in_words(notice: Notice) -> str:
    """The sentence of a notice; of a kind that is not known here, the kind."""
    sentence = _NOTICES.get(notice.kind, notice.kind)
    return sentence.format_map(_Missing(notice.facts))
