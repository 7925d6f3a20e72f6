"""What a person can do about a denial by signing in again (RFC 9470): found by asking the policies once more."""

from collections.abc import Callable, Iterator

from carekeep.access.decision import StepUp, Visible

HIGHEST_ASSURANCE = 3
_QUARTER_MINUTES = 15
# The loosest first. An age is seen in whole quarters: less than an hour is at most 45.
_AGES_MINUTES = (45, 30, 15, 0)


def least_step_up(seen: Visible, permits: Callable[[Visible], bool]) -> StepUp | None:
    """The lowest level of assurance, and for it the oldest sign-in, with which a denied request would be permitted.

    None when signing in again would change nothing. Policies are taken to want more assurance and a newer sign-in,
    never less.
    """
    if not permits(seen._replace(assurance=HIGHEST_ASSURANCE, authenticated_minutes=0)):
        return None
    for step in _steps(seen):
        minutes = seen.authenticated_minutes if step.max_age_s is None else step.max_age_s // 60 - _QUARTER_MINUTES
        if permits(seen._replace(assurance=step.assurance, authenticated_minutes=minutes)):
            return step
    return None


def _steps(seen: Visible) -> Iterator[StepUp]:
    """What could be asked for, the least first."""
    for assurance in range(seen.assurance, HIGHEST_ASSURANCE + 1):
        yield StepUp(assurance, None)
        for minutes in _AGES_MINUTES:
            if minutes < seen.authenticated_minutes:
                yield StepUp(assurance, (minutes + _QUARTER_MINUTES) * 60)


def together(steps: list[StepUp | None]) -> StepUp | None:
    """What is enough for all of several denials; None when nothing is enough for one of them."""
    known = [step for step in steps if step is not None]
    if len(known) < len(steps) or not known:
        return None
    ages = [step.max_age_s for step in known if step.max_age_s is not None]
    return StepUp(max(step.assurance for step in known), min(ages, default=None))
