"""A defect of ours, in each part of the application: a plain answer, a line in the log, and the next one is served."""

import logging
from typing import NoReturn

import pytest

from tests.web.clinic import Clinic, on_sqlite

TOLD = "a name and a diagnosis that stood in the request"
SIGN_IN = "https://auth.records.example.org"


class DefectError(Exception):
    """What nobody expected."""


# Where a request goes, with which method.
PLACES = {
    "FHIR": ("GET", "/fhir/Patient/ada"),
    "a search": ("GET", "/fhir/Patient?name=x"),
    "sign-in by JSON": ("GET", "/auth/session"),
    "administration": ("GET", "/admin/accounts"),
    "provisioning": ("GET", "/scim/v2/Users"),
    "devices": ("POST", "/devices"),
    "apps": ("GET", "/oauth/userinfo"),
    "bulk jobs": ("GET", "/bulk/00000000000000000000000000000000"),
    "the ledger": ("GET", "/ledger/proof/00000000000000000000000000000000"),
    "pages": ("GET", f"{SIGN_IN}/account"),
}


@on_sqlite
@pytest.mark.parametrize("part", PLACES)
async def test_what_nobody_expected_is_told_without_a_word_of_it(
    clinic: Clinic, part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_given: object, **_named: object) -> NoReturn:
        raise DefectError(TOLD)

    method, place = PLACES[part]
    token = {"authorization": f"Bearer {clinic.tokens['physician']}"}
    with monkeypatch.context() as broken, caplog.at_level(logging.DEBUG):
        broken.setattr(type(clinic.system.services.tokens), "authenticate", fail)
        broken.setattr(type(clinic.system.services.browser_sessions), "authenticate", fail)
        answer = await clinic.client.request(
            method, place, headers={**token, "cookie": "__Host-session=" + "x" * 43}, content=b"{}"
        )
    assert answer.status_code == 500
    assert TOLD not in answer.text
    assert "Traceback" not in answer.text
    assert DefectError.__name__ not in answer.text
    (told,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert told.startswith("unexpected DefectError in ")
    assert "test_last_resort.py:" in told
    assert TOLD not in caplog.text
    assert (await clinic.ask("GET", "Patient/ada", who="physician")).status == 200
