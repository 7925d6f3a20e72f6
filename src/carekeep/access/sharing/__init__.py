"""Sharing with people outside: links that patients hand on, guests for a time, and a second look before it leaves.

Whether somebody may share is for the policies; this keeps what was shared. What a link leads to is encrypted with a key
that this server never sees, and all of it is sealed with the patient's key: it is forgotten with the patient. Nothing
is cached: what was ended is over in every worker with the commit.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from carekeep.access.sharing.confirming import Confirmations
from carekeep.access.sharing.guest import Guest, GuestOrder, GuestRefused
from carekeep.access.sharing.guests import Guests, Invited, LetIn, is_guest_token
from carekeep.access.sharing.known_recipients import KnownRecipients
from carekeep.access.sharing.link import Link, LinkOrder, LinkRefused, SharedFile
from carekeep.access.sharing.second_look import Around, Extent, Period, Plan, Question, questions
from carekeep.access.sharing.shared_links import IssuedLink, SharedLinks
from carekeep.encryption import Keyring
from carekeep.storage import Clock, Database

__all__ = [
    "Around",
    "Confirmations",
    "Extent",
    "Guest",
    "GuestOrder",
    "GuestRefused",
    "Guests",
    "Invited",
    "IssuedLink",
    "KnownRecipients",
    "LetIn",
    "Link",
    "LinkOrder",
    "LinkRefused",
    "Period",
    "Plan",
    "Question",
    "SharedFile",
    "SharedLinks",
    "Sharing",
    "is_guest_token",
    "questions",
]


@dataclass(frozen=True, slots=True)
class Sharing:
    """All of it, of one installation."""

    links: SharedLinks
    guests: Guests
    recipients: KnownRecipients
    confirmations: Confirmations

    @classmethod
    def over(
        cls, database: Database, keyring: Keyring, clock: Clock, random: Callable[[int], bytes] = os.urandom
    ) -> "Sharing":
        """Over one database."""
        return cls(
            SharedLinks(database, keyring, clock, random),
            Guests(database, keyring, clock, random),
            KnownRecipients(database, keyring),
            Confirmations(keyring, clock),
        )
