"""Which router should own which shard: all of them name the same one, and nothing moves while they come and go."""

from collections import Counter

import pytest

from parley_session_router.shards import balance
from parley_session_router.shards.balance import GONE_SECONDS, SETTLED_SECONDS, Routers

NAMES = ("路由甲", "router-b", "router-c")


def three(me: str) -> Routers:
    routers = Routers(me, 0.0)
    for name in NAMES:
        if name != me:
            routers.hear(name, 1.0, leaving=False)
    return routers


def test_every_replica_names_the_same_owner_and_each_has_some() -> None:
    views = [[three(me).preferred(shard) for shard in range(64)] for me in NAMES]
    assert views[0] == views[1] == views[2]
    shares = Counter(views[0])
    assert set(shares) == set(NAMES)
    assert min(shares.values()) >= 10


def test_only_the_shards_of_who_left_move() -> None:
    before = three(NAMES[0])
    after = three(NAMES[0])
    after.hear(NAMES[2], 2.0, leaving=True)
    for shard in range(64):
        if before.preferred(shard) != NAMES[2]:
            assert after.preferred(shard) == before.preferred(shard)


def test_nothing_moves_until_nobody_has_come_or_gone_for_a_while() -> None:
    routers = three(NAMES[0])
    assert not routers.settled(1.0 + SETTLED_SECONDS - 0.1)
    assert routers.settled(1.0 + SETTLED_SECONDS)
    routers.hear("router-d", 20.0, leaving=False)
    assert not routers.settled(20.1)


@pytest.mark.parametrize("again", [1.0, 5.0])
def test_a_router_that_is_heard_of_again_is_no_news(again: float) -> None:
    routers = three(NAMES[0])
    routers.hear(NAMES[1], again, leaving=False)
    assert routers.settled(1.0 + SETTLED_SECONDS)


def test_one_that_falls_silent_is_gone() -> None:
    routers = three(NAMES[0])
    silent = 1.0 + GONE_SECONDS + 0.1
    routers.hear(NAMES[1], silent - 1, leaving=False)
    assert not routers.settled(silent)
    assert routers.settled(silent + SETTLED_SECONDS)
    assert {routers.preferred(shard) for shard in range(64)} == {NAMES[0], NAMES[1]}


def test_alone_one_prefers_itself() -> None:
    routers = Routers("只有我", 0.0)
    assert {routers.preferred(shard) for shard in range(16)} == {"只有我"}
    assert balance.ANNOUNCE_SECONDS * 3 < GONE_SECONDS, "one lost announcement must not end a router"
