"""Where a request comes from: headers count only when a trusted proxy wrote them."""

from typing import Any

import pytest

from parley.core import SettingsError
from parley_gateway.access import is_own
from parley_gateway.door import Knock, knock_of, networks_of


def a_scope(peer: str = "203.0.113.9", **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"client": (peer, 5000), "headers": pairs}


def test_without_proxies_the_peer_is_the_client_whatever_it_writes() -> None:
    scope = a_scope(host="chat.example", origin="https://a.example", x_forwarded_for="1.2.3.4", x_forwarded_host="evil")
    assert knock_of(scope, "") == Knock("203.0.113.9", "https://a.example", "chat.example")


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.5"])
def test_even_a_local_peer_is_not_trusted_unless_it_is_named(peer: str) -> None:
    assert knock_of(a_scope(peer, x_forwarded_for="1.2.3.4"), "192.0.2.1").address == peer


@pytest.mark.parametrize("trusted", ["10.0.0.5", "10.0.0.0/8", "192.0.2.1, 10.0.0.0/8", "10.0.0.1/8"])
def test_a_trusted_proxy_says_who_the_client_is(trusted: str) -> None:
    scope = a_scope("10.0.0.5", host="inner", x_forwarded_for="198.51.100.7", x_forwarded_host="chat.example")
    assert knock_of(scope, trusted) == Knock("198.51.100.7", "", "chat.example")


def test_of_several_hops_only_those_that_trusted_proxies_wrote_count() -> None:
    scope = a_scope("10.0.0.5", x_forwarded_for="6.6.6.6, 198.51.100.7, 10.0.0.9")
    assert knock_of(scope, "10.0.0.0/8").address == "198.51.100.7"


def test_a_chain_of_our_own_proxies_ends_at_the_first_of_them() -> None:
    assert knock_of(a_scope("10.0.0.5", x_forwarded_for="10.0.0.8, 10.0.0.9"), "10.0.0.0/8").address == "10.0.0.8"


@pytest.mark.parametrize("forwarded", ["", " , ,", "unknown", "x" * 500])
def test_a_strange_forwarded_header_breaks_nothing(forwarded: str) -> None:
    assert len(knock_of(a_scope("10.0.0.5", x_forwarded_for=forwarded), "10.0.0.5").address) <= 64


def test_a_peer_without_address_is_nobody() -> None:
    assert knock_of({"client": None, "headers": []}, "10.0.0.0/8") == Knock("", "", "")


def test_a_slip_in_the_trusted_proxies_is_named() -> None:
    with pytest.raises(SettingsError, match=r'PARLEY_GATEWAY_TRUSTED_PROXIES holds "10\.0\.0"'):
        networks_of("10.0.0.0/8, 10.0.0")


@pytest.mark.parametrize("origin", ["", "https://chat.example", "http://chat.example", "https://CHAT.example"])
def test_our_own_pages_and_programs_may_come_in(origin: str) -> None:
    assert is_own(origin, "chat.example", frozenset())


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        "https://chat.example.evil.example",
        "https://evilchat.example",
        "https://chat.example:8443",
        "https://chat.example@evil.example",
        "https://evil.example/chat.example",
        "https://evil.example#chat.example",
        "chat.example",
        "https://chat.example\x00.evil.example",
    ],
)
def test_an_origin_that_only_looks_like_ours_may_not(origin: str) -> None:
    assert not is_own(origin, "chat.example", frozenset({"https://shop.example"}))


def test_an_origin_without_host_is_not_ours_because_we_were_called_without_a_name() -> None:
    assert not is_own("null", "", frozenset())
    assert not is_own("file://", "", frozenset())


def test_the_operator_may_name_origins_or_let_everybody_in() -> None:
    assert is_own("https://shop.example", "chat.example", frozenset({"https://shop.example"}))
    assert not is_own("https://shop.example.evil.example", "chat.example", frozenset({"https://shop.example"}))
    assert is_own("https://anything.example", "chat.example", frozenset({"*"}))
