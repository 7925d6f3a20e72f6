"""What an anchor is: a place outside where signed tree heads are written, and cannot be unwritten."""

import re
from dataclasses import asdict, dataclass
from typing import Protocol

import orjson

from carekeep.audit.checkpoint import Checkpoint

_FIELDS = frozenset({"place", "number", "transaction"})
_PLACE = re.compile(r"[a-z0-9]{1,16}(?::[A-Za-z0-9.]{1,64}){1,4}", re.ASCII)


class AnchorUnreachable(Exception):
    """The anchor does not answer, or does not do what it is asked to. It is tried again."""


class AnchorContradicts(Exception):
    """What is anchored is not what our log is: somebody rewrote the log, put it back, or signs with our key."""


class ReceiptRefused(ValueError):
    """These bytes are no receipt."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a checkpoint was anchored, so that anybody finds it again.

    ``place`` names chain, contract and publisher (``eip155:1:0x…:0x…``); ``number`` is that of the head there, from 0;
    ``transaction`` is the hash of the transaction that wrote it, empty where it was found to be written already.
    """

    place: str
    number: int
    transaction: str = ""

    def to_json(self) -> bytes:
        """As it is kept."""
        return orjson.dumps(asdict(self))

    @classmethod
    def parse(cls, text: bytes) -> "Receipt":
        """Read the form of ``to_json``. Raises ReceiptRefused."""
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise ReceiptRefused("the receipt is no JSON") from None
        if not isinstance(found, dict) or found.keys() != _FIELDS:
            raise ReceiptRefused("the receipt has other fields than a receipt has")
        place, number, transaction = found["place"], found["number"], found["transaction"]
        if not isinstance(place, str) or not _PLACE.fullmatch(place) or not isinstance(transaction, str):
            raise ReceiptRefused("the receipt names no place")
        if type(number) is not int or number < 0:
            raise ReceiptRefused("the receipt has no number")
        return cls(place, number, transaction)


class Anchor(Protocol):
    """Where checkpoints are anchored. Both methods raise AnchorUnreachable and AnchorContradicts."""

    async def publish(self, checkpoint: Checkpoint) -> Receipt:
        """Write a checkpoint's origin, size and root, larger than all before; returns when it is written for good.

        Publishing the same one again gives the receipt of the first time.
        """
        ...

    async def check(self, receipt: Receipt, checkpoint: Checkpoint) -> None:
        """Whether this checkpoint is what was anchored there."""
        ...
