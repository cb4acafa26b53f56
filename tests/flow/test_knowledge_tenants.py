"""Two tenants with the same documents: through no call of the contract does one see or change what is the other's."""

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
from google.protobuf.message import Message

from parley.contracts.v1 import (
    DiffVersionsRequest,
    GetDocumentRequest,
    ListDocumentsRequest,
    ListDraftsRequest,
    ListVersionsRequest,
    MoveDraftRequest,
    OpenDraftRequest,
    PutDocumentRequest,
    RemoveDocumentRequest,
    RollbackRequest,
    SearchRequest,
)
from parley.contracts.v1.knowledge_pb2 import DESCRIPTOR
from tests.flow.knowledge_service import Knowledge, a_knowledge_service

OURS, THEIRS = "甲店", "乙店"
SECRET = "天王盖地虎"


@pytest.fixture
async def knowledge() -> AsyncIterator[Knowledge]:
    async with a_knowledge_service() as running:
        yield running


async def a_base(knowledge: Knowledge, tenant: str, secret: str) -> tuple[str, str]:
    """The same document with another secret, and a draft; their ids."""
    document_id = await knowledge.put("h/a.md", f"密码是{secret}。", tenant=tenant)
    opened = await knowledge.stub.OpenDraft(OpenDraftRequest(tenant_id=tenant, note=f"新密码{secret}"))
    draft_id = opened.draft.draft_id
    request = PutDocumentRequest(tenant_id=tenant, uri="h/a.md", text=f"草稿：{secret}。", draft_id=draft_id)
    await knowledge.stub.PutDocument(request)
    return document_id, draft_id


def calls(document_id: str, draft_id: str) -> dict[str, Message]:
    """Every call, made by us with what we might know of theirs."""
    return {
        "Search": SearchRequest(tenant_id=OURS, query=f"密码 {SECRET}", limit=50, explain=True),
        "ListDocuments": ListDocumentsRequest(tenant_id=OURS),
        "GetDocument": GetDocumentRequest(tenant_id=OURS, document_id=document_id),
        "PutDocument": PutDocumentRequest(tenant_id=OURS, uri="h/b.md", text="我们的。", draft_id=draft_id),
        "RemoveDocument": RemoveDocumentRequest(tenant_id=OURS, document_id=document_id, draft_id=draft_id),
        "OpenDraft": OpenDraftRequest(tenant_id=OURS),
        "ListDrafts": ListDraftsRequest(tenant_id=OURS),
        "MoveDraft": MoveDraftRequest(tenant_id=OURS, draft_id=draft_id, state="live"),
        "ListVersions": ListVersionsRequest(tenant_id=OURS),
        "DiffVersions": DiffVersionsRequest(tenant_id=OURS, draft_id=draft_id),
        "Rollback": RollbackRequest(tenant_id=OURS, to_version=0),
    }


def ours_of_the_contract() -> set[str]:
    """The calls about documents, drafts and versions: those that name the tenant in their request."""
    methods = DESCRIPTOR.services_by_name["Knowledge"].methods
    assert all("tenant_id" in method.input_type.fields_by_name for method in methods)
    return {method.name for method in methods}


async def test_no_call_shows_or_changes_what_is_anothers(knowledge: Knowledge) -> None:
    await a_base(knowledge, OURS, "芝麻开门")
    document_id, draft_id = await a_base(knowledge, THEIRS, SECRET)
    before = await seen(knowledge, document_id)
    asked = calls(document_id, draft_id)
    assert asked.keys() >= ours_of_the_contract(), "a new call needs its line here"
    for name, request in asked.items():
        answer = await outcome(knowledge, name, request)
        assert SECRET not in answer, name
        assert draft_id not in answer or "there is no draft" in answer, name
    assert await seen(knowledge, document_id) == before


@pytest.mark.parametrize("name", sorted(calls("doc_1", "prop_1")))
async def test_every_call_without_a_tenant_is_refused(knowledge: Knowledge, name: str) -> None:
    request: Any = calls("doc_1", "prop_1")[name]
    request.tenant_id = ""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(knowledge.stub, name)(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "tenant_id is missing" in (refused.value.details() or "")


async def outcome(knowledge: Knowledge, name: str, request: Message) -> str:
    """All that a call answers, errors too."""
    try:
        answer = await getattr(knowledge.stub, name)(request)
    except grpc.aio.AioRpcError as error:
        return error.details() or ""
    if name == "Search":
        answer.ClearField("explanation")  # the words of the question itself
    return str(answer.SerializeToString().decode("utf-8", "replace"))


async def seen(knowledge: Knowledge, document_id: str) -> list[bytes]:
    """What the other tenant sees of its own."""
    stub = knowledge.stub
    return [
        (await stub.ListDocuments(ListDocumentsRequest(tenant_id=THEIRS))).SerializeToString(),
        (await stub.GetDocument(GetDocumentRequest(tenant_id=THEIRS, document_id=document_id))).SerializeToString(),
        (await stub.ListDrafts(ListDraftsRequest(tenant_id=THEIRS))).SerializeToString(),
        (await stub.ListVersions(ListVersionsRequest(tenant_id=THEIRS))).SerializeToString(),
    ]
