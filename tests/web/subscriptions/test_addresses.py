"""Where notifications may go: the forms in which the inside of a network has been disguised."""

import ipaddress
import socket
import ssl
from typing import Any

import pytest

from carekeep.web.outgoing.addresses import AllowedHosts, EndpointRefused, HostsRefused, is_public
from carekeep.web.subscriptions.rest_hook import Undelivered, post
from tests.web.clinic import on_sqlite
from tests.web.subscriptions.ward import Ward

LISTED = AllowedHosts.parse("hooks.example.org board.example.org:8443 10.1.2.0/24")

ALLOWED = {
    "https://hooks.example.org/notify?x=1": ("hooks.example.org", 443, "/notify?x=1"),
    "https://HOOKS.example.org": ("hooks.example.org", 443, "/"),
    "https://hooks.example.org:443/": ("hooks.example.org", 443, "/"),
    "https://board.example.org:8443/a%20b": ("board.example.org", 8443, "/a%20b"),
    "https://10.1.2.3/in": ("10.1.2.3", 443, "/in"),
}

REFUSED = [
    "http://hooks.example.org/",
    "https://hooks.example.org:444/",
    "https://board.example.org/",
    "https://other.example.org/",
    "https://hooks.example.org.evil.example/",
    "https://127.0.0.1/",
    "https://localhost/",
    "https://localhost:8443/fhir",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:10.1.2.3]/",
    "https://169.254.169.254/latest/meta-data",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://10.1.3.1/",
    "https://8.8.8.8/",
    "https://0.0.0.0/",
    "https://hooks.example.org@127.0.0.1/",
    "https://user:secret@hooks.example.org/",
    "https://hooks.example.org#@127.0.0.1/",
    "https://hooks.example.org\\@127.0.0.1/",
    "https://hooks.example.org /",
    "https://hooks.example.org/\r\nHost: inside",
    "https://hooks.example.org/\u00e9",
    "https://h\u00f6oks.example.org/",
    "https://hooks.example.org:0/",
    "https://hooks.example.org:99999/",
    "https://hooks.example.org:/x y",
    "https://hooks.example.org./",
    "https://[fe80::1%25eth0]/",
    "https:///notify",
    "https:hooks.example.org",
    "//hooks.example.org/",
    "file:///etc/passwd",
    "gopher://hooks.example.org/",
    "",
]


@pytest.mark.parametrize("url", ALLOWED)
def test_what_is_listed_is_allowed(url: str) -> None:
    endpoint = LISTED.endpoint(url)
    assert (endpoint.host, endpoint.port, endpoint.target) == ALLOWED[url]


@pytest.mark.parametrize("url", REFUSED)
def test_everything_else_is_refused(url: str) -> None:
    with pytest.raises(EndpointRefused) as refused:
        LISTED.endpoint(url)
    assert "127.0.0.1" not in str(refused.value)


@pytest.mark.parametrize("url", [*ALLOWED, *REFUSED])
def test_nothing_is_allowed_by_default(url: str) -> None:
    with pytest.raises(EndpointRefused):
        AllowedHosts.parse("").endpoint(url)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),  # noqa: S104 (nothing is bound)
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) == public


@pytest.mark.parametrize(
    "text", ["*", "*.example.org", "https://hooks.example.org", "10.1.2.3/8", "127.0.0.1", "a:b", "a:0"]
)
def test_a_list_that_says_nothing_clear_is_refused(text: str) -> None:
    with pytest.raises(HostsRefused):
        AllowedHosts.parse(text)


@pytest.mark.parametrize(
    "answer", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "::ffff:127.0.0.1", "93.184.216.34 127.0.0.1"]
)
async def test_a_name_that_leads_inside_is_not_connected_to(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is allowed; where it leads is looked at when it is connected to (DNS rebinding)."""

    def resolve(_host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in answer.split()]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    endpoint = LISTED.endpoint("https://hooks.example.org/")
    with pytest.raises(Undelivered, match="an address that this server may not connect to"):
        await post(endpoint, (), b"", hosts=LISTED, trust=ssl.create_default_context(), timeout_s=1)


@on_sqlite
async def test_a_refusal_says_what_to_do(ward: Ward) -> None:
    refused = await ward.ask_for(channel={"endpoint": "https://elsewhere.example/"})
    assert refused.status == 422
    assert refused.json["issue"][0]["expression"] == ["Subscription.channel.endpoint"]
    assert "subscription_hosts" in refused.said
