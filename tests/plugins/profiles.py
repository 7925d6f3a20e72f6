"""How hard Hypothesis searches. ``HYPOTHESIS_PROFILE=thorough make test`` for a long look."""

import os

from hypothesis import HealthCheck, settings

# No deadline: the machine is shared, and a slow moment of it is not a failure of ours.
# `too_slow` is off for the same reason.
settings.register_profile(
    "default", deadline=None, max_examples=50, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
# A verdict on a change must depend on the change alone, not on the luck of the draw.
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, max_examples=100, database=None)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=2_000)

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))
