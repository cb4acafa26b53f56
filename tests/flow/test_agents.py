"""A person takes over, writes and hands back: the bot is silent meanwhile, and the visitor sees who speaks."""

from typing import Any

import pytest

from parley.core import new_id
from tests.flow.house import Client, House
from tests.flow.people import UNKNOWN, ZH, a_visitor, answered, ids, make_key, nothing_more


class Agent:
    """A person with a key of their own."""

    def __init__(self, desk: House, key: str) -> None:
        self.desk = desk
        self.key = key

    def does(self, what: str, session: str, **body: Any) -> tuple[int, Any]:
        """`takeover`, `handback`, `close`."""
        status, answer, _ = self.desk.call("POST", f"/v1/sessions/{session}/{what}", body, key=self.key)
        return status, answer["data"] or answer["message"]

    def says(self, session: str, text: str, **body: Any) -> tuple[int, Any]:
        """Writes in the session."""
        return self.does("messages", session, text=text, **body)


@pytest.fixture
async def li(desk: House) -> Agent:
    return Agent(desk, (await make_key(desk, "agent", name="李娜"))[1])


@pytest.fixture
async def zhang(desk: House) -> Agent:
    return Agent(desk, (await make_key(desk, "agent", name="张伟"))[1])


async def changes(client: Client, *wanted: str) -> dict[str, Any]:
    """Wait for session changes in this order; the last."""
    found: dict[str, Any] = {}
    for status in wanted:
        found = await client.until("event.session", status=status)
    return found


async def test_a_person_takes_over_writes_and_hands_back(desk: House, li: Agent) -> None:
    async with a_visitor(desk) as visitor:
        session, _ = ids(visitor)
        await answered(visitor, UNKNOWN)
        await changes(visitor, "waiting")

        status, found = li.does("takeover", session)
        assert (status, found["status"], found["agent"]["name"], found["waiting_since"]) == (
            200,
            "assigned",
            "李娜",
            None,
        )
        change = await changes(visitor, "assigned")
        assert change["agent"] == {"kind": "agent", "name": "李娜"}

        assert li.says(session, "您好，我是李娜。", client_msg_id="a-1")[0] == 201
        shown = await visitor.until("event.message")
        assert (shown["text"], shown["origin"]) == ("您好，我是李娜。", "human")
        assert shown["sender"] == {"kind": "agent", "name": "李娜"}

        await visitor.say(ZH, "c-silent")  # the handbook knows this one, but a person has the conversation
        await visitor.until("ack")
        assert li.says(session, "24 小时内。")[0] == 201
        told = await visitor.until("event.message")
        assert (told["text"], [f for f in visitor.frames if "message_chunk" in f][1:]) == ("24 小时内。", [])

        status, found = li.does("handback", session)
        assert (status, found["status"], found["agent"]) == (200, "open", None)
        await changes(visitor, "open")
        assert (await answered(visitor, ZH))["origin"] == "extractive"


async def test_the_visitor_may_be_shown_another_name_than_the_keys(desk: House, li: Agent) -> None:
    async with a_visitor(desk) as visitor:
        await answered(visitor, ZH)
        li.does("takeover", ids(visitor)[0], name="小李")
        assert (await changes(visitor, "assigned"))["agent"]["name"] == "小李"


async def test_only_who_has_the_conversation_can_act_in_it(desk: House, li: Agent, zhang: Agent) -> None:
    async with a_visitor(desk) as visitor:
        session, _ = ids(visitor)
        await answered(visitor, ZH)
        assert li.says(session, "先说一句")[0] == 409
        assert li.does("handback", session)[0] == 409
        assert li.does("takeover", session)[0] == 200
        assert li.does("takeover", session)[0] == 200  # it was theirs already
        for what in ("takeover", "handback", "close"):
            status, words = zhang.does(what, session)
            assert (status, isinstance(words, str)) == (409, True)
        assert zhang.says(session, "我来")[0] == 409
        assert li.does("handback", session)[0] == 200
        assert zhang.does("takeover", session)[0] == 200


async def test_a_message_sent_again_is_said_once(desk: House, li: Agent) -> None:
    async with a_visitor(desk) as visitor:
        session, _ = ids(visitor)
        await answered(visitor, ZH)
        li.does("takeover", session)
        first = li.says(session, "您好", client_msg_id="a-1")
        again = li.says(session, "您好", client_msg_id="a-1")
        assert (first[0], again[0]) == (201, 200)
        assert first[1]["seq"] == again[1]["seq"]
        await nothing_more(visitor)
        said = [f for f in visitor.frames if "event" in f and f["event"].get("message", {}).get("text") == "您好"]
        assert len(said) == 1


async def test_a_closed_conversation_says_so_and_a_new_message_opens_it_again(desk: House, li: Agent) -> None:
    async with a_visitor(desk) as visitor:
        session, _ = ids(visitor)
        await answered(visitor, ZH)
        assert li.does("close", session)[0] == 200
        await changes(visitor, "closed")
        assert li.says(session, "还在吗")[0] == 409
        await visitor.say(ZH, new_id("c"))
        await changes(visitor, "open")
        await visitor.until("event.message_end")


async def test_a_person_sends_a_picture(desk: House, li: Agent) -> None:
    from tests.flow.people import a_form, a_picture

    async with a_visitor(desk) as visitor:
        session, _ = ids(visitor)
        await answered(visitor, ZH)
        li.does("takeover", session)
        status, answer, _ = desk.call("POST", "/v1/media", key=li.key, **a_form(a_picture()))
        assert status == 201
        assert li.says(session, "", media_id=answer["data"]["media_id"])[0] == 201
        shown = await visitor.until("event.message")
        assert shown["media"][0]["url"] == answer["data"]["url"]


async def test_what_is_nothing_to_say_is_refused(desk: House, li: Agent) -> None:
    async with a_visitor(desk) as visitor:
        session, _ = ids(visitor)
        await answered(visitor, ZH)
        li.does("takeover", session)
        for body in ({"text": ""}, {"text": "长" * 8001}, {"text": "a\x00"}, {"text": "", "media_id": "none"}):
            assert li.does("messages", session, **body)[0] == 400
        for what in ("takeover", "messages"):
            assert li.does(what, session, nonsense=1, text="x")[0] == 400


async def test_a_session_that_is_none_is_404(li: Agent) -> None:
    for what in ("takeover", "handback", "close"):
        assert li.does(what, "ses_unknown")[0] == 404
    assert li.says("ses_unknown", "hi")[0] == 404
