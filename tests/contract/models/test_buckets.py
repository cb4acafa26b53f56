"""Requests and tokens per minute, in process and shared in a real Redis: the same promises."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from parley.core import SystemClock, new_id
from parley.testing.servers.ports import free_port
from parley.testing.servers.redis import redis
from parley_ai_engine.admission.buckets import Buckets, Rate
from parley_ai_engine.admission.redis_buckets import open_buckets


@pytest_asyncio.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.connected)])
async def buckets(request: pytest.FixtureRequest) -> AsyncIterator[Buckets]:
    async with AsyncExitStack() as stack:
        url = "memory:" if request.param == "memory" else (await stack.enter_async_context(redis())).url
        yield await stack.enter_async_context(open_buckets(url, SystemClock()))


def a_name() -> str:
    return new_id("key")


async def test_many_at_the_same_moment_never_get_more_than_there_is(buckets: Buckets) -> None:
    name = {a_name(): Rate(tokens=1000)}
    waits = await asyncio.gather(*(buckets.reserve(name, 100) for _ in range(40)))
    assert sum(wait == 0 for wait in waits) == 10
    assert all(4 < wait <= 6 for wait in waits if wait)


async def test_all_buckets_or_none(buckets: Buckets) -> None:
    key, tenant = a_name(), a_name()
    assert await buckets.reserve({key: Rate(tokens=1000), tenant: Rate(tokens=100)}, 100) == 0
    assert await buckets.reserve({key: Rate(tokens=1000), tenant: Rate(tokens=100)}, 100) > 50
    assert await buckets.reserve({key: Rate(tokens=1000)}, 900) == 0, "the refused one took nothing from the key"


async def test_what_was_not_used_comes_back_and_what_was_used_beyond_is_owed(buckets: Buckets) -> None:
    name = {a_name(): Rate(tokens=600)}
    assert await buckets.reserve(name, 600) == 0
    await buckets.settle(name, 600, 100)
    assert await buckets.reserve(name, 500) == 0
    await buckets.settle(name, 500, 800)
    assert 39 < await buckets.reserve(name, 100) <= 41


async def test_requests_count_by_themselves_and_no_limit_is_no_limit(buckets: Buckets) -> None:
    name = {a_name(): Rate(requests=2)}
    assert [await buckets.reserve(name, 10**6) == 0 for _ in range(3)] == [True, True, False]
    assert await buckets.reserve({a_name(): Rate()}, 10**6) == 0


async def test_a_call_larger_than_a_minute_takes_a_whole_one(buckets: Buckets) -> None:
    name = {a_name(): Rate(tokens=100)}
    assert await buckets.reserve(name, 5000) == 0
    assert await buckets.reserve(name, 5000) > 55


@pytest.mark.connected
async def test_two_replicas_share_one_minute() -> None:
    async with (
        redis() as server,
        open_buckets(server.url, SystemClock()) as one,
        open_buckets(server.url, SystemClock()) as two,
    ):
        name = {a_name(): Rate(tokens=1000)}
        assert await one.reserve(name, 1000) == 0
        assert await two.reserve(name, 1000) > 55


async def test_without_its_redis_a_replica_keeps_count_by_itself() -> None:
    async with open_buckets(f"redis://127.0.0.1:{free_port()}/0", SystemClock()) as alone:
        name = {a_name(): Rate(tokens=100)}
        assert await alone.reserve(name, 100) == 0
        assert await alone.reserve(name, 100) > 50
        await alone.settle(name, 100, 0)
        assert await alone.reserve(name, 100) == 0
