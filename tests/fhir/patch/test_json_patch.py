"""JSON Patch: the RFC's cases, a slow model beside it, and what no patch may do to a resource."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.fhir import dump_json, parse_json, validate
from carekeep.fhir.patch import PatchRefused, read_json_patch
from tests.fhir.patch.json_patch_cases import CASES, MALFORMED, REFUSED, op
from tests.fhir.resources import example

Json = dict[str, Any]
BASE: Json = {"resourceType": "Basic", "id": "x"}


def wrapped(document: Any) -> Json:
    """A document of any form as the content of something that keeps its type and id."""
    return {**BASE, "content": document}


def below_content(operation: Json) -> Json:
    return {key: f"/content{value}" if key in {"path", "from"} else value for key, value in operation.items()}


@pytest.mark.parametrize(("name", "document", "patch", "after"), CASES, ids=[case[0] for case in CASES])
def test_a_patch_does_what_the_rfc_says(name: str, document: Any, patch: list[Json], after: Any) -> None:
    del name
    before = copy.deepcopy(document)
    read = read_json_patch([below_content(operation) for operation in patch])
    if after is REFUSED:
        with pytest.raises(PatchRefused) as refused:
            read.apply(wrapped(document))
        assert not refused.value.malformed
        assert refused.value.issue.expression.startswith("patch[")
    else:
        assert read.apply(wrapped(document)) == wrapped(after)
    assert document == before


@pytest.mark.parametrize(("name", "patch", "place"), MALFORMED, ids=[case[0] for case in MALFORMED])
def test_what_is_no_patch_is_refused_before_it_meets_a_record(name: str, patch: list[Any], place: str) -> None:
    del name
    with pytest.raises(PatchRefused) as refused:
        read_json_patch(patch)
    assert refused.value.malformed
    assert refused.value.issue.expression == place


@pytest.mark.parametrize(
    "operation",
    [
        op("replace", "/id", value="other"),
        op("remove", "/id"),
        op("replace", "/resourceType", value="Group"),
        op("remove", "/resourceType"),
        op("replace", "/meta/versionId", value="9"),
        op("add", "/meta", value={"lastUpdated": "2020-01-01T00:00:00Z"}),
        op("replace", "", value=[]),
        op("replace", "", value={"resourceType": "Patient", "id": "p2"}),
        op("remove", ""),
    ],
)
def test_whose_record_it_is_cannot_be_patched(operation: Json) -> None:
    patient = {"resourceType": "Patient", "id": "p1", "meta": {"versionId": "1", "lastUpdated": "2026-01-01T00:00:00Z"}}
    with pytest.raises(PatchRefused) as refused:
        read_json_patch([operation]).apply(patient)
    assert not refused.value.malformed


def test_tags_can_be_patched() -> None:
    patient = {"resourceType": "Patient", "id": "p1", "meta": {"versionId": "1"}}
    after = read_json_patch([op("add", "/meta/tag", value=[{"code": "a"}])]).apply(patient)
    assert after["meta"] == {"versionId": "1", "tag": [{"code": "a"}]}


def test_decimals_keep_their_digits() -> None:
    body = b'{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.10}}'
    after = read_json_patch([op("copy", "/component", from_="/valueQuantity")]).apply(parse_json(body))
    assert b'"component":{"value":1.10}' in dump_json(after)


def test_a_test_compares_long_decimals_exactly() -> None:
    body = b'{"resourceType":"Observation","id":"o","v":0.10000000000000000001}'
    value = parse_json(b'{"v":0.10000000000000000002}')["v"]
    with pytest.raises(PatchRefused):
        read_json_patch([op("test", "/v", value=value)]).apply(parse_json(body))


def test_copies_cannot_grow_without_bound() -> None:
    patch = read_json_patch([op("copy", "/content/-", from_="/content")] * 40)
    with pytest.raises(PatchRefused) as refused:
        patch.apply(wrapped([0] * 10))
    assert refused.value.issue.code == "too-costly"


def test_nesting_is_bounded() -> None:
    deep: Any = 1
    for _ in range(20):
        deep = [deep]
    patch = [op("add", "/content", value=deep), op("add", "/content" + "/0" * 19, value=deep)]
    with pytest.raises(PatchRefused) as refused:
        read_json_patch(patch).apply(dict(BASE))
    assert refused.value.issue.code == "too-costly"


def test_a_patch_shows_no_values_in_its_repr() -> None:
    assert "Moreau" not in repr(read_json_patch([op("add", "/a", value="Moreau")]))


# ---------------------------------------------------------------------------------------- beside a slow model

names = st.sampled_from(["a", "b", "~", "/", ""])
documents = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
pointers = st.lists(names | st.sampled_from(["0", "1", "2", "-"]), max_size=3).map(tuple)


def written(pointer: tuple[str, ...]) -> str:
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in pointer)


@st.composite
def operations(draw: st.DrawFn) -> Json:
    kind = draw(st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]))
    operation: Json = {"op": kind, "path": written(draw(pointers))}
    if kind in {"add", "replace", "test"}:
        operation["value"] = draw(documents)
    if kind in {"move", "copy"}:
        operation["from"] = written(draw(pointers))
    return operation


class Impossible(Exception):
    """The model cannot do it."""


def model(document: Any, operation: Json) -> Any:
    """RFC 6902 by rebuilding the whole document for each operation, from the definitions and nothing else."""
    path = read(operation["path"])
    match operation["op"]:
        case "add":
            return added(document, path, operation["value"])
        case "remove":
            return removed(document, path)
        case "replace":
            at(document, path)
            return added(removed(document, path), path, operation["value"]) if path else operation["value"]
        case "move":
            source = read(operation["from"])
            if len(source) < len(path) and path[: len(source)] == source:
                raise Impossible
            return added(removed(document, source), path, at(document, source))
        case "copy":
            return added(document, path, at(document, read(operation["from"])))
        case _:
            if dump_json({"v": ordered(at(document, path))}) != dump_json({"v": ordered(operation["value"])}):
                raise Impossible
            return document


def read(pointer: str) -> tuple[str, ...]:
    return tuple(name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:])


def ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return [[name, ordered(value[name])] for name in sorted(value)]
    return [ordered(item) for item in value] if isinstance(value, list) else value


def at(document: Any, path: tuple[str, ...]) -> Any:
    if not path:
        return document
    head, *rest = path
    if isinstance(document, dict) and head in document:
        return at(document[head], tuple(rest))
    if isinstance(document, list) and head in [str(number) for number in range(len(document))]:
        return at(document[int(head)], tuple(rest))
    raise Impossible


def rebuilt(document: Any, head: str, inner: Any) -> Any:
    if isinstance(document, dict):
        return {**document, head: inner}
    return [inner if position == int(head) else item for position, item in enumerate(document)]


def added(document: Any, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    head, *rest = path
    if rest:
        return rebuilt(document, head, added(at(document, (head,)), tuple(rest), value))
    if isinstance(document, dict):
        return {**document, head: value}
    places = [*map(str, range(len(document) + 1))] if isinstance(document, list) else []
    if head not in [*places, "-"] or not isinstance(document, list):
        raise Impossible
    position = len(document) if head == "-" else int(head)
    return [*document[:position], value, *document[position:]]


def removed(document: Any, path: tuple[str, ...]) -> Any:
    at(document, path)
    if not path:
        raise Impossible
    head, *rest = path
    if rest:
        return rebuilt(document, head, removed(at(document, (head,)), tuple(rest)))
    if isinstance(document, dict):
        return {name: value for name, value in document.items() if name != head}
    return [item for position, item in enumerate(document) if position != int(head)]


@given(documents, st.lists(operations(), min_size=1, max_size=4))
def test_a_patch_does_what_a_slow_model_does(document: Any, patch: list[Json]) -> None:
    whole = {**BASE, "content": document}
    below = [below_content(operation) for operation in patch]
    read_patch = read_json_patch(below)
    expected: Any = whole
    try:
        for operation in below:
            expected = model(expected, operation)
    except Impossible:
        with pytest.raises(PatchRefused):
            read_patch.apply(whole)
    else:
        assert ordered(read_patch.apply(whole)) == ordered(expected)


# ------------------------------------------------------------------------------------ on resources

places = st.sampled_from(
    ["/status", "/code", "/code/coding/0", "/code/coding/0/code", "/component", "/component/0", "/component/-",
     "/subject", "/subject/reference", "/performer/-", "/performer/1", "/effectiveDateTime", "/note", "/id", "/meta"]
)  # fmt: skip
values = st.sampled_from(
    ["final", "x", 1, None, [], {}, {"reference": "Patient/p1"}, [{"text": "a"}], {"text": "a"}, {"code": "8480-6"}]
)


@given(st.lists(st.tuples(st.sampled_from(["add", "replace", "remove"]), places, values), min_size=1, max_size=3))
def test_what_comes_of_a_patch_can_be_validated_and_is_the_same_record(steps: list[tuple[str, str, Any]]) -> None:
    observation = example("Observation")
    before = copy.deepcopy(observation)
    patch = read_json_patch([op(kind, path, value=value) for kind, path, value in steps])
    try:
        after = patch.apply(observation)
    except PatchRefused:
        pass
    else:
        validate(after)
        assert (after["resourceType"], after["id"]) == ("Observation", observation["id"])
    assert observation == before
