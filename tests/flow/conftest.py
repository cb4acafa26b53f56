"""One house for all flow tests that only talk to it; those that break something build their own."""

from collections.abc import Iterator

import pytest

from tests.flow.house import House, a_house


@pytest.fixture(scope="session")
def desk() -> Iterator[House]:
    """The demo as `make run` starts it, with a short patience for hellos and a wide one for fast visitors."""
    limits = {
        "PARLEY_GATEWAY_HELLO_SECONDS": "1",
        "PARLEY_GATEWAY_MESSAGES_PER_SECOND": "5",
        "PARLEY_GATEWAY_MESSAGES_BURST": "60",
        "PARLEY_GATEWAY_ORIGINS": "https://shop.example",
    }
    with a_house(**limits) as house:
        yield house
