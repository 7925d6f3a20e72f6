"""Canonical URLs: a URL, and after ``|`` the version that is meant (FHIR R4, references.html#canonical)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Canonical:
    """``version`` None means any."""

    url: str
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Canonical":
        """``url`` or ``url|version``; a fragment is no part of what is looked for."""
        url, _, version = text.partition("|")
        return cls(url.partition("#")[0], version or None)

    def __str__(self) -> str:
        return self.url if self.version is None else f"{self.url}|{self.version}"
