"""Cases that no policies may answer otherwise (``policies/canaries.cases.toml``): care, strangers, emergencies.

They are asked of the usual types, zones and labels, and of all that the policies name beside those that come with
Carekeep: a policy about one label, or one network, is looked at there.
"""

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from carekeep.access.bundles.cases import ALL_OF, CaseRefused, Result, read_cases, run
from carekeep.access.policy_text import PolicyFile, bundled_policies
from carekeep.access.rules import Rules
from carekeep.fhir import RESOURCE_TYPES

_FILE = "canaries.cases.toml"
_TEXT = re.compile(r'"((?:\\.|[^"\\])*)"')
_ZONE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_TYPES = ("Observation", "Patient")
_ZONES = ("inside", "outside")


def failed_canaries(rules: Rules) -> tuple[str, ...]:
    """A sentence for each canary that the policies fail: file, line and id of the policies that are to blame."""
    text = (resources.files("carekeep.access") / "policies" / _FILE).read_text("utf-8")
    try:
        cases = read_cases([PolicyFile(_FILE, text)], _named(rules))
    except CaseRefused as refused:
        return (f"the policies name too many types, zones and labels to be looked at: {refused}",)
    return tuple(_told(result, rules) for result in run(cases, rules) if not result.passed)


def _named(rules: Rules) -> Mapping[str, Sequence[Any]]:
    """What "any" stands for: the usual, and what policies other than ours name."""
    ours = {file.name for file in bundled_policies()}
    texts = {found for policy in rules.policies if policy.file not in ours for found in _TEXT.findall(policy.text)}
    zoned = [policy.text for policy in rules.policies if policy.file not in ours and "zone" in policy.text]
    zones = {found for text in zoned for found in _TEXT.findall(text) if _ZONE.fullmatch(found)}
    return {
        **ALL_OF,
        "type": sorted({*_TYPES, *(RESOURCE_TYPES & texts)}),
        "zone": sorted({*_ZONES, *zones}),
        "labels": [(), *((label,) for label in sorted(texts) if "|" in label)],
    }


def _told(result: Result, rules: Rules) -> str:
    asked, expected = result.seen, "denied" if result.case.expect == "denied" else "permitted"
    request = f"{asked.kind}, {asked.action.value}, {asked.type or 'no type'}, {asked.purpose.value}"
    what = f'"{result.case.title}" must stay {expected}, and is {result.answer} ({request})'
    places = [rules.policy(id_) for id_ in result.by]
    if not places:
        return f"no policy: {what}"
    return "; ".join(f"{policy.file}, line {policy.line}: {policy.id}" for policy in places) + f": {what}"
