"""A bundle in one file, signed: JSON with the bundle and a C2SP signed note over its digest."""

from base64 import b64encode
from collections.abc import Callable, Sequence

import orjson

from carekeep.access.bundles.bundle import LARGEST, Bundle, BundleRefused
from carekeep.audit.note import Note, NoteRefused, Signature, VerifierKey, open_note, parse_note

_FIRST_LINE = "carekeep policy bundle"


def sign_bundle(bundle: Bundle, sign: Callable[[str], Signature]) -> bytes:
    """The file, the same for the same bundle and key. ``sign`` is ``audit.note.sign`` with a name and key.

    Raises BundleRefused for a name that no signer may have.
    """
    text = _text(bundle)
    try:
        note = str(Note(text, (sign(text),)))
    except NoteRefused as refused:
        raise BundleRefused(str(refused)) from None
    return orjson.dumps({"bundle": orjson.Fragment(bundle.dump()), "note": note}, option=orjson.OPT_APPEND_NEWLINE)


def open_signed(content: bytes, signers: Sequence[VerifierKey]) -> tuple[Bundle, tuple[str, ...]]:
    """The bundle in a file and the names of those who signed it. Raises BundleRefused.

    Without ``signers`` anybody's signature will do, and nobody's name is given.
    """
    if len(content) > LARGEST:
        raise BundleRefused(f"the bundle is longer than {LARGEST} bytes")
    try:
        members = orjson.loads(content)
        bundle, note = Bundle.parse(members["bundle"]), str(members["note"])
    except (orjson.JSONDecodeError, TypeError, KeyError):
        raise BundleRefused("the file is not one that `carekeep policy sign` wrote") from None
    try:
        found = open_note(note, signers) if signers else parse_note(note)
    except NoteRefused as refused:
        raise BundleRefused(f"the signature is not accepted: {refused}") from None
    if found.text != _text(bundle):
        raise BundleRefused("the signature is of another bundle, or the bundle was changed after it was signed")
    return bundle, tuple(signature.name for signature in found.signatures) if signers else ()


def _text(bundle: Bundle) -> str:
    return f"{_FIRST_LINE}\n{bundle.title}\n{b64encode(bundle.digest).decode()}\n"
