"""What cannot be enforced is refused, with the place: a table, and whatever else is put into a Consent."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.access.consents import ConsentRefused, ConsentRules, read_consent
from carekeep.access.consents.provisions import DEEPEST, MOST_PROVISIONS
from carekeep.access.consents.words import WITHOUT_EFFECT
from tests.access.consents.writing import CONSENTS, consent

Json = dict[str, Any]
GONE = object()
ACTOR = {"role": {"coding": [{"system": "s", "code": "c"}]}, "reference": {"reference": "Practitioner/x"}}
IRCP = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}
LOINC_CODE = {"coding": [{"system": "http://loinc.org", "code": "1"}]}
ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"


def actor(reference: object, role: object = IRCP) -> Json:
    return {"actor": [{"role": role, "reference": {"reference": reference}}]}


def coded(system: str, code: str) -> list[Json]:
    return [{"coding": [{"system": system, "code": code}]}]


# Where something else is put (below "provision" unless it begins with "/"), what, and where the refusal points.
TABLE: tuple[tuple[str, object, str], ...] = (
    ("/status", "imaginary", "Consent.status"),
    ("/status", GONE, "Consent.status"),
    ("/modifierExtension", [{"url": "x"}], "Consent.modifierExtension"),
    ("/implicitRules", "http://example.org", "Consent.implicitRules"),
    ("/extension", [{"url": "http://example.org/only-on-mondays", "valueBoolean": True}], "Consent.extension[0]"),
    ("/_status", {"extension": []}, "Consent._status"),
    ("/scope", GONE, "Consent.scope"),
    ("/scope", {"coding": [{"system": SCOPE, "code": "adr"}]}, "Consent.provision"),
    ("/scope", {"text": "privacy"}, "Consent.scope"),
    ("/scope", {"coding": [{"system": SCOPE, "code": "lunch"}]}, "Consent.scope"),
    ("/category", GONE, "Consent.category"),
    ("/category", coded("http://loinc.org", "1"), "Consent.category[0]"),
    ("/patient", GONE, "Consent.patient"),
    ("/patient", {"reference": "Group/all"}, "Consent.patient"),
    ("/patient", {"reference": "https://elsewhere.example.org/Patient/p1"}, "Consent.patient"),
    ("/patient", {"identifier": {"value": "1"}}, "Consent.patient"),
    ("/policyRule", {"text": "as usual"}, "Consent.policyRule"),
    ("/policyRule", coded("http://example.org", "OPTIN")[0], "Consent.policyRule"),
    ("/policy", [{"uri": "https://profiles.ihe.net/ITI/PCF/Policy-deny"}], "Consent.policy"),
    ("/provision", GONE, "Consent.provision"),
    ("/provision", {}, "Consent.provision.type"),
    ("/provision", [], "Consent.provision"),
    ("type", "maybe", "Consent.provision.type"),
    ("type", GONE, "Consent.provision.type"),
    ("modifierExtension", [{}], "Consent.provision.modifierExtension"),
    ("extension", [{"url": "x"}], "Consent.provision.extension"),
    ("expression", {"language": "text/cql"}, "Consent.provision.expression"),
    ("_type", {"id": "x"}, "Consent.provision._type"),
    ("purpose", [{"system": "http://example.org", "code": "FooBar"}], "Consent.provision.purpose[0]"),
    ("purpose", [{"code": "TREAT"}], "Consent.provision.purpose[0]"),
    ("purpose", [], "Consent.provision.purpose"),
    ("purpose", "TREAT", "Consent.provision.purpose"),
    ("actor", [], "Consent.provision.actor"),
    ("actor", [ACTOR], "Consent.provision.actor[0].role"),
    ("actor", [{"role": IRCP}], "Consent.provision.actor[0].reference"),
    ("actor", [{"reference": {"reference": "Practitioner/x"}}], "Consent.provision.actor[0].role"),
    ("actor", actor("CareTeam/t")["actor"], "Consent.provision.actor[0].reference"),
    ("actor", actor("Device/d")["actor"], "Consent.provision.actor[0].reference"),
    ("actor", actor("Patient/p2")["actor"], "Consent.provision.actor[0].reference"),
    ("actor", actor("#contained")["actor"], "Consent.provision.actor[0].reference"),
    ("actor", actor("https://elsewhere.example.org/Practitioner/x")["actor"], "Consent.provision.actor[0].reference"),
    ("actor", actor(7)["actor"], "Consent.provision.actor[0].reference.reference"),
    ("action", coded(ACTION, "collect"), "Consent.provision.action"),
    ("action", coded(ACTION, "disclose"), "Consent.provision.action"),
    ("class", [{"system": "urn:ietf:bcp:13", "code": "application/pdf"}], "Consent.provision.class[0]"),
    ("class", [{"system": "http://hl7.org/fhir/resource-types", "code": "Diary"}], "Consent.provision.class[0]"),
    ("code", [{"text": "heart trouble"}], "Consent.provision.code[0]"),
    ("securityLabel", [{"code": "R"}], "Consent.provision.securityLabel[0]"),
    ("securityLabel", [None], "Consent.provision.securityLabel[0]"),
    ("period", {}, "Consent.provision.period"),
    ("period", {"start": "2024", "end": "2023"}, "Consent.provision.period"),
    ("period", {"start": "soon"}, "Consent.provision.period"),
    ("period", {"start": "2024", "extension": []}, "Consent.provision.period.extension"),
    ("dataPeriod", {"end": "2022-13"}, "Consent.provision.dataPeriod"),
    ("dataPeriod", "2022", "Consent.provision.dataPeriod"),
    ("data", [{"meaning": "instance"}], "Consent.provision.data[0].reference"),
    (
        "data",
        [{"meaning": "related", "reference": {"reference": "Observation/x"}}],
        "Consent.provision.data[0].reference",
    ),
    ("data", [{"meaning": "like", "reference": {"reference": "Observation/x"}}], "Consent.provision.data[0].meaning"),
    ("provision", [{"securityLabel": [{"system": "s", "code": "c"}]}], "Consent.provision.provision[0].type"),
    ("provision", [{"type": "permit", "lunch": 1}], "Consent.provision.provision[0].lunch"),
)


def changed(where: str, value: object) -> Json:
    resource = consent("permit | for TREAT")
    place = resource if where.startswith("/") else resource["provision"]
    name = where.removeprefix("/")
    if value is GONE:
        place.pop(name, None)
    else:
        place[name] = copy.deepcopy(value)
    return resource


@pytest.mark.parametrize(("where", "value", "expected"), TABLE)
def test_it_is_refused_where_it_is_wrong(where: str, value: object, expected: str) -> None:
    with pytest.raises(ConsentRefused) as refused:
        read_consent(changed(where, value))
    assert expected in {issue.expression for issue in refused.value.issues}


def test_emergencies_cannot_be_denied() -> None:
    with pytest.raises(ConsentRefused, match="care never waits"):
        read_consent(consent("deny | for BTG"))
    assert read_consent(consent("deny | for TREAT")) is not None


@pytest.mark.parametrize("text", ["rule OPTIN\npermit | label N", "rule OPTOUT\ndeny | to Practitioner/x"])
def test_what_may_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(ConsentRefused, match="no exception"):
        read_consent(consent(text))


def nested(depth: int) -> Json:
    made: Json = {"type": "permit"}
    for _ in range(depth - 1):
        made = {"type": "deny", "provision": [made]}
    return made


def test_its_size_is_bounded() -> None:
    for provision, fits in (
        (nested(DEEPEST), True),
        (nested(DEEPEST + 1), False),
        (nested(500), False),
        ({"type": "deny", "provision": [{"type": "permit"}] * 99}, True),
        ({"type": "deny", "provision": [{"type": "permit"}] * 101}, False),
        ({"type": "deny", "provision": [{"type": "deny", "provision": [{"type": "permit"}] * 99}] * 3}, False),
    ):
        resource = consent("permit") | {"provision": provision}
        if fits:
            assert isinstance(read_consent(resource), ConsentRules)
        else:
            with pytest.raises(ConsentRefused, match=f"{DEEPEST} deep|{MOST_PROVISIONS} at most|more than 100"):
                read_consent(resource)


@pytest.mark.parametrize("status", sorted(WITHOUT_EFFECT))
def test_what_has_no_effect_is_kept_whatever_it_says(status: str) -> None:
    assert read_consent(changed("purpose", [{"code": "later"}]) | {"status": status}) is None


def test_what_is_wrong_is_not_repeated() -> None:
    told = "Observation/of-somebody"
    with pytest.raises(ConsentRefused) as refused:
        read_consent(changed("actor", actor(told)["actor"]) | {"status": told, told: 1})
    assert told not in str(refused.value)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["permit", "Patient/p1", "TREAT"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["coding", "code", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((*at, key), *places(value[key], (*at, key)))]


@given(st.data(), st.sampled_from(sorted(CONSENTS)), values)
def test_whatever_stands_in_it_is_read_or_refused(data: st.DataObject, name: str, value: object) -> None:
    """And what was put into a provision is never passed over: read with it is not read as without."""
    resource = consent(CONSENTS[name])
    place = data.draw(st.sampled_from(places(resource)))
    before = read_consent(resource)
    inner: Any = resource
    for key in place[:-1]:
        inner = inner[key]
    same = inner[place[-1]] == value
    inner[place[-1]] = value
    try:
        after = read_consent(resource)
    except ConsentRefused:
        return
    if place[0] == "provision" and before is not None and not same and place[-1] not in {"version", "display", "id"}:
        assert after != before or _says_the_same(place)


def _says_the_same(place: tuple[Any, ...]) -> bool:
    """A role is checked and then means nothing more."""
    return "role" in place


@given(
    st.data(),
    st.sampled_from(sorted(name for name, text in CONSENTS.items() if "status" not in text)),
    st.text(max_size=8),
)
def test_an_element_that_is_not_known_is_never_passed_over(data: st.DataObject, name: str, element: str) -> None:
    resource = consent(CONSENTS[name])
    if "provision" not in resource:
        return
    inner: Any = resource["provision"]
    for key in data.draw(st.sampled_from([(), *places(inner)])):
        if isinstance(inner[key], dict | list):
            inner = inner[key]
    if isinstance(inner, list):
        inner.append({element: 1})
    elif element not in {"id", "text", "version", "display", "userSelected", *inner}:
        inner["x" + element] = 1
    else:
        return
    with pytest.raises(ConsentRefused):
        read_consent(resource)
