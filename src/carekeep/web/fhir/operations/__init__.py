"""Operations (``$name``): one file for each, and one table that says where it is called.

An operation is a function of the passage, and of the type and id in the URL as far as its level has them. It decides
and records like every interaction.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from carekeep.web.fhir.operations.accounting_of_disclosures import accounting_of_disclosures
from carekeep.web.fhir.operations.book import book, cancel_appointment
from carekeep.web.fhir.operations.break_glass import break_glass
from carekeep.web.fhir.operations.bulk_export import export_group, export_patients, export_system
from carekeep.web.fhir.operations.bulk_import import import_records
from carekeep.web.fhir.operations.document import document
from carekeep.web.fhir.operations.everything import everything
from carekeep.web.fhir.operations.expand import expand_value_set
from carekeep.web.fhir.operations.find_in_emergency import find_in_emergency
from carekeep.web.fhir.operations.last_n import last_n
from carekeep.web.fhir.operations.lookup import lookup
from carekeep.web.fhir.operations.meta import meta, meta_add, meta_delete
from carekeep.web.fhir.operations.subscription_binding import binding_token, binding_token_of_several
from carekeep.web.fhir.operations.subscription_events import subscription_events
from carekeep.web.fhir.operations.subscription_status import status_of_several, subscription_status
from carekeep.web.fhir.operations.summary import summary, summary_by_identifier
from carekeep.web.fhir.operations.validate import validate, validate_record
from carekeep.web.fhir.operations.validate_code import validate_code_of_code_system, validate_code_of_value_set
from carekeep.web.fhir.operations.who_looked import who_looked
from carekeep.web.http import Response
from carekeep.web.passage import Passage

Level = Literal["system", "type", "instance"]


@dataclass(frozen=True, slots=True)
class Operation:
    """Where an operation is called, and how.

    ``types`` are those it is for; empty for all. ``run`` gets the passage, the type ("" at system level) and the id
    ("" above instance level). ``definition`` is its canonical URL.
    """

    name: str
    level: Level
    methods: tuple[str, ...]
    types: frozenset[str]
    definition: str
    run: Callable[[Passage, str, str], Awaitable[Response]]


_OWN = "https://carekeep.example/fhir/OperationDefinition"
_BULK = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition"

_HL7 = "http://hl7.org/fhir/OperationDefinition"
_IPS = "http://hl7.org/fhir/uv/ips/OperationDefinition"
_BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription"

_WS_BINDING = "get-ws-binding-token"
_ACCOUNTING = "accounting-of-disclosures"
_ANY: frozenset[str] = frozenset()
_PATIENT = frozenset({"Patient"})
_APPOINTMENT = frozenset({"Appointment"})
_VALUE_SET = frozenset({"ValueSet"})
_CODE_SYSTEM = frozenset({"CodeSystem"})
_SUBSCRIPTION = frozenset({"Subscription"})
_POST = ("POST",)
# What changes nothing may be called by GET; what has parts (a resource, a Coding) comes by POST.
_BOTH = ("GET", "POST")

OPERATIONS: tuple[Operation, ...] = (
    Operation("break-glass", "instance", _POST, _PATIENT, f"{_OWN}/break-glass", break_glass),
    Operation("find-in-emergency", "type", _POST, _PATIENT, f"{_OWN}/find-in-emergency", find_in_emergency),
    Operation("book", "type", _POST, _APPOINTMENT, f"{_OWN}/book", book),
    Operation("cancel", "instance", _POST, _APPOINTMENT, f"{_OWN}/cancel", cancel_appointment),
    Operation("who-looked", "instance", _BOTH, _PATIENT, f"{_OWN}/who-looked", who_looked),
    Operation(_ACCOUNTING, "instance", _BOTH, _PATIENT, f"{_OWN}/{_ACCOUNTING}", accounting_of_disclosures),
    Operation("export", "system", _BOTH, _ANY, f"{_BULK}/export", export_system),
    Operation("export", "type", _BOTH, _PATIENT, f"{_BULK}/patient-export", export_patients),
    Operation("export", "instance", _BOTH, frozenset({"Group"}), f"{_BULK}/group-export", export_group),
    Operation("import", "system", _POST, _ANY, f"{_OWN}/import", import_records),
    Operation("validate", "type", _POST, _ANY, f"{_HL7}/Resource-validate", validate),
    Operation("validate", "instance", _BOTH, _ANY, f"{_HL7}/Resource-validate", validate_record),
    Operation("meta", "instance", ("GET",), _ANY, f"{_HL7}/Resource-meta", meta),
    Operation("meta-add", "instance", _POST, _ANY, f"{_HL7}/Resource-meta-add", meta_add),
    Operation("meta-delete", "instance", _POST, _ANY, f"{_HL7}/Resource-meta-delete", meta_delete),
    Operation("everything", "instance", _BOTH, _PATIENT, f"{_HL7}/Patient-everything", everything),
    Operation("summary", "instance", _BOTH, _PATIENT, f"{_IPS}/summary", summary),
    Operation("summary", "type", _BOTH, _PATIENT, f"{_IPS}/summary", summary_by_identifier),
    Operation("document", "instance", _BOTH, frozenset({"Composition"}), f"{_HL7}/Composition-document", document),
    Operation("lastn", "type", ("GET",), frozenset({"Observation"}), f"{_HL7}/Observation-lastn", last_n),
    Operation("expand", "type", _BOTH, _VALUE_SET, f"{_HL7}/ValueSet-expand", expand_value_set),
    Operation("expand", "instance", _BOTH, _VALUE_SET, f"{_HL7}/ValueSet-expand", expand_value_set),
    Operation("validate-code", "type", _BOTH, _VALUE_SET, f"{_HL7}/ValueSet-validate-code", validate_code_of_value_set),
    Operation(
        "validate-code", "instance", _BOTH, _VALUE_SET, f"{_HL7}/ValueSet-validate-code", validate_code_of_value_set
    ),
    Operation("status", "type", _BOTH, _SUBSCRIPTION, f"{_BACKPORT}-status", status_of_several),
    Operation("status", "instance", _BOTH, _SUBSCRIPTION, f"{_BACKPORT}-status", subscription_status),
    Operation("events", "instance", _BOTH, _SUBSCRIPTION, f"{_BACKPORT}-events", subscription_events),
    Operation(_WS_BINDING, "type", _BOTH, _SUBSCRIPTION, f"{_BACKPORT}-{_WS_BINDING}", binding_token_of_several),
    Operation(_WS_BINDING, "instance", _BOTH, _SUBSCRIPTION, f"{_BACKPORT}-{_WS_BINDING}", binding_token),
    Operation("lookup", "type", _BOTH, _CODE_SYSTEM, f"{_HL7}/CodeSystem-lookup", lookup),
    Operation(
        "validate-code", "type", _BOTH, _CODE_SYSTEM, f"{_HL7}/CodeSystem-validate-code", validate_code_of_code_system
    ),
    Operation(
        "validate-code",
        "instance",
        _BOTH,
        _CODE_SYSTEM,
        f"{_HL7}/CodeSystem-validate-code",
        validate_code_of_code_system,
    ),
)

_BY_PLACE: Mapping[tuple[str, str], tuple[Operation, ...]] = MappingProxyType(
    {
        (level, name): tuple(each for each in OPERATIONS if (each.level, each.name) == (level, name))
        for level, name in {(each.level, each.name) for each in OPERATIONS}
    }
)


def operation_at(level: Level, name: str, type_: str) -> Operation | None:
    """The operation ``$name`` of a level, for a type; None when there is none."""
    for operation in _BY_PLACE.get((level, name), ()):
        if not operation.types or type_ in operation.types:
            return operation
    return None


def operations_of(type_: str) -> dict[str, str]:
    """The operations of a resource type, at type or instance level; of the system for "". URLs by name."""
    return {
        each.name: each.definition
        for each in OPERATIONS
        if (each.level == "system") == (type_ == "") and (not each.types or type_ in each.types)
    }
