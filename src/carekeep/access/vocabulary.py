"""The words that policies are written in: actions, purposes of use, care relations, kinds of account.

The Cedar schema is generated from this module (``access.schema``), so a policy that uses another word does not load.
"""

from collections.abc import Mapping
from enum import StrEnum, unique
from types import MappingProxyType

PURPOSE_SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


@unique
class Action(StrEnum):
    """What can be asked, named ``scope:resource:action``. A route of the web room names one of these."""

    CAPABILITY_READ = "fhir:capability:read"
    # May the question be asked at all. It names no record: each match is decided again, as READ.
    SEARCH = "fhir:type:search"
    READ = "fhir:record:read"
    VREAD = "fhir:record:vread"
    HISTORY = "fhir:record:history"
    CREATE = "fhir:record:create"
    UPDATE = "fhir:record:update"
    DELETE = "fhir:record:delete"
    BREAK_GLASS = "fhir:patient:break-glass"
    # Who is this person? By name and birth date or an identifier, to a clinician who has nothing to do with them yet.
    FIND_IN_EMERGENCY = "fhir:type:find-in-emergency"
    # May it be asked for at all. Each record that an export takes is decided again as READ, that an import brings as
    # CREATE or UPDATE.
    PATIENT_EXPORT = "fhir:patient:export"
    BULK_EXPORT = "fhir:bulk:export"
    BULK_IMPORT = "fhir:bulk:import"
    # A patient's own links to their records, and what outside clinicians are given of one patient.
    LINK_MANAGE = "fhir:patient:link"
    GUEST_MANAGE = "fhir:patient:invite-guest"
    # What patients do in their own record: a visit at a time that is free, and messages with their care team.
    APPOINTMENT_BOOK = "fhir:patient:appointment"
    APPOINTMENT_CHANGE = "fhir:patient:change-appointment"
    MESSAGE_SEND = "fhir:patient:message"
    # A patient asks that a record be corrected; the care team answers.
    AMENDMENT_ASK = "fhir:patient:amendment"
    AMENDMENT_ANSWER = "fhir:patient:answer-amendment"
    # What was done with one patient's records: for the patient.
    DISCLOSURE_READ = "fhir:patient:disclosures"
    # A patient asks about one access, and invites somebody to act for them.
    ACCESS_QUESTION = "fhir:patient:question"
    DELEGATE_INVITE = "fhir:patient:invite-delegate"
    POLICY_READ = "access:policy:read"
    POLICY_MANAGE = "access:policy:manage"
    # Questions that emergencies leave open.
    REVIEW_READ = "access:review:read"
    REVIEW_ANSWER = "access:review:answer"
    DISPOSAL_MANAGE = "records:disposal:manage"
    LEDGER_READ = "audit:ledger:read"
    LEDGER_PROVE = "audit:ledger:prove"
    # Taking over what another system's log says.
    ENTRY_IMPORT = "audit:entry:import"
    WITNESS_MANAGE = "audit:witness:manage"
    # How the installation is, and what waits for those who look after it.
    OVERVIEW_READ = "access:overview:read"
    SIGN_IN = "identity:session:open"
    SIGN_OUT = "identity:session:close"
    SESSION = "identity:session:read"
    ACCOUNT_MANAGE = "identity:account:manage"
    ACCOUNT_RECOVER = "identity:account:recover"
    # What the organization's directory does with the accounts of people; those of administrators take more.
    ACCOUNT_PROVISION = "identity:account:provision"
    ADMINISTRATOR_PROVISION = "identity:administrator:provision"
    SESSION_MANAGE = "identity:session:manage"
    # Passkeys, password, codes: one's own.
    AUTHENTICATOR_CHANGE = "identity:authenticator:change"
    # Enrolling is of one's own device; reporting is what device management says of any.
    DEVICE_ENROL = "identity:device:enrol"
    DEVICE_REPORT = "identity:device:report"
    DEVICE_MANAGE = "identity:device:manage"
    CLIENT_MANAGE = "identity:client:manage"
    CLIENT_REGISTER = "identity:client:register"
    # What a person allows an app, and what the app makes of it.
    GRANT_GIVE = "identity:grant:give"
    GRANT_END = "identity:grant:end"
    LAUNCH = "identity:grant:launch"
    TOKEN_ISSUE = "identity:token:issue"
    TOKEN_INSPECT = "identity:token:inspect"
    TOKEN_REVOKE = "identity:token:revoke"
    PROFILE_READ = "identity:account:profile"
    KEY_MANAGE = "encryption:key:manage"
    KEY_DESTROY = "encryption:key:destroy"

    @property
    def resource(self) -> str:
        """The middle word: what the action is done to."""
        return self.split(":")[1]

    @property
    def entity_types(self) -> tuple[str, ...]:
        """The Cedar entity types of what the action is done to."""
        return _ENTITY_TYPES.get(self.resource, (SERVICE,))


RECORD_OF_PATIENT = "PatientRecord"
RECORD_SHARED = "SharedRecord"
RECORD_TYPE = "RecordType"
SERVICE = "Service"
_ENTITY_TYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "record": (RECORD_OF_PATIENT, RECORD_SHARED),
        "patient": (RECORD_OF_PATIENT, RECORD_SHARED),
        "type": (RECORD_TYPE,),
    }
)


