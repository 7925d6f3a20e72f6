"""How strictly resources are validated when they are written, by their type."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from carekeep.fhir.definitions import RESOURCE_TYPES

Mode = Literal["strict", "lenient"]
_MODES: Final[Mapping[object, Mode]] = {"strict": "strict", "lenient": "lenient"}
_DEFAULT, _EXISTENCE = "default", "reference_existence"


class StrictnessRefused(Exception):
    """A table that says something else than how strictly to validate. Its text says what, and what to write."""


@dataclass(frozen=True, slots=True)
class Strictness:
    """``strict`` refuses what breaks a rule; ``lenient`` warns of it, unless the resource could not be read any more.

    ``default`` is for the types that ``types`` does not name. References in resources of the types in ``existence``
    must point to what is there (relative ones, and absolute ones of this server).
    """

    default: Mode = "strict"
    types: Mapping[str, Mode] = field(default_factory=lambda: MappingProxyType({}))
    existence: frozenset[str] = frozenset()

    def is_lenient(self, type_: str) -> bool:
        """Whether broken rules of a type's resources are warned of only."""
        return self.types.get(type_, self.default) == "lenient"

    @classmethod
    def read(cls, table: Mapping[str, object]) -> "Strictness":
        """From a table of settings: ``default``, ``reference_existence``, and types. Raises StrictnessRefused."""
        types: dict[str, Mode] = {}
        for name, value in table.items():
            if name == _EXISTENCE:
                continue
            if name != _DEFAULT and name not in RESOURCE_TYPES:
                raise StrictnessRefused(f"{name!r} is neither default, reference_existence nor a resource type of R4")
            if value not in _MODES:
                raise StrictnessRefused(f'{name} must be "strict" or "lenient"')
            types[name] = _MODES[value]
        default = types.pop(_DEFAULT, "strict")
        return cls(default, MappingProxyType(types), _existence(table.get(_EXISTENCE, False)))

    def __str__(self) -> str:
        """In a word, where there is no more to say than one."""
        return ", ".join(f"{name} = {value}" for name, value in self.table().items())

    def table(self) -> dict[str, object]:
        """The table that ``read`` reads."""
        existence = sorted(self.existence)
        return {_DEFAULT: self.default, **self.types, **({_EXISTENCE: existence} if existence else {})}


def _existence(given: object) -> frozenset[str]:
    if isinstance(given, bool):
        return RESOURCE_TYPES if given else frozenset()
    if isinstance(given, list) and all(isinstance(name, str) and name in RESOURCE_TYPES for name in given):
        return frozenset(given)
    raise StrictnessRefused("reference_existence must be true, false, or a list of resource types of R4")
