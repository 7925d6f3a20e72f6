"""What people write when records are held or disposed of."""

_SHORTEST, _LONGEST = 10, 1000


class DisposalRefused(ValueError):
    """A hold or a disposal cannot be made like this. The message says why, and names nobody."""


def written(reason: str) -> str:
    """The reason without space around it. Raises DisposalRefused."""
    text = reason.strip()
    if not _SHORTEST <= len(text) <= _LONGEST or not text.isprintable():
        raise DisposalRefused(f"Write a reason of {_SHORTEST} to {_LONGEST} printable characters.")
    return text
