"""Visits that patients arrange themselves: finding a free time, taking it, another instead, giving it back.

Invariants: a time and the appointment that takes it change in one unit, with one ledger entry; of all who want a time
one gets it (the version of its Slot is the guard); nobody books for somebody else, or a time that is not offered.
"""

from carekeep.web.booking.booking import book, cancel, move
from carekeep.web.booking.offers import Offers, Wishes, look_for
from carekeep.web.booking.rules import NotBookable, TimeTaken

__all__ = ["NotBookable", "Offers", "TimeTaken", "Wishes", "book", "cancel", "look_for", "move"]
