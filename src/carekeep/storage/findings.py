"""What a verification found wrong."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was written: ``where`` it is (a table and key, a tile, a file) and ``what`` is wrong.

    Both are sentences or names for people, and hold no health data.
    """

    where: str
    what: str
