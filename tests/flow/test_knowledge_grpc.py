"""The Knowledge contract over a real gRPC server on a unix socket."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest

from parley.contracts.v1 import ListDocumentsRequest, PutDocumentRequest, RemoveDocumentRequest, SearchRequest
from tests.flow.knowledge_service import Knowledge, a_knowledge_service

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
async def knowledge() -> AsyncIterator[Knowledge]:
    async with a_knowledge_service() as running:
        yield running


async def test_a_question_is_answered_with_passage_quote_source_and_version(knowledge: Knowledge) -> None:
    text = "# 时限\n签收后七天内可以退货。\n\n# 运费\n由买家承担。"
    document_id = await knowledge.put("h/zh/退货.md", text, title="退货")
    answer = await knowledge.search("几天内可以退货？")
    (source,) = answer.passages
    assert (source.document_id, source.title, source.version, source.uri) == (document_id, "退货", 1, "h/zh/退货.md")
    assert source.passage == "时限\n签收后七天内可以退货。\n\n运费\n由买家承担。"
    assert source.chunk_id == f"{document_id}.1.0"
    assert source.score > 0
    assert answer.quote.startswith("签收后七天内可以退货。")
    assert answer.language == "zh"
    assert 0 < answer.answerable <= 1
    assert answer.knowledge_version >= 1


async def test_knowledge_that_is_empty_answers_nothing(knowledge: Knowledge) -> None:
    answer = await knowledge.search("Where is my parcel?")
    assert (list(answer.passages), answer.answerable, answer.quote) == ([], 0.0, "")


async def test_tenants_never_see_each_other_through_any_call(knowledge: Knowledge) -> None:
    ours = await knowledge.put("h/a.md", "我们的密码是芝麻开门。", tenant="甲")
    theirs = await knowledge.put("h/a.md", "他们的密码是天王盖地虎。", tenant="乙")
    assert ours == theirs
    for tenant, secret in (("甲", "芝麻开门"), ("乙", "天王盖地虎")):
        (source,) = (await knowledge.search("密码 芝麻开门 天王盖地虎", tenant=tenant)).passages
        assert secret in source.passage
    assert not (await knowledge.stub.ListDocuments(ListDocumentsRequest(tenant_id="丙"))).documents
    gone = await knowledge.stub.RemoveDocument(RemoveDocumentRequest(tenant_id="丙", document_id=ours))
    assert not gone.removed
    await knowledge.stub.RemoveDocument(RemoveDocumentRequest(tenant_id="甲", document_id=ours))
    assert (await knowledge.stub.ListDocuments(ListDocumentsRequest(tenant_id="乙"))).documents


async def test_putting_twice_changes_nothing_and_a_new_text_is_a_new_version(knowledge: Knowledge) -> None:
    request = PutDocumentRequest(tenant_id="demo", uri="h/a.md", title="Hours", text="We open at nine.")
    first, second = [await knowledge.stub.PutDocument(request) for _ in range(2)]
    request.text = "We open at ten."
    third = await knowledge.stub.PutDocument(request)
    assert [first.changed, second.changed, third.changed] == [True, False, True]
    assert [first.document.version, second.document.version, third.document.version] == [1, 1, 2]
    assert (third.document.title, third.document.language, third.document.chunks) == ("Hours", "en", 1)


async def test_a_removed_document_is_searched_no_more(knowledge: Knowledge) -> None:
    document_id = await knowledge.put("h/a.md", "We open at nine.")
    request = RemoveDocumentRequest(tenant_id="demo", document_id=document_id)
    assert (await knowledge.stub.RemoveDocument(request)).removed
    assert not (await knowledge.stub.RemoveDocument(request)).removed

    async def gone() -> bool:
        return not (await knowledge.search("When do you open?")).passages

    await knowledge.until(gone)


async def test_documents_are_listed_in_pages(knowledge: Knowledge) -> None:
    for n in range(5):
        await knowledge.put(f"h/{n}.md", f"第{n}条规定。")
    seen: list[str] = []
    after = ""
    while True:
        page = await knowledge.stub.ListDocuments(ListDocumentsRequest(tenant_id="demo", after=after, limit=2))
        seen.extend(d.uri for d in page.documents)
        after = page.next
        if not after:
            break
    assert seen == [f"h/{n}.md" for n in range(5)]


@pytest.mark.parametrize(
    ("method", "request_", "says"),
    [
        ("Search", SearchRequest(query="退货"), "tenant_id is missing"),
        ("Search", SearchRequest(tenant_id="demo"), "query is empty"),
        ("Search", SearchRequest(tenant_id="demo", query="\n \t"), "query is empty"),
        ("Search", SearchRequest(tenant_id="demo", query="退" * 8001), "at most 8000"),
        ("ListDocuments", ListDocumentsRequest(), "tenant_id is missing"),
        ("PutDocument", PutDocumentRequest(uri="a", text="b"), "tenant_id is missing"),
        ("PutDocument", PutDocumentRequest(tenant_id="demo", text="b"), "uri is missing"),
        ("PutDocument", PutDocumentRequest(tenant_id="demo", uri="a"), "has no text"),
        ("PutDocument", PutDocumentRequest(tenant_id="demo", uri="a", text="---"), "holds no text"),
        ("PutDocument", PutDocumentRequest(tenant_id="demo", uri="a" * 1001, text="b"), "at most 1000"),
        ("PutDocument", PutDocumentRequest(tenant_id="demo", uri="a", text="退款。" * 600_000), "more than 5 MB"),
        ("RemoveDocument", RemoveDocumentRequest(tenant_id="demo"), "document_id is missing"),
        ("RemoveDocument", RemoveDocumentRequest(document_id="doc_1"), "tenant_id is missing"),
    ],
)
async def test_a_wrong_request_is_refused_with_what_to_do(
    knowledge: Knowledge, method: str, request_: object, says: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(knowledge.stub, method)(request_)
    assert refused.value.code() is INVALID
    assert says in (refused.value.details() or "")


async def test_a_limit_beyond_the_highest_is_lowered(knowledge: Knowledge) -> None:
    requests = (PutDocumentRequest(tenant_id="demo", uri=f"h/{n}.md", text="退款三天到账。") for n in range(60))
    await asyncio.gather(*(knowledge.stub.PutDocument(request) for request in requests))

    async def searched() -> bool:
        return knowledge.ctx.deps.library.snapshot("demo").size == 60

    await knowledge.until(searched)
    assert len((await knowledge.search("退款", limit=4_000_000)).passages) == 50
    assert len((await knowledge.search("退款", limit=0)).passages) == 5


async def test_what_was_put_is_there_after_a_restart(tmp_path: Path) -> None:
    async with a_knowledge_service(tmp_path) as first:
        await first.put("h/a.md", "七天内可以退货。")
    async with a_knowledge_service(tmp_path) as second:
        assert await second.finds("退货", "七天内")


async def test_a_search_that_comes_while_the_index_is_loaded_is_answered_from_it(tmp_path: Path) -> None:
    async with a_knowledge_service(tmp_path) as first:
        for n in range(20):
            await first.put(f"h/{n}.md", f"第{n}条：七天内可以退货。")
    async with a_knowledge_service(tmp_path) as second:
        assert len((await second.search("退货", limit=50)).passages) == 20
