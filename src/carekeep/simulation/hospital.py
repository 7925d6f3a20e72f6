"""The simulated hospital as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice

from carekeep.simulation import cast as demo
from carekeep.simulation.cast import Person, Scene
from carekeep.simulation.chart import Chart, chart
from carekeep.simulation.courses import PSYCHOTHERAPY
from carekeep.simulation.facility import premises, team_resources
from carekeep.simulation.population import district_of, households
from carekeep.simulation.profile import Profile, profile
from carekeep.simulation.staff import team
from carekeep.simulation.streams import Resource


@dataclass(frozen=True, slots=True)
class Hospital:
    """A hospital with its staff and ``patients`` patients, as it is at ``now`` (with a time zone).

    The same seed and ``now`` give the same hospital in every process. Patients are numbered: those of a small hospital
    are the first of a large one, resource for resource. Nothing is kept: each iterator writes as it is read, and holds
    one household in memory.
    """

    seed: int
    patients: int
    now: datetime

    def __post_init__(self) -> None:
        """Refuse a hospital without patients or a time without a zone (ValueError); keep ``now`` in UTC and seconds."""
        if self.patients < 1:
            raise ValueError(f"A hospital needs at least one patient, not {self.patients}.")
        if self.now.tzinfo is None:
            raise ValueError("The hospital's `now` needs a time zone, such as datetime.UTC.")
        object.__setattr__(self, "now", self.now.astimezone(UTC).replace(microsecond=0))

    def profiles(self) -> Iterator[Profile]:
        """Who the patients are and who cares for them, without their charts."""
        return islice(self._everyone(), self.patients)

    def directory(self) -> Iterator[Resource]:
        """What belongs to no patient: organisations, places, services, devices, staff, schedules, free slots.

        Referenced resources come before those that refer to them.
        """
        yield from premises(self.seed)
        everyone = households(self.seed, self.patients, self.now.date())
        for district, _ in groupby(everyone, key=lambda found: district_of(found.number)):
            yield from team_resources(self.seed, team(self.seed, district, self.now.date()), self.now)

    def people(self) -> Iterator[Chart]:
        """The charts of the patients, in the order of their households."""
        for found in self.profiles():
            yield chart(self.seed, found, self.now)

    def cast(self) -> tuple[Person, ...]:
        """Who signs in to the demo."""
        return tuple(demo.people(self.seed, self.patients, self.now).values())

    def scenes(self) -> tuple[Scene, ...]:
        """What the demo shows: who may read what, and who may not."""
        mother = next(self.people())
        note = next(item for item in mother.resources if item.get("meta") is PSYCHOTHERAPY)
        reference = f"{note['resourceType']}/{note['id']}"
        return demo.scenes(self.seed, self.patients, self.now, reference)

    def _everyone(self) -> Iterator[Profile]:
        for found in households(self.seed, self.patients, self.now.date()):
            for member in found.members:
                yield profile(self.seed, found, member, self.now)
