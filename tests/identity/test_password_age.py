"""Passwords do not wear out: whoever must change them often chooses worse ones (NIST SP 800-63B-4, section 3.1.1.2)."""

from tests.identity.people import PASSWORD, Office

TEN_YEARS_MS = 10 * 366 * 86_400_000


async def test_a_password_is_as_good_after_ten_years(office: Office) -> None:
    made = await office.practitioner()
    office.now += TEN_YEARS_MS
    assert (await office.sign_in.verify("amelie", PASSWORD, None)).value.account == made
