"""Consents as tests write them: one provision a line (see ``matrix.toml``), made into FHIR R4."""

import tomllib
from pathlib import Path
from typing import Any

from carekeep.access.consents.words import (
    ACT_CODE,
    CONFIDENTIALITY,
    CONSENT_SCOPE,
    LOINC,
    PARTICIPATION,
    RESOURCE_TYPE,
    ROLE_CODE,
)
from carekeep.access.vocabulary import PURPOSE_SYSTEM

Json = dict[str, Any]
MATRIX: Json = tomllib.loads((Path(__file__).parent / "matrix.toml").read_text("utf-8"))
CONSENTS: dict[str, str] = MATRIX["consents"]
_SYSTEMS = {"loinc": LOINC}


def consent(text: str, id_: str = "c", patient: str = "p1", performer: str | None = None) -> Json:
    """The Consent that some lines mean."""
    resource: Json = {
        "resourceType": "Consent",
        "id": id_,
        "status": "active",
        "scope": {"coding": [{"system": CONSENT_SCOPE, "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{patient}"},
        "dateTime": "2022-06-13",
        "performer": [{"reference": performer or f"Patient/{patient}"}],
    }
    above: list[Json] = []
    for line in text.strip().splitlines():
        word, _, rest = line.partition(" ")
        if word == "status":
            resource["status"] = rest
        elif word == "policy":
            resource["policy"] = [{"uri": rest}]
        elif word == "rule":
            resource["policyRule"] = {"coding": [{"system": ACT_CODE, "code": rest}]}
        else:
            depth = len(line) - len(line.lstrip("+"))
            made = provision(line.lstrip("+ "))
            if depth:
                above[depth - 1].setdefault("provision", []).append(made)
            else:
                resource["provision"] = made
            above[depth:] = [made]
    if "policyRule" not in resource:
        resource.setdefault("policy", [{"uri": "http://example.org/policies/base"}])
    return resource


def provision(line: str) -> Json:
    """One provision: "permit | for TREAT | to Practitioner/x"."""
    effect, *parts = line.split(" | ")  # codes have a bar of their own, without spaces
    made: Json = {"type": effect.strip()}
    for part in parts:
        name, *words = part.split()
        _add(made, name, words)
    return made


def _add(made: Json, name: str, words: list[str]) -> None:
    if name == "for":
        made["purpose"] = [{"system": PURPOSE_SYSTEM, "code": word} for word in words]
    elif name == "to":
        made["actor"] = [_actor(word) for word in words]
    elif name == "label":
        made["securityLabel"] = [label(word) for word in words]
    elif name == "class":
        made["class"] = [{"system": RESOURCE_TYPE, "code": word} for word in words]
    elif name == "code":
        made["code"] = [{"coding": [_coding(word)]} for word in words]
    elif name in {"dated", "during"}:
        start, _, end = words[0].partition("..")
        period = {key: value for key, value in (("start", start), ("end", end)) if value}
        made["dataPeriod" if name == "dated" else "period"] = period
    else:
        meaning = {"instance": "instance", "related": "related", "by": "authoredby"}[name]
        data = made.setdefault("data", [])
        data += [{"meaning": meaning, "reference": {"reference": word}} for word in words]


def _actor(reference: str) -> Json:
    role = (ROLE_CODE, "DELEGATEE") if reference.startswith("RelatedPerson/") else (PARTICIPATION, "IRCP")
    return {"role": {"coding": [{"system": role[0], "code": role[1]}]}, "reference": {"reference": reference}}


def label(code: str) -> Json:
    """A security label of either system, by its code."""
    return {"system": CONFIDENTIALITY if len(code) == 1 else ACT_CODE, "code": code}


def _coding(word: str) -> Json:
    system, _, code = word.partition("|")
    return {"system": _SYSTEMS[system], "code": code}
