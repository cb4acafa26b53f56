"""A broken event is tried a few times and parked; it delays nobody else by more than that."""

from parley.bus.queues import EVENTS
from parley.contracts.v1 import DeadLetter, MessageStored, SendMessage
from parley.service import Context, Service
from parley.service.consuming import FIRST_PAUSE, LONGEST_PAUSE, MAX_ATTEMPTS
from parley.testing import TestBench
from parley.testing.builders import a_message_stored

service = Service[None]("fragile")


@service.observes(EVENTS, MessageStored)
async def handle(event: MessageStored, ctx: Context[None]) -> None:
    """Break on one word."""
    if event.message.text == "坏":
        raise ZeroDivisionError("broken")
    await ctx.publish(SendMessage(session_id=event.session_id, text=event.message.text))


async def test_the_neighbours_of_a_broken_event_are_handled_before_its_second_attempt() -> None:
    async with TestBench(service) as bench:
        await bench.publish(a_message_stored("坏", session="ses_a"))
        for n in range(20):
            await bench.publish(a_message_stored(f"好{n}", session=f"ses_{n}"))
        await bench.until(lambda: len(bench.sent(SendMessage)) == 20)
        assert bench.sent(DeadLetter) == []


async def test_its_own_session_waits_for_its_attempts_and_no_longer() -> None:
    async with TestBench(service) as bench:
        began = bench.clock.now()
        await bench.publish(a_message_stored("坏"))
        await bench.publish(a_message_stored("好"))
        await bench.settled()
        assert [said.text for said in bench.sent(SendMessage)] == ["好"]
        (letter,) = bench.sent(DeadLetter)
        assert (letter.attempts, letter.cause) == (MAX_ATTEMPTS, "ZeroDivisionError: broken")
        assert bench.clock.now() - began <= sum(min(LONGEST_PAUSE, FIRST_PAUSE * 2**n) for n in range(MAX_ATTEMPTS))
