"""Streams of random numbers, one for each part of the hospital.

Every part (a household, a clinician, a chart) draws from a generator of its own, seeded by the hospital's seed and the
part's name. So one more patient, or one more draw in one chart, changes nothing elsewhere.
"""

from random import Random
from typing import Any

Resource = dict[str, Any]
"""A FHIR resource as parsed JSON. Parts that never vary (codings, units) are shared between resources: read only."""

_VARIANTS = "89ab"


def stream(seed: int, *part: str | int) -> Random:
    """The generator of one part of the hospital: equal arguments give equal numbers, in every process."""
    return Random(f"{seed}:{'/'.join(map(str, part))}")


def new_id(random: Random) -> str:
    """The next identifier of a stream: a version-4 UUID in lower case, which is a valid FHIR id."""
    bits = random.getrandbits(128)
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{_VARIANTS[bits & 3]}{text[17:20]}-{text[20:]}"
