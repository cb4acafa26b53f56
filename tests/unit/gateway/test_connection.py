"""One visitor's connection: who it is, what it may say, and how it ends."""

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from parley.contracts.v1 import (
    ClientFrame,
    Hello,
    Ping,
    Read,
    Stop,
    StopRequested,
    StreamAttached,
    StreamDetached,
    Typing,
    VisitorTyping,
)
from parley.core import Invalid, Unavailable
from parley_gateway.access import LEEWAY_SECONDS, Access
from parley_gateway.asking import Forbidden, RateLimited, Unauthorised
from parley_gateway.door import Knock
from parley_gateway.realtime import closing
from tests.unit.gateway.a_desk import DOWN, KEY, OTHER, SESSION, Client, a_client, a_desk, a_token


async def test_a_token_is_welcomed_to_its_own_session(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        welcome = await Client(at).hello(token=a_token())
        assert welcome["session_id"] == SESSION
        assert welcome["ping_s"] == 25
        assert "token" not in welcome


async def test_a_site_key_begins_a_session_and_the_welcome_holds_its_token(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        welcome = await Client(at).hello(site_key="demo")
        assert welcome["streams"] == [{"id": welcome["session_id"], "epoch": 1, "recovered": True, "head_seq": 0}]
        assert welcome["token"].count(".") == 2
        assert datetime.fromisoformat(welcome["expires_at"]).timestamp() == pytest.approx(time.time() + 3600, abs=5)
        assert at.router.asked == ["IssueVisitorToken"]


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        "令牌",
        "x" * 100_000,
        a_token(seconds=-LEEWAY_SECONDS - 5),
        a_token(aud="agent"),
        a_token(iss="somebody"),
        a_token(tenant=""),
        a_token(session=""),
        a_token()[:-4] + "AAAA",
        # {"alg": "none"} and {"alg": "HS256"}, both without a signature that could be ours
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzZXNfMSJ9.",
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIn0.eyJzdWIiOiJzZXNfMSJ9.aGFja2Vk",
    ],
    ids=range(12),
)
async def test_a_token_that_is_not_good_is_refused(tmp_path: Path, token: str) -> None:
    async with a_desk(tmp_path) as at:
        with pytest.raises(Unauthorised, match="token"):
            await Client(at).hello(token=token)
        assert len(at.desk.streams) == 0


