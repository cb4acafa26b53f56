"""Every vendor's adapter keeps the same promises, through the vendor's SDK and a real connection."""

import asyncio
import json
from contextlib import aclosing
from pathlib import Path

import pytest

from parley.core import SettingsError
from parley.testing.model import MODES, ModelServer, Script, ToolUse
from parley_ai_engine.providers import open_model
from parley_ai_engine.providers.port import Ask, ModelFailed, Picture, Said, Tool, ToolCall
from parley_ai_engine.settings import ModelSettings
from tests.contract.models.vendors import ASKED, VENDORS, a_model, answer

ORDER = Tool("order_status", "Where an order is.", {"type": "object", "properties": {"order_id": {"type": "string"}}})
every_vendor = pytest.mark.parametrize("vendor", VENDORS)


@every_vendor
@pytest.mark.parametrize("mode", ["plain", "split", "joined", "crlf"])
async def test_an_answer_streams_and_its_usage_is_the_vendors(stand_in: ModelServer, vendor: str, mode: str) -> None:
    stand_in.script = Script("七天内可以退货，运费由我们承担。", fault=MODES[mode].fault, cached_tokens=2)
    async with a_model(stand_in, vendor) as model:
        text, end = await answer(model)
    assert (text, end.finish_reason, end.model, end.reported) == (stand_in.script.text, "stop", "m-1", True)
    assert (end.input_tokens, end.cached_tokens, end.output_tokens) == stand_in.ledger.tokens()
    assert stand_in.ledger.last.key == "k"


@every_vendor
async def test_tool_calls_come_whole_and_as_the_model_wrote_them(stand_in: ModelServer, vendor: str) -> None:
    uses = (ToolUse("order_status", '{"order_id":"订单一"}', "call_a"), ToolUse("order_status", '{"order', "call_b"))
    stand_in.script = Script("我查一下。", tools=uses)
    async with a_model(stand_in, vendor) as model:
        text, end = await answer(model, Ask(ASKED.messages, tools=(ORDER,)))
    assert (text, end.finish_reason) == ("我查一下。", "tool_calls")
    assert end.calls == tuple(ToolCall(use.id, use.name, use.arguments) for use in uses)


@every_vendor
async def test_pictures_and_tool_results_reach_the_vendor_in_its_own_shape(stand_in: ModelServer, vendor: str) -> None:
    asked = Said("user", "这是什么？", pictures=(Picture("image/png", b"\x89PNG"),))
    called = Said("assistant", "", calls=(ToolCall("call_a", "order_status", '{"order_id":"A-1"}'),))
    result = Said("tool", "已发货", call_id="call_a")
    async with a_model(stand_in, vendor) as model:
        await answer(model, Ask((asked, called, result), tools=(ORDER,)))
    sent = json.dumps(stand_in.ledger.last.body, ensure_ascii=False)
    assert "iVBORw==" in sent
    assert all(part in sent for part in ("call_a", "order_status", "已发货"))
    assert ("tool_result" in sent) is (vendor == "anthropic")


@every_vendor
async def test_json_of_a_shape_comes_as_text(stand_in: ModelServer, vendor: str) -> None:
    wanted = '{"city":"上海"}'
    shape = {"type": "object", "properties": {"city": {"type": "string"}}}
    claude = vendor == "anthropic"
    stand_in.script = Script("" if claude else wanted, tools=(ToolUse("answer", wanted),) if claude else ())
    async with a_model(stand_in, vendor) as model:
        text, end = await answer(model, Ask(ASKED.messages, schema=shape))
    assert (text, end.finish_reason, end.calls) == (wanted, "stop", ())
    assert "city" in json.dumps(stand_in.ledger.last.body)


@every_vendor
@pytest.mark.parametrize(("told", "meant"), [("length", "length"), ("content_filter", "content_filter")])
async def test_finish_reasons_mean_the_same_everywhere(
    stand_in: ModelServer, vendor: str, told: str, meant: str
) -> None:
    stand_in.script = Script(finish=told)
    async with a_model(stand_in, vendor) as model:
        assert (await answer(model))[1].finish_reason == meant


FAULTS = [
    ("hang", "timeout"),
    ("stall", "timeout"),
    ("reset", "unreachable"),
    ("html", "truncated"),
    ("cut", "truncated"),
    ("broken", "unreachable"),
    ("malformed", "malformed"),
    ("error", "overloaded"),
    ("rate_limited", "rate_limited"),
    ("server_error", "overloaded"),
    ("overloaded", "overloaded"),
    ("unauthorized", "unauthorized"),
    ("forbidden", "forbidden"),
    ("too_long", "too_long"),
]


