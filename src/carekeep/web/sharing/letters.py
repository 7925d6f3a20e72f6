"""What goes out by mail: no health data, and no patient's name."""

from carekeep.access.sharing import Guest
from carekeep.fhir import format_instant
from carekeep.web.outgoing.mailing import Letter


def invitation_letter(guest: Guest, inviter: str, link: str, message: str) -> Letter:
    """The letter to somebody who is invited. ``link``: where they take it up.

    ``message``: what the inviter writes; looked at before it comes here.
    """
    lines = [
        f"Dear {guest.name},",
        "",
        f"{inviter} invites you to read records of a patient, until {format_instant(guest.ends_ms)}.",
        *(["", message] if message else []),
        "",
        f"Open this link: {link}",
        "",
        "You need a code of six digits as well. Ask whoever invited you for it, by telephone: it is in no letter.",
        "The invitation can be taken up once, within three days. What you read is recorded; the patient can see it.",
        "",
        "If you do not know what this is about, do nothing, and it ends by itself.",
    ]
    return Letter(guest.address, "An invitation to read a patient's records", "\n".join(lines) + "\n")
