"""The Cedar schema, written from the vocabulary so that the two cannot differ.

``python -m carekeep.access.schema`` prints it; ``policies/schema.cedarschema`` is that text, kept as a file for
people and for Cedar's own tools. A test compares the two.
"""

import sys
from collections.abc import Iterable

from carekeep.access.vocabulary import (
    PRINCIPAL_TYPES,
    RECORD_OF_PATIENT,
    RECORD_SHARED,
    RECORD_TYPE,
    SERVICE,
    Action,
    Agreement,
    DeviceTrust,
    Purpose,
    Relation,
)

_HEAD = """\
// What a policy can see. Written by `python -m carekeep.access.schema`; change vocabulary.py, not this file.
// A policy never sees which patient it is about: only the relations to them. So it cannot single one out, and a
// decision about one patient holds for every other of whom the same is true.
"""

_PRINCIPAL = """\
// identified: the account is bound to a Practitioner or Patient record, so we know whose it is.
// grants: what an app was given by name; empty for people. app: the app through which a person acts.
entity {names} = {{ identified: Bool, grants: Set<String>, app?: String }};
"""

_RESOURCES = """\
// A record in the compartment of a patient, and one that belongs to no patient. type is the FHIR resource type;
// labels are its meta.security, each as "system|code".
entity {of_patient}, {shared} = {{ type: String, labels: Set<String> }};
entity {record_type} = {{ type: String }};
"""

_CONTEXT = """\
// assurance: the authenticator assurance level (NIST SP 800-63B-4), 1 to 3.
// authenticated_minutes: since the last sign-in, in whole quarters of an hour, at most a day.
// risk: of the session at this moment, 0 to 100. zone: the name of the network that the request came from, "inside" or
// "outside" where none is configured. device: what is known of the device that it came from.
// consent: what the patient's consents say to this request. consent_names: they permit it, and name who asks.
type Context = {
  purpose: Purpose,
  relations: Set<Relation>,
  break_glass: Bool,
  assurance: Long,
  authenticated_minutes: Long,
  risk: Long,
  zone: String,
  device: DeviceTrust,
  consent: Consent,
  consent_names: Bool,
};
"""


def render() -> str:
    """The schema in Cedar's own syntax."""
    services = sorted({action.resource for action in Action if action.entity_types == (SERVICE,)})
    enumerations: dict[str, Iterable[str]] = {
        SERVICE: services,
        "Purpose": Purpose,
        "Relation": Relation,
        "DeviceTrust": DeviceTrust,
        "Consent": Agreement,
    }
    parts = [
        _HEAD,
        _PRINCIPAL.format(names=", ".join(PRINCIPAL_TYPES.values())),
        _RESOURCES.format(of_patient=RECORD_OF_PATIENT, shared=RECORD_SHARED, record_type=RECORD_TYPE),
        "".join(_enumeration(name, values) for name, values in enumerations.items()),
        _CONTEXT,
        *(_action(action) for action in Action),
    ]
    return "\n".join(parts)


def _enumeration(name: str, values: Iterable[str]) -> str:
    return f"entity {name} enum [" + ", ".join(f'"{value}"' for value in values) + "];\n"


def _action(action: Action) -> str:
    principals = ", ".join(PRINCIPAL_TYPES.values())
    resources = ", ".join(action.entity_types)
    return (
        f'action "{action.value}" appliesTo {{\n'
        f"  principal: [{principals}],\n  resource: [{resources}],\n  context: Context,\n}};\n"
    )


if __name__ == "__main__":
    sys.stdout.write(render())
