"""One standing desk for the tests that leave it as they found it, and the table of a full-length run."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults import table
from tests.faults.desk import LONG, Desk, a_desk


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def standing() -> AsyncIterator[Desk]:
    """Started by the first test that asks. Generous limits: visitors of a test come from one address."""
    limits = {"PARLEY_GATEWAY_MESSAGES_PER_SECOND": "1000", "PARLEY_GATEWAY_MESSAGES_BURST": "2000"}
    async with a_desk(limits) as desk:
        yield desk


@pytest_asyncio.fixture(loop_scope="session")
async def desk(standing: Desk) -> AsyncIterator[Desk]:
    """The standing desk, whole at the beginning of each test."""
    await standing.mend()
    yield standing


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table after a full-length run in which nothing failed."""
    if LONG and table.ROWS and not session.testsfailed:
        table.write()
