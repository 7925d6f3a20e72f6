"""What an installation says of the trust community that it belongs to (UDAP): its name, and files."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_NAMES = ("community", "anchors", "revoked", "certificate", "key")


class CommunityRefused(ValueError):
    """The setting cannot be used; the text says which part of it."""


@dataclass(frozen=True, slots=True)
class CommunitySettings:
    """The table ``[udap]``. All empty: there is no community.

    ``community``: its URI. The rest are PEM files, relative to the home folder: the community's ``anchors``, the lists
    of certificates that it ``revoked``, this server's ``certificate`` chain and its ``key``.
    """

    community: str = ""
    anchors: str = ""
    revoked: str = ""
    certificate: str = ""
    key: str = ""
    home: Path = Path()

    def __bool__(self) -> bool:
        """Whether there is a community."""
        return bool(self.community)

    def path(self, name: str) -> Path:
        """One of the files."""
        return self.home / str(getattr(self, name))

    @classmethod
    def read(cls, table: dict[str, Any], home: Path) -> "CommunitySettings":
        """The settings in a table. Raises CommunityRefused."""
        if set(table) != set(_NAMES) or not all(isinstance(value, str) and value for value in table.values()):
            raise CommunityRefused(f"there must be {', '.join(_NAMES)}, each a text.")
        return cls(**table, home=home)

    def table(self) -> dict[str, str]:
        """The reverse of ``read``."""
        return {name: value for name, value in asdict(self).items() if name != "home"}
