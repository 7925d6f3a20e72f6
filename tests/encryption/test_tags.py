"""Tags: equal for equal values under one key, and saying nothing across keys."""

from hypothesis import given
from hypothesis import strategies as st

from carekeep.encryption import ScopeKeys, Tagger

values = st.lists(st.one_of(st.text(max_size=5), st.binary(max_size=5)), min_size=1, max_size=4)


@given(values, values)
def test_tags_are_equal_when_values_are(one: list[str | bytes], other: list[str | bytes]) -> None:
    tagger = Tagger(bytes(32))
    assert (tagger.tag(*one) == tagger.tag(*other)) == (one == other)
    assert (tagger.digest(*one) == tagger.digest(*other)) == (one == other)


@given(values)
def test_tags_fit_the_database(value: list[str | bytes]) -> None:
    tag = Tagger(bytes(32)).tag(*value)
    assert -(1 << 63) <= tag < 1 << 63
    assert len(Tagger(bytes(32)).digest(*value)) == 16


@given(values, st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_two_scopes_tag_differently(value: list[str | bytes], key: bytes, other: bytes) -> None:
    one, two = ScopeKeys.derived(1, key), ScopeKeys.derived(2, other)
    assert (one.tags.tag(*value) == two.tags.tag(*value)) == (key == other)


def test_both_signs_occur() -> None:
    tags = [Tagger(bytes(32)).tag(str(n)) for n in range(64)]
    assert min(tags) < 0 < max(tags)
