"""Topology is declared in one place and only compared everywhere else."""

from parley.bus import Bus
from parley.bus.queues import Kind, durable_queues
from tests.contract.bus.conftest import a_queue


async def test_what_is_missing_is_named_with_the_command_that_makes_it(bus: Bus) -> None:
    (problem,) = await bus.check_topology([a_queue("absent")])
    assert "absent" in problem
    assert "parley topology apply" in problem
    assert await bus.check_topology([a_queue("absent")]), "checking must not make it"


async def test_applying_twice_makes_nothing_new(bus: Bus) -> None:
    queues = durable_queues(2)
    made = await bus.apply_topology(queues)
    assert len(made) == len(queues) - 1  # the dead-letter queue is there
    assert await bus.apply_topology(queues) == []
    assert await bus.check_topology(queues) == []


async def test_a_shard_has_one_reader_and_work_has_many() -> None:
    kinds = {queue.name: queue.kind for queue in durable_queues(2)}
    assert kinds["sessions.00"] is Kind.SHARD
    assert kinds["user_to_engine"] is Kind.WORK
