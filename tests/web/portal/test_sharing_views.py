"""Who opened which link, out of the ledger's entries."""

from carekeep.audit import Agent, Entry
from carekeep.web.portal.sharing_views import MOST_OPENINGS, Opening, openings_of
from carekeep.web.sharing.opening import OPEN

LINK, OTHER = "a" * 32, "b" * 32


def entry(at_ms: int, **changes: str) -> Entry:
    facts = {"action": OPEN, "outcome": "permitted", "query": f"link {LINK}, 1 files", "recipient": "Dr. W"} | changes
    return Entry(agent=Agent(account="", role="recipient"), purpose="PATRQT", request_id="x", at_ms=at_ms, **facts)  # type: ignore[arg-type]


def test_openings_stand_with_their_link_the_newest_first() -> None:
    entries = [entry(3), entry(2, query=f"link {OTHER}, 1 files", recipient="Dr. O"), entry(1)]
    assert openings_of(entries) == {
        LINK: (Opening("Dr. W", 3), Opening("Dr. W", 1)),
        OTHER: (Opening("Dr. O", 2),),
    }


def test_nothing_else_is_an_opening() -> None:
    others = ({"action": "fhir:record:read"}, {"outcome": "denied"}, {"query": "link x, 1 files"}, {"query": ""})
    assert openings_of(entry(1, **each) for each in others) == {}


def test_a_link_shows_so_many_at_most() -> None:
    assert len(openings_of(entry(n) for n in range(50))[LINK]) == MOST_OPENINGS
