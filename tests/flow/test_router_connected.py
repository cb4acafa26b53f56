"""The same shards on a real RabbitMQ and a MongoDB-protocol server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.flow.router_house import House, a_house
from tests.flow.test_router_shards import (  # noqa: F401 - collected here again, with the house below
    test_a_burst_in_one_batch_is_one_question,
    test_a_crash_after_a_timer_fired_loses_nothing_of_it,
    test_a_crash_after_the_commit_loses_nothing,
    test_a_crash_between_two_commits_keeps_what_the_first_still_owed,
    test_a_gateway_that_is_gone_is_forgotten,
    test_a_message_is_stored_before_it_is_accepted_and_the_turn_comes_back_as_an_answer,
    test_a_repeat_from_further_back_than_memory_gets_its_first_answer,
    test_a_visitor_of_a_channel_has_one_session_and_a_second_is_parked_with_the_reason,
    test_a_zombie_writes_nothing_and_the_message_is_stored_once,
    test_leaving_hands_the_shard_to_the_next_in_line_with_nothing_repeated,
    test_sessions_in_one_batch_do_not_disturb_each_other,
    test_timers_survive_a_restart,
    test_what_can_never_be_handled_is_parked_and_its_neighbours_go_on,
)

pytestmark = pytest.mark.connected


@pytest.fixture
async def house(tmp_path: Path, bus_url: str, database_url: str) -> AsyncIterator[House]:
    async with a_house(tmp_path, bus_url=bus_url, database_url=database_url) as house:
        yield house
