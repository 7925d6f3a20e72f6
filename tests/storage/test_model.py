"""Random units of work leave every database in the state of a dictionary that does the same."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carekeep.storage import Change, Conflict, Database, Insert, Step, StorageError
from tests.storage.rows import add, delete, insert, outcome, table

TOPICS = st.sampled_from("abcdefgh")
STEPS = st.one_of(
    st.builds(insert, TOPICS, n=st.integers(0, 3)),
    st.builds(insert, TOPICS, TOPICS, n=st.integers(0, 3), ignore_existing=st.booleans()),
    st.builds(add, TOPICS, st.integers(1, 3), expect=st.sampled_from([0, 1, None])),
    st.builds(delete, TOPICS, TOPICS, expect=st.sampled_from([0, 1, 2, None])),
)
# Several units that wait at the same time, and several such times.
ROUNDS = st.lists(st.lists(st.lists(STEPS, min_size=1, max_size=3), min_size=1, max_size=6), min_size=1, max_size=4)


def apply_step(rows: dict[str, int], step: Step) -> None:
    """What the contract says of one step; raises Conflict."""
    if isinstance(step, Insert):
        for topic, n in step.rows:
            if topic in rows and not step.ignore_existing:
                raise Conflict
            rows.setdefault(str(topic), int(n or 0))
        return
    changed = 0
    for parameters in step.rows:
        topic = str(parameters[0])
        changed += topic in rows
        if step.sql.startswith("DELETE"):
            rows.pop(topic, None)
        elif topic in rows:
            rows[topic] += int(parameters[1] or 0)
    if step.expect not in {None, changed}:
        raise Conflict


def apply_unit(rows: dict[str, int], steps: list[Step]) -> tuple[dict[str, int], type[StorageError] | None]:
    changed = dict(rows)
    try:
        for step in steps:
            apply_step(changed, step)
    except Conflict:
        return rows, Conflict
    return changed, None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rounds=ROUNDS)
async def test_a_database_does_what_a_dictionary_does(database: Database, rounds: list[list[list[Step]]]) -> None:
    await database.commit([Change("DELETE FROM generation", [()])])
    rows: dict[str, int] = {}
    for units in rounds:
        expected = []
        for steps in units:
            rows, ended = apply_unit(rows, steps)
            expected.append(ended)
        assert await asyncio.gather(*(outcome(database, steps) for steps in units)) == expected
        assert await table(database) == rows
