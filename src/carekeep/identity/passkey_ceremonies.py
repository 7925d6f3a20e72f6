"""The two ceremonies of WebAuthn Level 3: what is asked of the browser, and whether its answer is right. No I/O.

User verification is demanded always, so that a passkey is two factors. Attestation is not asked for: what an
authenticator says of itself (whether it is bound to a device, too) is the word of the person whose it is.
"""

import hashlib
from dataclasses import dataclass

import orjson
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import (
    parse_attestation_object,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationFormat,
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    RegistrationCredential,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from carekeep.encryption import Secret, associated_data
from carekeep.identity.account import Account
from carekeep.identity.errors import PasskeyRefused
from carekeep.identity.passkey_rows import Passkey

CHALLENGE_LENGTH = 32
LIFETIME_MS = 5 * 60_000
LONGEST_ANSWER = 16 * 1024  # bytes of JSON
_LONGEST_CREDENTIAL_ID = 1023  # bytes; WebAuthn Level 3, section 4
_LONGEST_REASON = 200
_ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,  # Windows Hello on many machines
]
# What is left of an attestation that was not asked for: nothing, or a signature of the passkey itself.
_FORMATS = frozenset({AttestationFormat.NONE, AttestationFormat.PACKED})


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A question to a browser. ``options``: JSON for ``navigator.credentials``. ``state``: a cookie for the answer."""

    options: bytes
    state: Secret


@dataclass(frozen=True, slots=True)
class Party:
    """Who asks: the relying party's id (a host), the one origin of its pages, and its name for people."""

    rp_id: str
    origin: str
    name: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A new credential as the browser told of it."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    syncs: bool
    backed_up: bool
    transports: tuple[str, ...]
    aaguid: str


def registration_options(party: Party, account: Account, has: tuple[Passkey, ...], challenge: bytes) -> bytes:
    """JSON for ``navigator.credentials.create``: a passkey that can be found without typing a login."""
    options = generate_registration_options(
        rp_id=party.rp_id,
        rp_name=party.name,
        user_id=account.id,
        user_name=account.login,
        user_display_name=account.name,
        challenge=challenge,
        timeout=LIFETIME_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(has),
        supported_pub_key_algs=_ALGORITHMS,
    )
    return options_to_json(options).encode()


def sign_in_options(party: Party, allowed: tuple[Passkey, ...], challenge: bytes) -> bytes:
    """JSON for ``navigator.credentials.get``: these passkeys, or whichever the person chooses if there are none."""
    options = generate_authentication_options(
        rp_id=party.rp_id,
        challenge=challenge,
        timeout=LIFETIME_MS,
        allow_credentials=_descriptors(allowed),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options).encode()


def read_assertion(answer: bytes) -> AuthenticationCredential:
    """The browser's answer, not yet verified. Raises PasskeyRefused."""
    try:
        return parse_authentication_credential_json(_text(answer))
    except PasskeyRefused:
        raise
    except Exception as error:  # noqa: BLE001 - a parser that strangers reach: whatever it dies of, nobody signs in
        raise _refused(error, None) from None


def verify_assertion(
    party: Party, passkey: Passkey, given: AuthenticationCredential, challenge: bytes
) -> VerifiedAuthentication:
    """Verifies a passkey's answer to a challenge. Raises PasskeyRefused."""
    account = passkey.account.hex()
    try:
        _same_origin(given.response.client_data_json)
        verified = verify_authentication_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=party.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # compared below: only a signed counter says something
            require_user_verification=True,
        )
    except Exception as error:  # noqa: BLE001 - as above
        raise _refused(error, account) from None
    count = verified.new_sign_count
    if (count or passkey.sign_count) and count <= passkey.sign_count:
        raise PasskeyRefused("passkey: its counter went backwards, so there may be a copy of it", account)
    if (verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE) is not passkey.syncs:
        raise PasskeyRefused("passkey: it says something else of its backup than when it was made", account)
    return verified


def verify_registration(party: Party, account: Account, answer: bytes, challenge: bytes) -> Registered:
    """Verifies a new passkey. Raises PasskeyRefused."""
    try:
        given = parse_registration_credential_json(_text(answer))
        _same_origin(given.response.client_data_json)
        _unattested(given.response.attestation_object)
        verified = verify_registration_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except PasskeyRefused:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        raise _refused(error, account.id.hex()) from None
    if len(verified.credential_id) > _LONGEST_CREDENTIAL_ID:
        raise PasskeyRefused("passkey: its credential id is too long", account.id.hex())
    return Registered(
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        syncs=verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        backed_up=verified.credential_backed_up,
        transports=_transports(given),
        aaguid=verified.aaguid,
    )


def ceremony_state(kind: str, challenge: bytes, account: bytes, expires_ms: int) -> bytes:
    """What comes back with the answer; ``account`` is empty when anybody may answer."""
    return orjson.dumps((kind, challenge.hex(), account.hex(), expires_ms))


def read_state(content: bytes) -> tuple[str, bytes, bytes, int]:
    """The reverse, of what was stamped by us: kind, challenge, account, expires_ms."""
    kind, challenge, account, expires_ms = orjson.loads(content)
    return kind, bytes.fromhex(challenge), bytes.fromhex(account), expires_ms


def challenge_digest(challenge: bytes) -> bytes:
    """By which a challenge is known as answered."""
    return hashlib.sha256(associated_data("passkey challenge", challenge)).digest()


def _same_origin(client_data_json: bytes) -> None:
    """A page of ours, and not one inside another's frame (WebAuthn Level 3, section 13.4.8)."""
    if parse_client_data_json(client_data_json).cross_origin:
        raise WebAuthnException("a frame in another origin's page")


def _unattested(attestation_object: bytes) -> None:
    if parse_attestation_object(attestation_object).fmt not in _FORMATS:
        raise WebAuthnException("an attestation that was not asked for")


def _text(answer: bytes) -> str:
    if len(answer) > LONGEST_ANSWER:
        raise PasskeyRefused("passkey: the answer is too long", None)
    return answer.decode()


def _refused(error: Exception, account_id: str | None) -> PasskeyRefused:
    told = str(error) if isinstance(error, WebAuthnException) else type(error).__name__
    return PasskeyRefused(f"passkey: {told[:_LONGEST_REASON]}", account_id)


def _descriptors(passkeys: tuple[Passkey, ...]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=passkey.credential_id,
            transports=[AuthenticatorTransport(transport) for transport in passkey.transports] or None,
        )
        for passkey in passkeys
    ]


def _transports(given: RegistrationCredential) -> tuple[str, ...]:
    return tuple(dict.fromkeys(transport.value for transport in given.response.transports or ()))
