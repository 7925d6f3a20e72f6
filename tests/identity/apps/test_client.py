"""What a client may be, and where it may send people back to."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.identity.apps.client import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
    Client,
    ClientAuthentication,
    ClientInvalid,
    is_redirect_uri,
)

APP = Client(
    id="0" * 32,
    name="Growth Charts",
    authentication=ClientAuthentication.NONE,
    created_ms=0,
    redirect_uris=("https://app.example.org/callback",),
)

INVALID: Mapping[str, tuple[dict[str, Any], str]] = {
    "an id of another form": ({"id": "x"}, "client_id"),
    "no name": ({"name": ""}, "client_name"),
    "a name with a line": ({"name": "a\nb"}, "client_name"),
    "no grant type": ({"grant_types": ()}, "grant_types"),
    "the implicit way": ({"grant_types": ("implicit",)}, "grant_types"),
    "a code and nowhere to send it": ({"redirect_uris": ()}, "redirect_uris"),
    "http": ({"redirect_uris": ("http://app.example.org/",)}, "redirect_uris"),
    "a launch by http": ({"launch_uri": "http://app.example.org/"}, "launch_uri"),
    "keys by http": ({"keys_uri": "http://app.example.org/"}, "jwks_uri"),
    "keys that nobody asks for": ({"keys": "{}"}, "token_endpoint_auth_method"),
    "a method without keys": (
        {"authentication": ClientAuthentication.PRIVATE_KEY_JWT},
        "token_endpoint_auth_method",
    ),
    "a certificate that is none": (
        {"authentication": ClientAuthentication.CERTIFICATE, "certificates": ("x",)},
        "token_endpoint_auth_method",
    ),
    "a public app that acts for itself": (
        {"grant_types": (AUTHORIZATION_CODE, CLIENT_CREDENTIALS)},
        "grant_types",
    ),
    "a public app that exchanges": ({"grant_types": (AUTHORIZATION_CODE, TOKEN_EXCHANGE)}, "grant_types"),
    "refreshing what nobody gave": ({"grant_types": (REFRESH_TOKEN,), "redirect_uris": ()}, "grant_types"),
    "an account of its own for nothing": ({"account": "0" * 32}, "account"),
    "id tokens without a signature": ({"id_token_algorithm": "none"}, "id_token_signed_response_alg"),
}


@pytest.mark.parametrize("what", INVALID)
def test_a_client_cannot_be_like_this(what: str) -> None:
    given_, field = INVALID[what]
    with pytest.raises(ClientInvalid) as caught:
        replace(APP, **given_)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("registered", "asked", "same"),
    [
        ("https://app.example.org/callback", "https://app.example.org/callback", True),
        ("https://app.example.org/callback", "https://app.example.org/callback/", False),
        ("https://app.example.org/callback", "https://app.example.org:443/callback", False),
        ("https://app.example.org/callback", "https://APP.example.org/callback", False),
        ("https://app.example.org/callback", "https://app.example.org/callback?x=y", False),
        ("http://127.0.0.1/callback", "http://127.0.0.1:51234/callback", True),
        ("http://127.0.0.1:1/callback", "http://127.0.0.1:2/callback", True),
        ("http://[::1]/callback", "http://[::1]:51234/callback", True),
        ("http://127.0.0.1/callback", "http://127.0.0.1:51234/other", False),
        ("http://127.0.0.1/callback", "http://127.0.0.2:51234/callback", False),
        ("http://127.0.0.1/callback", "https://127.0.0.1:51234/callback", False),
        ("http://127.0.0.1/callback", "http://evil@127.0.0.1/callback", False),
        ("http://127.0.0.1/callback", "http://127.0.0.1.evil.example.org/callback", False),
        ("http://localhost/callback", "http://localhost:51234/callback", False),
        ("org.example.app:/callback", "org.example.app:/callback", True),
    ],
)
def test_redirects_are_compared_letter_by_letter(registered: str, asked: str, *, same: bool) -> None:
    assert replace(APP, redirect_uris=(registered,)).may_redirect_to(asked) is same


@given(st.text(max_size=60), st.sampled_from(["https://app.example.org/callback", "http://127.0.0.1/callback"]))
def test_nothing_but_the_port_of_a_loopback_address_may_differ(text: str, registered: str) -> None:
    client = replace(APP, redirect_uris=(registered,))
    for asked in (text, registered + text, text + registered):
        if client.may_redirect_to(asked) and asked != registered:
            assert asked.startswith("http://127.0.0.1:")
            assert asked.endswith("/callback")


@given(st.sampled_from(["javascript", "data", "vbscript", "blob", "file", "about", "ftp"]), st.text(max_size=40))
def test_nobody_is_sent_to_a_script(scheme: str, rest: str) -> None:
    assert not is_redirect_uri(f"{scheme}:{rest}")
    assert not is_redirect_uri(f"{scheme.upper()}:{rest}")