async def test_hello_without_anything_or_with_an_unknown_site_key_is_refused(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        with pytest.raises(Unauthorised, match="hello needs a token"):
            await Client(at).hello(client="widget/1.0")
        with pytest.raises(Unauthorised, match="site key"):
            await Client(at).hello(site_key="unknown")


async def test_a_foreign_stream_in_hello_gives_nothing_of_it(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.router.store("秘密", session=OTHER)
        client = Client(at)
        welcome = await client.hello(token=a_token(), streams=[{"id": OTHER, "epoch": 1, "after_seq": 0}])
        assert [stream["id"] for stream in welcome["streams"]] == [SESSION]
        assert "秘密" not in str(client.frames)


async def test_a_page_of_another_tenants_site_is_refused(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.router.origins["other"] = ["https://other.example"]
        await Client(at).hello(token=a_token(), knock=Knock("1.2.3.4", "https://shop.example", "chat.example"))
        with pytest.raises(Forbidden):
            await Client(at).hello(token=a_token(), knock=Knock("1.2.3.4", "https://other.example", "chat.example"))


async def test_new_sessions_are_limited_by_address(tmp_path: Path) -> None:
    async with a_desk(tmp_path, newcomers_burst=3, newcomers_per_second=0.1) as at:
        for _ in range(3):
            await Client(at).hello(site_key="demo")
        with pytest.raises(RateLimited) as caught:
            await Client(at).hello(site_key="demo")
        assert caught.value.retry_after == pytest.approx(10)
        await Client(at).hello(site_key="demo", knock=Knock("198.51.100.7", "", "chat.example"))


async def test_one_session_can_be_open_only_so_often(tmp_path: Path) -> None:
    async with a_desk(tmp_path, session_connections=2) as at:
        clients = [await a_client(at) for _ in range(2)]
        with pytest.raises(RateLimited, match="close a tab"):
            await a_client(at)
        clients[0].connection.leave()
        await a_client(at)


async def test_without_a_router_hello_says_that_it_may_work_later(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.router.down = DOWN
        with pytest.raises(Unavailable):
            await a_client(at)


async def test_the_router_is_told_of_the_first_connection_and_of_the_last(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        one, two = await a_client(at), await a_client(at)
        one.connection.leave()
        two.connection.leave()
        await at.until(lambda: at.of(StreamDetached))
        assert [event.gateway_id for event in at.of(StreamAttached)] == ["g1"]
        assert [event.gateway_id for event in at.of(StreamDetached)] == ["g1"]


async def test_a_session_that_begins_here_is_made_known_by_its_second_connection(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        welcome = await Client(at).hello(site_key="demo")
        assert at.desk.streams.unattached() == [("demo", welcome["session_id"])]
        await Client(at).hello(token=welcome["token"])
        await at.until(lambda: at.of(StreamAttached))
        assert at.desk.streams.unattached() == []


async def test_ping_is_answered(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        client.connection.receive(ClientFrame(ping=Ping(n=7)))
        assert await client.until(1, "pong") == [{"n": 7}]


@pytest.mark.parametrize("frame", [ClientFrame(), ClientFrame(hello=Hello(token="x"))])
async def test_a_frame_that_makes_no_sense_is_answered_and_changes_nothing(tmp_path: Path, frame: ClientFrame) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        client.connection.receive(frame)
        (error,) = await client.until(1, "error")
        assert error["code"] == "bad_frame"
        assert client.closed is None


async def test_stop_and_typing_reach_the_session_and_reading_is_silent(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        client.connection.receive(ClientFrame(stop=Stop(message_id="msg_1")))
        client.connection.receive(ClientFrame(typing=Typing()))
        client.connection.receive(ClientFrame(read=Read(seq=3)))
        await at.until(lambda: at.of(VisitorTyping))
        assert [event.message_id for event in at.of(StopRequested)] == ["msg_1"]
        assert await client.told() == []


async def test_signals_that_come_too_fast_are_dropped(tmp_path: Path) -> None:
    async with a_desk(tmp_path, messages_burst=3) as at:
        client = await a_client(at)
        for _ in range(20):
            client.connection.receive(ClientFrame(stop=Stop(message_id="m")))
        await at.until(lambda: len(at.of(StopRequested)) == 3)
        assert client.closed is None


async def test_a_flood_of_frames_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with a_desk(tmp_path, messages_burst=2) as at:
        client = await a_client(at)
        for _ in range(30):
            client.connection.receive(ClientFrame(ping=Ping()))
        assert client.closed is not None
        assert client.closed[0] == closing.BUSY
        bye = (await client.until(1, "bye"))[0]
        assert (bye["code"], bye["retry_after_ms"]) == (closing.BUSY, 1000)


async def test_broken_frames_count_as_frames(tmp_path: Path) -> None:
    async with a_desk(tmp_path, messages_burst=1) as at:
        client = await a_client(at)
        for _ in range(11):
            client.connection.refuse(Invalid("this is not JSON"))
        assert client.closed is not None
        assert client.closed[0] == closing.BUSY


async def test_a_client_that_is_silent_for_three_pings_counts_as_gone(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        await at.clock.advance(74)
        client.connection.check(silent_for=75)
        assert client.closed is None
        await at.clock.advance(2)
        client.connection.check(silent_for=75)
        assert client.closed is not None
        assert client.closed[0] == closing.LOST


@pytest.mark.parametrize("how", ["check", "receive"])
async def test_a_token_that_expires_closes_its_connection(tmp_path: Path, how: str) -> None:
    async with a_desk(tmp_path) as at:
        client = Client(at)
        await client.hello(site_key="demo")
        await at.clock.advance(3601)
        if how == "check":
            client.connection.check(silent_for=1e9)
        else:
            client.say("c-1")
        assert client.closed is not None
        assert client.closed[0] == closing.UNAUTHORISED
        assert (await client.until(1, "error"))[0]["code"] == "unauthorised"
        assert client.at.heard == []


async def test_names_are_shown_on_one_line_without_anything_invisible(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = Client(at)
        await client.hello(token=a_token(), name="王\n小\x00明 \u202e" + "很" * 200, locale="zh-CN\r\n")
        client.say("c-1")
        sender = (await at.heard_message("c-1")).sender
        assert sender.name == ("王 小明 " + "很" * 200)[:80]
        assert sender.locale == "zh-CN"


async def test_verification_keys_are_asked_once_and_again_only_for_an_unknown_one(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        access: Access = at.desk.access
        token: Any = await access.visitor(a_token())
        assert (token.tenant, token.session) == KEY
        assert token.expires_at == pytest.approx(time.time() + 3600 + LEEWAY_SECONDS, abs=5)
        for _ in range(5):
            await access.visitor(a_token())
        assert at.router.asked == ["VerificationKeys"]
