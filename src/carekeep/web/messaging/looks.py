"""A second look at a message before it goes: is it to the right one? Pure; words as in ``sharing.second_look``."""

from collections.abc import Iterable

from carekeep.access.sharing.second_look import are_alike, names

FIRST = "You have never written to {name} before."
LIKE = "There is also {other}. Is it {name} whom you mean?"
NAMES = "Your message names {other}, but it goes to {name}."


def doubts(text: str, name: str, others: Iterable[str], *, first: bool) -> tuple[str, ...]:
    """The reasons to look again at a message to ``name``. ``others``: whom it could be meant for as well.

    ``first``: nothing was ever written to this one.
    """
    rest = tuple(dict.fromkeys(other for other in others if other != name))
    found = [FIRST.format(name=name)] if first else []
    found += [LIKE.format(other=other, name=name) for other in rest if are_alike(name, other)][:1]
    if not names(text, name):
        found += [NAMES.format(other=other, name=name) for other in rest if names(text, other)][:1]
    return tuple(found)
