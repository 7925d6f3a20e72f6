"""Hospitals that several tests look at, made once."""

from datetime import UTC, datetime
from functools import cache

from carekeep.simulation import Chart, Hospital, Resource

NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)


@cache
def charts(patients: int, seed: int = 1) -> tuple[Chart, ...]:
    """The charts of a hospital."""
    return tuple(Hospital(seed, patients, NOW).people())


@cache
def directory(patients: int, seed: int = 1) -> tuple[Resource, ...]:
    """The directory of a hospital."""
    return tuple(Hospital(seed, patients, NOW).directory())
