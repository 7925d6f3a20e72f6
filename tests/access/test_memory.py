"""A memory against a plain model of it."""

from hypothesis import given
from hypothesis import strategies as st

from carekeep.access.memory import Memory, Remembered

steps = st.lists(
    st.tuples(st.sampled_from(["keep", "recall", "forget"]), st.integers(0, 5), st.integers(0, 20)), max_size=60
)


@given(steps)
def test_the_least_recently_asked_leave_first(script: list[tuple[str, int, int]]) -> None:
    memory: Memory[int, int] = Memory(3)
    model: dict[int, int] = {}  # key to its end, the least recently asked first
    for now, (step, key, until) in enumerate(script):
        if step == "forget":
            memory.forget()
            model.clear()
        elif step == "keep":
            memory.keep(key, Remembered(key, until), memory.age)
            model.pop(key, None)
            model[key] = until
            if len(model) > 3:
                del model[next(iter(model))]
        else:
            holds = model.get(key, 0) > now
            found = memory.recall(key, now)
            assert (found is not None) == holds
            if holds:
                model[key] = model.pop(key)


def test_what_was_begun_before_forgetting_is_not_kept() -> None:
    memory: Memory[str, int] = Memory(3)
    age = memory.age
    memory.forget()
    memory.keep("a", Remembered(1, 100), age)
    assert memory.recall("a", 0) is None