@unique
class Relation(StrEnum):
    """Why a person has to do with a patient, found in the records themselves (``access.relationships``).

    ``OWNER`` and ``SELF`` are also of what belongs to no patient: it is kept for this account (``owner_label``), or it
    is a question about it (``concerned_label``). ``DELEGATE``: the person acts for the patient, who consents to it.
    ``GUEST``: an outside clinician who was invited to this patient (``access.sharing``).
    """

    SELF = "self"
    CARE_TEAM = "care-team"
    ENCOUNTER = "encounter"
    APPOINTMENT = "appointment"
    OWNER = "owner"
    GUEST = "guest"
    DELEGATE = "acts-for"


@unique
class Agreement(StrEnum):
    """What a patient's consents say to a request (``access.consents``). ``NONE``: nothing, so that policies decide."""

    NONE = "none"
    PERMIT = "permit"
    DENY = "deny"


@unique
class DeviceTrust(StrEnum):
    """What is known of the device that a request came from, at this moment.

    ``KNOWN``: it is enrolled, and its last report is too old to count; ``HEALTHY``: its last report holds;
    ``MANAGED``: so it does, and the organization manages the device; ``FAILING``: its last report failed a check.
    """

    UNKNOWN = "unknown"
    KNOWN = "known"
    HEALTHY = "healthy"
    FAILING = "failing"
    MANAGED = "managed"


@unique
class Purpose(StrEnum):
    """Purposes of use that Carekeep knows: HL7 v3 PurposeOfUse, codes of the system :data:`PURPOSE_SYSTEM`."""

    TREAT = "TREAT"
    ETREAT = "ETREAT"
    COC = "COC"
    PATRQT = "PATRQT"
    PATADMIN = "PATADMIN"
    HOPERAT = "HOPERAT"
    HPAYMT = "HPAYMT"
    HRESCH = "HRESCH"
    PUBHLTH = "PUBHLTH"
    RECORDMGT = "RECORDMGT"
    HCOMPL = "HCOMPL"
    HSYSADMIN = "HSYSADMIN"

    @classmethod
    def parse(cls, text: str) -> "Purpose":
        """Read a purpose of use as a header carries it: ``TREAT``, or with its system ``…/v3-ActReason|TREAT``.

        Raises PurposeUnknown for another code or system. The message never repeats the header, which may hold anything.
        """
        code = text.strip().removeprefix(PURPOSE_SYSTEM + "|")
        if code not in cls.__members__:
            known = ", ".join(f"{purpose.value} ({purpose.sentence})" for purpose in cls)
            raise PurposeUnknown(
                f"The purpose of use is not a code that this server knows. Send one v3 PurposeOfUse code: {known}."
            )
        return cls(code)

    @property
    def sentence(self) -> str:
        """What the purpose means, in words for people."""
        return _SENTENCES[self]


_SENTENCES: Mapping[Purpose, str] = MappingProxyType(
    {
        Purpose.TREAT: "to treat the patient",
        Purpose.ETREAT: "to treat the patient in an emergency",
        Purpose.COC: "to coordinate the patient's care with others",
        Purpose.PATRQT: "because the patient asked for it",
        Purpose.PATADMIN: "to register the patient and keep their details",
        Purpose.HOPERAT: "to run the healthcare organization",
        Purpose.HPAYMT: "to be paid for care",
        Purpose.HRESCH: "to do research",
        Purpose.PUBHLTH: "to protect public health",
        Purpose.RECORDMGT: "to keep the records themselves in order",
        Purpose.HCOMPL: "to check that the rules are kept",
        Purpose.HSYSADMIN: "to administer the system",
    }
)


class PurposeUnknown(ValueError):
    """The stated purpose of use is not one that Carekeep knows. The message lists those that it does."""


def owner_label(account_id: str) -> str:
    """The security label by which a record says for which account it is kept. Only the server gives it."""
    return f"https://carekeep.example/fhir/CodeSystem/owner|{account_id}"


def concerned_label(who: str) -> str:
    """The label by which a question of Carekeep itself says whom it is about: an account's id, or a FHIR reference."""
    return f"https://carekeep.example/fhir/CodeSystem/concerned|{who}"


PRINCIPAL_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "practitioner": "Practitioner",
        "patient": "Patient",
        "administrator": "Administrator",
        "auditor": "Auditor",
        "app": "App",
        "guest": "Guest",
    }
)
"""Kinds of account, as ``identity`` names them, and the Cedar entity type of each."""

SYSTEM_GRANT = "system"
"""The grant of an app that stands for the organization itself: imports, interface engines."""

DEVICE_GRANT = "mdm"
"""The grant of an app that manages devices (MDM), and says of them whether they are managed and healthy."""

PROVISIONING_GRANT = "scim"
"""The grant of the app by which the organization's directory keeps the accounts of people."""

ADMINISTRATORS_GRANT = "scim-administrators"
"""What such an app is given besides, if it keeps the accounts of administrators as well."""

_DEFAULT_PURPOSES: Mapping[str, Purpose] = MappingProxyType(
    {
        "practitioner": Purpose.TREAT,
        "patient": Purpose.PATRQT,
        "administrator": Purpose.HSYSADMIN,
        "auditor": Purpose.HCOMPL,
        "app": Purpose.HOPERAT,
        "guest": Purpose.TREAT,
    }
)


def default_purpose(kind: str) -> Purpose:
    """The purpose of a request that states none. Raises KeyError for a kind that is not in PRINCIPAL_TYPES."""
    return _DEFAULT_PURPOSES[kind]
