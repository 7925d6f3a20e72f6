"""An authenticator app that is given its key by a link on a page."""

import base64
import re

from playwright.async_api import Page

from carekeep.encryption import Secret


async def key_in(page: Page) -> Secret:
    """The key in the page's ``otpauth:`` link."""
    link = await page.get_by_role("link", name="give it the key").get_attribute("href")
    found = re.fullmatch(r"otpauth://totp/Carekeep:[^?]+\?secret=([A-Z2-7]+)&issuer=Carekeep", link or "")
    assert found is not None, link
    return Secret(base64.b32decode(found[1] + "=" * (-len(found[1]) % 8)))
