"""Settings of the gateway: useful by default, and a slip tells what to type."""

import pytest

from parley.core import SettingsError
from parley_gateway.settings import GatewaySettings


def test_defaults_need_no_environment() -> None:
    settings = GatewaySettings.load({})
    assert (settings.port, settings.ping_seconds, settings.queue_frames, settings.queue_bytes) == (
        8080,
        25,
        256,
        262144,
    )


def test_origins_are_separated_by_commas() -> None:
    settings = GatewaySettings.load({"PARLEY_GATEWAY_ORIGINS": "https://a.example, https://b.example,,"})
    assert settings.allowed_origins() == {"https://a.example", "https://b.example"}


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("PARLEY_GATEWAY_PORT", "eighty", "a port to listen on"),
        ("PARLEY_GATEWAY_FRAME_BYTES", "1", "bytes in one client frame"),
        ("PARLEY_GATEWAY_HELLO_SECONDS", "0", "seconds that a connection may take"),
        ("PARLEY_GATEWAY_UPLOAD_BYTES", "6000000", "bytes in one upload"),
        ("PARLEY_GATEWAY_TEXT_CHARS", "50000", "characters in one message, at most 20000"),
    ],
)
def test_a_slip_names_the_variable_and_what_is_expected(variable: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=rf'{variable} is "{value}"; expected {expected}'):
        GatewaySettings.load({variable: value})
