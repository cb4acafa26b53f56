"""The stand-in speaks the vendors' wire: their own SDKs understand it, and meet in it what they would meet outside."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest
import pytest_asyncio

from parley.testing.model import MODES, ModelServer, Script, ToolUse, count_tokens

ASKED: Any = [{"role": "user", "content": "多久可以退货？"}]
TWO_TOOLS = (ToolUse("order_status", '{"order_id":"A-1001"}', "call_a"), ToolUse("refund", '{"cents":1200}', "call_b"))


@pytest_asyncio.fixture
async def gpt(stand_in: ModelServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=stand_in.url, api_key="k", max_retries=0) as client:
        yield client


@pytest_asyncio.fixture
async def claude(stand_in: ModelServer) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=stand_in.anthropic_url, api_key="k", max_retries=0) as client:
        yield client


async def chunks_of(client: openai.AsyncOpenAI, model: str = "m", **more: Any) -> list[Any]:
    options: Any = {"stream_options": {"include_usage": True}, **more}
    stream = await client.chat.completions.create(model=model, messages=ASKED, stream=True, **options)
    return [chunk async for chunk in stream]


def text_of(chunks: list[Any]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


async def test_a_stream_ends_with_its_usage_and_the_ledger_says_the_same(
    stand_in: ModelServer, gpt: openai.AsyncOpenAI
) -> None:
    stand_in.script = Script("七天内可以退货。", cached_tokens=3)
    chunks = await chunks_of(gpt)
    assert text_of(chunks) == "七天内可以退货。"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert len({c.id for c in chunks}) == 1
    usage = chunks[-1].usage
    assert (usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens) == (
        stand_in.ledger.tokens()
    )
    assert usage.completion_tokens == count_tokens("七天内可以退货。")
    assert (stand_in.ledger.last.outcome, stand_in.ledger.last.key) == ("complete", "k")


async def test_an_answer_without_streaming_is_whole(stand_in: ModelServer, gpt: openai.AsyncOpenAI) -> None:
    stand_in.script = Script("好的", tools=TWO_TOOLS)
    told = await gpt.chat.completions.create(model="m", messages=ASKED)
    assert (told.choices[0].message.content, told.choices[0].finish_reason) == ("好的", "tool_calls")
    assert [t.function.name for t in told.choices[0].message.tool_calls or []] == ["order_status", "refund"]  # type: ignore[union-attr]  # function tools
    assert told.usage is not None
    assert stand_in.ledger.last.reported


async def test_parallel_tool_calls_come_interleaved_and_are_put_together_by_the_sdk(
    stand_in: ModelServer, gpt: openai.AsyncOpenAI
) -> None:
    stand_in.script = Script("", tools=TWO_TOOLS)
    async with gpt.chat.completions.stream(model="m", messages=ASKED) as stream:
        final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls or []
    assert [(c.id, c.function.arguments) for c in calls] == [(t.id, t.arguments) for t in TWO_TOOLS]


REFUSED = [
    (401, openai.AuthenticationError, "invalid_api_key"),
    (403, openai.PermissionDeniedError, "unsupported_country_region_territory"),
    (404, openai.NotFoundError, "model_not_found"),
    (429, openai.RateLimitError, "rate_limit_exceeded"),
    (500, openai.InternalServerError, "server_error"),
    (503, openai.InternalServerError, "server_is_overloaded"),
]


@pytest.mark.parametrize(("status", "kind", "code"), REFUSED)
async def test_a_refusal_is_the_sdks_own_error(
    stand_in: ModelServer, gpt: openai.AsyncOpenAI, status: int, kind: type[openai.APIStatusError], code: str
) -> None:
    stand_in.script = Script(status=status, retry_after="2")
    with pytest.raises(kind) as caught:
        await chunks_of(gpt)
    assert (caught.value.code, caught.value.request_id) == (code, "req_stand_in")
    assert caught.value.response.headers["retry-after"] == "2"
    assert stand_in.ledger.last.outcome == "refused"


async def test_keys_can_expire_or_be_restricted(stand_in: ModelServer, gpt: openai.AsyncOpenAI) -> None:
    stand_in.keys["k"] = 401
    with pytest.raises(openai.AuthenticationError):
        await chunks_of(gpt)
    stand_in.keys["k"] = 403
    with pytest.raises(openai.PermissionDeniedError):
        await chunks_of(gpt)


async def test_the_sdk_is_not_told_when_a_stream_ends_too_early(stand_in: ModelServer, gpt: openai.AsyncOpenAI) -> None:
    stand_in.script = MODES["cut"]
    chunks = await chunks_of(gpt)
    assert text_of(chunks) == "七天内可以退货。"[:8]
    assert all(c.choices[0].finish_reason is None for c in chunks)
    assert (stand_in.ledger.last.outcome, stand_in.ledger.last.reported) == ("cut", False)


@pytest.mark.parametrize("mode", ["broken", "malformed", "error"])
async def test_what_breaks_in_mid_stream_is_an_error_of_some_kind(
    stand_in: ModelServer, gpt: openai.AsyncOpenAI, mode: str
) -> None:
    kinds = (openai.APIError, json.JSONDecodeError)
    with pytest.raises(kinds):
        await chunks_of(gpt, model=f"stand-in:{mode}")
    assert (stand_in.ledger.last.chunks, stand_in.ledger.last.reported) == (2, False)


async def test_a_web_page_in_place_of_a_stream_is_no_error_to_the_sdk(gpt: openai.AsyncOpenAI) -> None:
    assert await chunks_of(gpt, model="stand-in:html") == []


async def test_a_connection_that_is_reset_is_a_connection_error(stand_in: ModelServer, gpt: openai.AsyncOpenAI) -> None:
    stand_in.script = MODES["reset"]
    with pytest.raises(openai.APIConnectionError):
        await chunks_of(gpt)


@pytest.mark.parametrize("mode", ["split", "joined", "crlf", "null_choices", "wrong_model", "no_usage"])
async def test_odd_but_lawful_streams_say_the_same(stand_in: ModelServer, gpt: openai.AsyncOpenAI, mode: str) -> None:
    chunks = await chunks_of(gpt, model=f"stand-in:{mode}")
    assert text_of(chunks) == "七天内可以退货。"
    assert (chunks[0].model == "another-model") is (mode == "wrong_model")
    assert bool(chunks[-1].usage) is (mode != "no_usage") is stand_in.ledger.last.reported


@pytest.mark.parametrize("mode", ["hang", "stall", "drip"])
async def test_a_client_that_hangs_up_is_noticed_at_once(
    stand_in: ModelServer, gpt: openai.AsyncOpenAI, mode: str
) -> None:
    asking = asyncio.create_task(chunks_of(gpt, model=f"stand-in:{mode}"))
    ledger = stand_in.ledger
    await ledger.until(lambda: bool(ledger.open) and (mode == "hang" or ledger.last.chunks > 0))
    asking.cancel()
    await stand_in.settled()
    assert stand_in.ledger.last.outcome == "closed"


async def test_a_request_says_in_its_header_what_it_wants(stand_in: ModelServer, gpt: openai.AsyncOpenAI) -> None:
    told = {"x-stand-in": json.dumps({"mode": "echo", "chunk_chars": 1})}
    chunks = await chunks_of(gpt, extra_headers=told)
    assert text_of(chunks) == "多久可以退货？"
    assert stand_in.ledger.last.chunks == 7


async def test_a_slow_model_takes_its_time(stand_in: ModelServer, gpt: openai.AsyncOpenAI) -> None:
    began = time.monotonic()
    stand_in.queue.append(Script("七天内", first_byte_seconds=0.05, chunk_seconds=0.05))
    await chunks_of(gpt)
    assert time.monotonic() - began >= 0.1


async def test_dashscope_thinks_aloud_when_asked_and_has_models_that_only_stream(stand_in: ModelServer) -> None:
    stand_in.script = Script("好", thinking="先想想")
    async with openai.AsyncOpenAI(base_url=stand_in.dashscope_url, api_key="k", max_retries=0) as qwen:
        chunks = await chunks_of(qwen, extra_body={"enable_thinking": True})
        assert [t for c in chunks if c.choices and (t := getattr(c.choices[0].delta, "reasoning_content", ""))] == [
            "先想想"
        ]
        with pytest.raises(openai.BadRequestError, match="stream mode"):
            await qwen.chat.completions.create(model="qwq-plus", messages=ASKED)
        stand_in.script = Script(status=429)
        with pytest.raises(openai.RateLimitError) as caught:
            await chunks_of(qwen)
        assert caught.value.code == "Throttling.RateQuota"


async def test_claudes_stream_and_its_tools_are_put_together_by_the_sdk(
    stand_in: ModelServer, claude: anthropic.AsyncAnthropic
) -> None:
    stand_in.script = Script("好的。", thinking="想", tools=(TWO_TOOLS[0],), cached_tokens=2)
    async with claude.messages.stream(model="c", max_tokens=50, messages=ASKED) as stream:
        final = await stream.get_final_message()
    kinds = [block.type for block in final.content]
    assert (kinds, final.stop_reason) == (["thinking", "text", "tool_use"], "tool_use")
    assert final.content[2].input == {"order_id": "A-1001"}  # type: ignore[union-attr]  # a tool's block
    usage, (paid, cached, output) = final.usage, stand_in.ledger.tokens()
    assert (usage.input_tokens + cached, usage.cache_read_input_tokens, usage.output_tokens) == (paid, cached, output)


async def test_claude_refuses_sampling_settings(stand_in: ModelServer, claude: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="temperature"):
        await claude.messages.create(model="c", max_tokens=50, messages=ASKED, extra_body={"temperature": 1.0})
    stand_in.script = Script(status=529)
    with pytest.raises(anthropic.APIStatusError) as caught:
        await claude.messages.create(model="c", max_tokens=50, messages=ASKED)
    assert caught.value.status_code == 529


async def test_an_error_in_claudes_stream_comes_with_a_status_of_200(
    stand_in: ModelServer, claude: anthropic.AsyncAnthropic
) -> None:
    stand_in.script = MODES["error"]
    with pytest.raises(anthropic.APIStatusError) as caught:
        async with claude.messages.stream(model="c", max_tokens=50, messages=ASKED) as stream:
            await stream.get_final_message()
    assert caught.value.status_code == 200


async def test_embeddings_are_the_same_for_the_same_text_in_both_encodings(gpt: openai.AsyncOpenAI) -> None:
    packed = await gpt.embeddings.create(model="e", input=["退货", "return"], dimensions=4)
    plain = await gpt.embeddings.create(model="e", input="退货", dimensions=4, encoding_format="float")
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding)
    assert [item.index for item in packed.data] == [0, 1]


def test_an_unknown_fault_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="stall"):
        Script(fault="sleepy")
