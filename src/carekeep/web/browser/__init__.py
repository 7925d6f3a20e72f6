"""What every page for people shares: rendering, static files, cookies, and the defences of a browser.

Invariants: templates escape everything; a page runs no script but ours, under a nonce; a request that changes
something comes from a page of the same origin; cookies are ``__Host-`` ones that scripts cannot read.
"""

from carekeep.web.browser.cookies import cookie, drop_cookie, read_cookie
from carekeep.web.browser.forms import Form, read_form
from carekeep.web.browser.origin import refuse_other_origins
from carekeep.web.browser.pages import Pages, redirect, safe_path
from carekeep.web.browser.static_files import StaticFiles

__all__ = [
    "Form",
    "Pages",
    "StaticFiles",
    "cookie",
    "drop_cookie",
    "read_cookie",
    "read_form",
    "redirect",
    "refuse_other_origins",
    "safe_path",
]
