"""A simulated hospital: staff, families, charts, and who reads them. It serves the demo, the tests and the benchmarks.

Everything follows from a seed and a moment; no real person, no network, no clock. Resources are plain FHIR R4
dictionaries that share their constant parts, so they are to be read and not changed. Nothing in the product imports
this room but the demo command.
"""

from carekeep.simulation.access_events import AccessEvent, Misuse
from carekeep.simulation.activity import activity
from carekeep.simulation.cast import Person, Scene
from carekeep.simulation.chart import Chart
from carekeep.simulation.hospital import Hospital
from carekeep.simulation.streams import Resource

__all__ = ["AccessEvent", "Chart", "Hospital", "Misuse", "Person", "Resource", "Scene", "activity"]
