"""The tutorial: says hello to those who say it, and to nobody else."""

import pytest

from parley.contracts.v1 import SendMessage
from parley.testing import TestBench
from parley.testing.builders import a_message, a_message_stored, an_agent
from parley_hello.service import service


async def test_a_visitor_who_says_hello_is_greeted() -> None:
    async with TestBench(service) as bench:
        await bench.publish(a_message_stored("Hello Parley, 在吗？", session="ses_王小明"))
        await bench.settled()
        (greeting,) = bench.sent(SendMessage)
        assert greeting.text == "Hello! How can I help?"
        assert (greeting.session_id, greeting.meta.session_id) == ("ses_王小明", "ses_王小明")
        assert greeting.meta.tenant_id == "demo"


@pytest.mark.parametrize("text", ["我要退款", "", "hell parley", "hello " * 5000])
async def test_every_other_message_is_left_alone(text: str) -> None:
    async with TestBench(service) as bench:
        await bench.publish(a_message_stored(text))
        await bench.settled()
        assert bench.sent(SendMessage) == []
        assert await bench.dead() == []


async def test_an_agent_who_says_hello_is_not_greeted() -> None:
    async with TestBench(service) as bench:
        stored = a_message_stored()
        stored.message.CopyFrom(a_message("hello parley", sender=an_agent()))
        await bench.publish(stored)
        await bench.settled()
        assert bench.sent(SendMessage) == []


async def test_a_message_that_comes_twice_gives_one_greeting_twice() -> None:
    """Both name the same cause, and a session takes one cause's message once."""
    async with TestBench(service) as bench:
        await bench.publish(a_message_stored("hello parley"))
        await bench.settled()
        await bench.redeliver_last()
        await bench.settled()
        first, second = bench.sent(SendMessage)
        assert first.meta.causation_id == second.meta.causation_id != ""