@every_vendor
@pytest.mark.parametrize(("mode", "kind"), FAULTS)
async def test_every_fault_has_one_name_and_leaves_no_call_open(
    stand_in: ModelServer, vendor: str, mode: str, kind: str
) -> None:
    stand_in.script = MODES[mode]
    async with a_model(stand_in, vendor, first_token_seconds=0.3, idle_seconds=0.2) as model:
        with pytest.raises(ModelFailed) as caught:
            await answer(model)
        await stand_in.settled()
    assert caught.value.kind == kind
    assert len(stand_in.ledger) == 1, "an adapter never tries twice by itself"


@every_vendor
async def test_an_answer_without_an_end_is_cut_at_its_length(stand_in: ModelServer, vendor: str) -> None:
    stand_in.script = MODES["drip"]
    async with a_model(stand_in, vendor) as model:
        text, end = await answer(model, Ask(ASKED.messages, max_tokens=2))
        await stand_in.settled()
    assert (end.finish_reason, end.reported) == ("length", False)
    assert 24 <= len(text) <= 28
    assert stand_in.ledger.last.outcome == "closed"


@every_vendor
async def test_who_stops_listening_closes_the_upstream_within_one_chunk(stand_in: ModelServer, vendor: str) -> None:
    stand_in.script = Script("字" * 400, chunk_chars=1, chunk_seconds=0.02)
    async with a_model(stand_in, vendor) as model:
        async with aclosing(model.chat(ASKED)) as pieces:
            async for _ in pieces:
                break
        shown = stand_in.ledger.last.chunks
        await stand_in.settled()
    assert stand_in.ledger.last.outcome == "closed"
    assert stand_in.ledger.last.chunks <= shown + 1


@every_vendor
async def test_a_cancelled_task_closes_the_upstream(stand_in: ModelServer, vendor: str) -> None:
    stand_in.script = MODES["stall"]
    async with a_model(stand_in, vendor) as model:
        asking = asyncio.create_task(answer(model))
        await stand_in.ledger.until(lambda: len(stand_in.ledger) == 1 and stand_in.ledger.last.chunks > 0)
        asking.cancel()
        await stand_in.settled()
    assert stand_in.ledger.last.outcome == "closed"


@every_vendor
async def test_pings_and_thoughts_prolong_no_limit_and_are_not_shown(stand_in: ModelServer, vendor: str) -> None:
    stand_in.script = Script("好的。", thinking="用户想退货")
    async with a_model(stand_in, vendor) as model:
        assert (await answer(model))[0] == "好的。"


@pytest.mark.parametrize(
    ("header", "seconds"), [("2", 2.0), ("600", 600.0), ("0.5", 0.5), (None, None), ("soon", None), ("-3", None)]
)
@every_vendor
async def test_retry_after_is_read_as_seconds_or_not_at_all(
    stand_in: ModelServer, vendor: str, header: str | None, seconds: float | None
) -> None:
    stand_in.script = Script(status=429, retry_after=header)
    async with a_model(stand_in, vendor) as model:
        with pytest.raises(ModelFailed) as caught:
            await answer(model)
    assert caught.value.retry_after == seconds


async def test_a_quota_that_is_used_up_is_final_but_dashscopes_is_a_minutes(stand_in: ModelServer) -> None:
    stand_in.script = Script(status=429, error="insufficient_quota")
    kinds = []
    for vendor in ("openai", "dashscope"):
        async with a_model(stand_in, vendor) as model:
            with pytest.raises(ModelFailed) as caught:
                await answer(model)
            kinds.append(caught.value.kind)
    assert kinds == ["quota", "rate_limited"]


async def test_content_review_is_not_a_failure_of_the_server(stand_in: ModelServer) -> None:
    stand_in.script = Script(status=400, error="data_inspection_failed")
    async with a_model(stand_in, "dashscope") as model:
        with pytest.raises(ModelFailed) as caught:
            await answer(model)
    assert caught.value.kind == "filtered"


@every_vendor
async def test_a_key_that_is_renewed_in_its_file_is_used_for_the_next_call(
    stand_in: ModelServer, vendor: str, tmp_path: Path
) -> None:
    """A token that expires in the middle of a conversation: whoever renews the file renews the engine."""
    token = tmp_path / "token"
    token.write_text("first\n")
    async with a_model(stand_in, vendor, key_file=str(token)) as model:
        await answer(model)
        stand_in.keys["first"] = 401
        token.unlink()
        token.write_text("second\n")
        await answer(model)
    assert [call.key for call in stand_in.ledger] == ["first", "second"]


async def test_a_wrong_model_that_answers_is_named(stand_in: ModelServer) -> None:
    async with a_model(stand_in, "openai", "stand-in:wrong_model") as model:
        assert (await answer(model))[1].model == "another-model"


def test_an_unknown_vendor_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"anthropic.*package\.module:function"):
        open_model(ModelSettings(url="http://localhost", vendor="acme"))
