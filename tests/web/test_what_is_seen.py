"""Whatever is asked: nobody is given another's record, nor told how many there are.

Random charts are kept, and random searches asked by everybody. What each is given is compared with what each may see,
by a rule that is written here and not in the policies: a practitioner the patients of their team, a patient their own,
and what is nobody's only the organization's own app, unless it is the directory.
"""

from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carekeep.fhir import patients_of
from tests.web.clinic import Clinic, Json, observation

SEEN = {"physician": {"ada"}, "emergency": set(), "ada": {"ada"}, "bob": {"bob"}}
DIRECTORY = frozenset({"Practitioner"})
PATIENTS = st.sampled_from(["ada", "bob"])
DAYS = st.dates().map(str)

QUERIES: dict[str, st.SearchStrategy[tuple[str, str]]] = {
    "Observation": st.one_of(
        st.tuples(st.sampled_from(["patient", "subject", "subject:Patient"]), PATIENTS),
        st.tuples(st.just("code"), st.sampled_from(["8867-4", "http://loinc.org|8867-4", "1-1"])),
        st.tuples(st.just("date"), st.builds(str.__add__, st.sampled_from(["ge", "le", "gt", "lt", "ne", ""]), DAYS)),
        st.tuples(st.just("value-quantity"), st.integers(0, 200).map(lambda n: f"gt{n}")),
        st.tuples(st.just("_id"), st.sampled_from(["ada-pulse", "bob-pulse", "ada-pulse,bob-pulse", "x"])),
        st.tuples(st.just("status"), st.sampled_from(["final", "amended", "final,amended"])),
        st.tuples(st.just("status:not"), st.sampled_from(["final", "amended"])),
        st.tuples(st.just("performer:missing"), st.sampled_from(["true", "false"])),
    ),
    "Patient": st.one_of(
        st.tuples(st.sampled_from(["family", "name", "given"]), st.sampled_from(["moreau", "lin", "r", "q"])),
        st.tuples(st.just("birthdate"), st.sampled_from(["1970", "ge1900", "lt1900"])),
        st.tuples(st.just("_id"), st.sampled_from(["ada", "bob", "ada,bob"])),
    ),
    "Condition": st.tuples(st.sampled_from(["patient", "subject"]), PATIENTS),
    "CareTeam": st.tuples(st.just("participant"), st.just("Practitioner/physician")),
    "Practitioner": st.tuples(st.just("family"), st.sampled_from(["okafor", "brandt", "x"])),
}
CONTROLS = st.sampled_from(
    [[], [("_total", "accurate")], [("_summary", "count")], [("_count", "1")], [("_sort", "-_lastUpdated")]]
)


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]]]:
    type_ = draw(st.sampled_from(sorted(QUERIES)))
    return type_, [*draw(st.lists(QUERIES[type_], max_size=3)), *draw(CONTROLS)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    question=questions(),
    charts=st.lists(st.tuples(st.integers(0, 9), PATIENTS | st.none(), st.integers(0, 200), DAYS), max_size=3),
)
async def test_nobody_is_given_or_counted_another_persons_records(
    clinic: Clinic, question: tuple[str, list[tuple[str, str]]], charts: list[tuple[int, str | None, int, str]]
) -> None:
    for number, patient, value, day in charts:
        kept = observation(f"o{number}", patient or "", value, day)
        if patient is None:
            del kept["subject"]
        await clinic.put(kept)  # some of them move from one to the other
    type_, pairs = question
    expected = await everything(clinic, type_, pairs)
    for who, patients in SEEN.items():
        seen = {id_ for id_, owners in expected.items() if type_ in DIRECTORY or owners & patients}
        path = f"/fhir/{type_}?{urlencode(pairs)}"
        found: set[str] = set()
        while path:
            answer = await clinic.ask("GET", path, who=who)
            if answer.status == 403:
                assert not seen, (who, pairs)
                break
            assert answer.status == 200, answer.body
            total = answer.json.get("total")
            assert total is None or total == len(seen), (who, pairs)
            given_now = [entry["resource"] for entry in answer.json.get("entry", [])]
            assert {resource["id"] for resource in given_now} <= seen, (who, pairs)
            assert answer.entry is not None
            assert {what.reference for what in answer.entry.what} == {f"{type_}/{each['id']}" for each in given_now}
            found |= {resource["id"] for resource in given_now}
            links = {link["relation"]: link["url"] for link in answer.json["link"]}
            path = links.get("next", "").removeprefix("https://records.example.org")
        else:
            assert found == seen or ("_summary", "count") in pairs, (who, pairs)


async def everything(clinic: Clinic, type_: str, pairs: list[tuple[str, str]]) -> dict[str, set[str]]:
    """What there is to be found, by id, with the patients whose records they are: asked for all at once."""
    kept = [pair for pair in pairs if not pair[0].startswith("_") or pair[0] == "_id"]
    answer = await clinic.ask("GET", f"{type_}?{urlencode([*kept, ('_count', '1000')])}")
    assert answer.status == 200, answer.body
    resources: list[Json] = [entry["resource"] for entry in answer.json.get("entry", [])]
    return {resource["id"]: set(patients_of(resource)) for resource in resources}
