"""A patient's switches: what they write is what they show, and what decisions see."""

import itertools

import pytest

from carekeep.access import Purpose, Target
from carekeep.access.consents import Question, evaluate, read_consent
from carekeep.access.consents.contents import Facts
from carekeep.access.consents.switches import SENSITIVE, Switch, SwitchKind, consent_for, switches
from carekeep.access.consents.words import ACT_CODE
from carekeep.access.vocabulary import Agreement
from carekeep.fhir import validate
from tests.access.consents.writing import CONSENTS, consent

AT = "2026-11-05T12:00:00Z"
ALL = switches((), ["Organization/hospital"])
# What a request of somebody from the hospital comes to, with one switch on and with it off.
MEANINGS = [
    (SwitchKind.SENSITIVE, "HIV", Purpose.TREAT, "HIV", Agreement.NONE, Agreement.DENY),
    (SwitchKind.SENSITIVE, "HIV", Purpose.TREAT, "PSY", Agreement.NONE, Agreement.NONE),
    (SwitchKind.ORGANIZATION, "Organization/hospital", Purpose.TREAT, "", Agreement.NONE, Agreement.DENY),
    (SwitchKind.SHARING, "", Purpose.COC, "", Agreement.NONE, Agreement.DENY),
    (SwitchKind.SHARING, "", Purpose.TREAT, "", Agreement.NONE, Agreement.NONE),
    (SwitchKind.RESEARCH, "", Purpose.HRESCH, "", Agreement.PERMIT, Agreement.NONE),
    (SwitchKind.RESEARCH, "", Purpose.TREAT, "", Agreement.NONE, Agreement.NONE),
]


@pytest.mark.parametrize("switch", ALL)
@pytest.mark.parametrize("on", [True, False])
def test_what_is_written_is_what_is_shown(switch: Switch, on: bool) -> None:
    written = consent_for(switch, "p1", on=on, at=AT) | {"id": "s"}
    assert [issue for issue in validate(written) if issue.severity == "error"] == []
    shown = switches([written], ["Organization/hospital"])
    assert [each for each in shown if each.consent == "s"] == [Switch(switch.kind, switch.about, on, "s")]
    assert {(each.kind, each.about): each.on for each in shown if each.consent is None} == {
        (each.kind, each.about): each.on for each in ALL if each != switch
    }


@pytest.mark.parametrize(("kind", "about", "purpose", "label", "on", "off"), MEANINGS)
def test_what_a_switch_decides(
    kind: SwitchKind, about: str, purpose: Purpose, label: str, on: Agreement, off: Agreement
) -> None:
    names = frozenset({"Practitioner/x", "Organization/hospital"})
    target = Target("Observation", ("p1",), (f"{ACT_CODE}|{label}",) if label else ())
    for position, expected in ((True, on), (False, off)):
        rules = read_consent(consent_for(Switch(kind, about), "p1", on=position, at=AT))
        question = Question(names, purpose, 0, Facts.of(target))
        assert evaluate([] if rules is None else [rules], question).agreement is expected


def test_a_switch_is_turned_where_it_was_set() -> None:
    first = consent_for(ALL[0], "p1", on=False, at=AT) | {"id": "s"}
    [set_] = [each for each in switches([first]) if each.consent]
    assert consent_for(set_, "p1", on=True, at=AT) == first | {"status": "inactive"}


def test_other_consents_are_no_switches() -> None:
    others = [consent(text, name) for name, text in CONSENTS.items()]
    changed = consent_for(ALL[0], "p1", on=False, at=AT) | {"id": "s"}
    changed["provision"] = {**changed["provision"], "period": {"end": "2020"}}
    assert switches([*others, changed], ["Organization/hospital"]) == ALL


@pytest.mark.parametrize("switch", ALL)
def test_of_two_the_one_in_force_is_shown(switch: Switch) -> None:
    both = [consent_for(switch, "p1", on=on, at=AT) | {"id": str(on)} for on in (True, False)]
    for order in itertools.permutations(both):
        [shown] = [each for each in switches(order) if each.consent]
        assert shown.on == (switch.kind is SwitchKind.RESEARCH)


def test_every_switch_says_what_on_means() -> None:
    assert all(each.sentence for each in ALL)
    assert len({each.sentence for each in ALL}) == len(SENSITIVE) + 3
