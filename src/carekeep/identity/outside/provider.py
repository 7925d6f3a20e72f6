"""What the settings say of a provider outside: where it is, what we are to it, and what its roles mean here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from carekeep.encryption import Secret
from carekeep.identity.account import Kind

_NAME = re.compile(r"[a-z0-9-]{1,32}")
_MAY_COME = frozenset(Kind) - {Kind.APP, Kind.GUEST}


class ProviderInvalid(ValueError):
    """A table ``[federation.…]`` of the settings cannot be used; the text says what of it."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider.

    ``name``: how our URLs call it. ``roles``: their word in the claim ``role_claim``, and the kind of account that it
    means. ``strong``: values of ``acr`` or ``amr`` that mean assurance level 2. ``creates``: whether a person whom we
    do not know is given an account at the first sign-in.
    """

    name: str
    title: str
    issuer: str
    client_id: str
    client_secret: Secret | None = field(default=None, repr=False)
    roles: Mapping[str, Kind] = field(default_factory=dict)
    role_claim: str = "groups"
    login_claim: str = "preferred_username"
    fhir_user_claim: str = "fhirUser"
    strong: frozenset[str] = frozenset({"mfa", "hwk", "phr", "phrh"})
    creates: bool = False

    def kind_of(self, claims: Mapping[str, Any]) -> Kind | None:
        """The kind of account that a person's roles mean; None when none of them means one, or they mean several."""
        said = claims.get(self.role_claim)
        words = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        kinds = {self.roles[word] for word in words if isinstance(word, str) and word in self.roles}
        return kinds.pop() if len(kinds) == 1 else None

    def assurance_of(self, claims: Mapping[str, Any]) -> int:
        """The assurance level that the provider vouches for: 2 for what the settings call strong, else 1."""
        amr = claims.get("amr")
        said = {claims.get("acr"), *(amr if isinstance(amr, list) else ())}
        return 2 if any(isinstance(word, str) and word in self.strong for word in said) else 1


@dataclass(frozen=True, slots=True)
class Providers:
    """Every provider that the settings name."""

    all: tuple[Provider, ...] = ()

    @classmethod
    def read(cls, table: Mapping[str, Any], home: Path) -> "Providers":
        """The settings' table ``[federation]``; secret files are relative to ``home``. Raises ProviderInvalid."""
        return cls(tuple(_provider(name, entry, home) for name, entry in table.items()))

    def table(self) -> dict[str, str]:
        """What stands there, for people: the titles."""
        return {provider.name: provider.title for provider in self.all}


def _provider(name: str, entry: Any, home: Path) -> Provider:
    where = f"[federation.{name}]"
    if not _NAME.fullmatch(name) or not isinstance(entry, dict):
        raise ProviderInvalid(f"{where} must be a table, named with lower-case letters, digits and hyphens.")
    known = set(Provider.__dataclass_fields__) - {"name", "client_secret"} | {"client_secret_file"}
    if unknown := sorted(entry.keys() - known):
        raise ProviderInvalid(f"{where}: unknown {unknown[0]!r}. Known are: {', '.join(sorted(known))}.")
    for needed in ("title", "issuer", "client_id", "roles"):
        if not entry.get(needed):
            raise ProviderInvalid(f"{where}: {needed} is missing.")
    values = {key: value for key, value in entry.items() if key not in {"roles", "strong", "client_secret_file"}}
    wrong = [key for key, value in values.items() if not isinstance(value, bool if key == "creates" else str)]
    if wrong:
        raise ProviderInvalid(f"{where}: {wrong[0]} has the wrong type.")
    issuer = urlsplit(entry["issuer"])
    if issuer.scheme != "https" or not issuer.hostname or issuer.query or issuer.fragment:
        raise ProviderInvalid(f"{where}: issuer must be an https URL.")
    if "strong" in entry:
        values["strong"] = frozenset(_words(entry["strong"], f"{where}: strong"))
    return Provider(name=name, roles=_roles(entry["roles"], where), client_secret=_secret(entry, home, where), **values)


def _roles(said: Any, where: str) -> Mapping[str, Kind]:
    if not isinstance(said, dict) or not all(kind in _MAY_COME for kind in said.values()):
        kinds = ", ".join(sorted(_MAY_COME))
        raise ProviderInvalid(f"{where}: roles must be a table of their words, each meaning one of {kinds}.")
    return {word: Kind(kind) for word, kind in said.items()}


def _words(said: Any, where: str) -> list[str]:
    if not isinstance(said, list) or not all(isinstance(word, str) for word in said):
        raise ProviderInvalid(f"{where} must be a list of words.")
    return said


def _secret(entry: Mapping[str, Any], home: Path, where: str) -> Secret | None:
    if "client_secret_file" not in entry:
        return None
    try:
        return Secret((home / str(entry["client_secret_file"])).read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        raise ProviderInvalid(f"{where}: client_secret_file cannot be read.") from None
