"""What policies could see of a request, as the ledger keeps it: so that other policies can be asked the same later.

One JSON object with the members of ``Visible`` by name. What has its usual value is left out, so that an entry stays
short, and so that entries from before there was a member can be read.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import orjson

from carekeep.access.decision import Visible
from carekeep.access.vocabulary import Action, Agreement, DeviceTrust, Purpose, Relation

_USUAL: Mapping[str, Any] = MappingProxyType(
    {
        "identified": True,
        "grants": frozenset(),
        "app": None,
        "type": "",
        "labels": (),
        "relations": frozenset(),
        "break_glass": False,
        "assurance": 1,
        "authenticated_minutes": 0,
        "risk": 0,
        "zone": "inside",
        "device": DeviceTrust.UNKNOWN,
        **Visible._field_defaults,
    }
)
_READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "grants": frozenset,
        "action": Action,
        "labels": tuple,
        "purpose": Purpose,
        "relations": lambda names: frozenset(map(Relation, names)),
        "device": DeviceTrust,
        "consent": Agreement,
    }
)


class SeenUnreadable(ValueError):
    """What an entry says of what policies saw cannot be asked again; the message says why."""


def encode_seen(seen: Visible) -> str:
    """The text for ``Entry.seen``. Raises ValueError for what JSON cannot carry."""
    members = seen._asdict()
    told = {name: value for name, value in members.items() if name not in _USUAL or _USUAL[name] != value}
    return orjson.dumps(told, default=sorted).decode()


def decode_seen(text: str) -> Visible:
    """The reverse. Raises SeenUnreadable: it is from another version, with words that are not known any more."""
    try:
        return visible_of(orjson.loads(text))
    except (TypeError, ValueError, AttributeError):
        raise SeenUnreadable("it says things that policies of this version do not know") from None


def visible_of(members: Mapping[str, Any]) -> Visible:
    """What policies see, from plain values by the names of ``Visible``; the usual ones may be missing.

    Raises TypeError and ValueError for names and words that are not known.
    """
    values = {name: _READERS.get(name, _as_it_is)(value) for name, value in members.items()}
    return Visible(**{**_USUAL, **values})


def _as_it_is(value: Any) -> Any:
    if isinstance(value, dict):
        raise SeenUnreadable("it holds what no policy of this version sees")
    return tuple(value) if isinstance(value, list) else value
