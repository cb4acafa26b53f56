"""One suite for every adapter of knowledge's DocumentStore."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from parley.core import Conflict, new_id
from parley_knowledge.documents import Chunk, Labels, Record
from parley_knowledge.releases import Change, Proposal, Release, State, Wanted
from parley_knowledge.store import DocumentStore, Kept, open_documents
from tests.unit.knowledge.handbook import DELIVERY_ZH, RETURNS_EN, RETURNS_ZH, a_record

CHUNKS = [Chunk("配送 › 国内", "两天送达。"), Chunk("", "满九十九元包邮。")]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'parley.db'}"


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.connected)])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "database_url")
    return found


@pytest.fixture
async def store(url: str) -> AsyncIterator[DocumentStore]:
    async with open_documents(url) as documents:
        yield documents


@pytest.fixture
def tenant() -> str:
    return new_id("店铺")


def a_content(tenant: str, record: Record | None = None, chunks: Sequence[Chunk] = CHUNKS) -> Kept:
    found = record or a_record(DELIVERY_ZH)
    return Kept(replace(found, tenant_id=tenant, version=0, chunk_set=new_id("set")), chunks)


def a_release(number: int, *kept: Kept, tenant: str, version: int = 1) -> Release:
    changes = (Change(k.record.document_id, k.record.uri, k.record.chunk_set, version, "folder:h") for k in kept)
    return Release(tenant, number, 1_700_000_000.5, tuple(changes), "小王", "新价格")


async def test_what_was_published_is_found_with_its_passages_in_order(store: DocumentStore, tenant: str) -> None:
    labels = Labels(("agents",), ("wechat", "邮件"), 5.0, 1_900_000_000.0)
    kept = a_content(tenant, replace(a_record(DELIVERY_ZH), labels=labels))
    release = a_release(1, kept, tenant=tenant)
    await store.publish(release, [kept])
    assert await store.releases(tenant, 0) == [release]
    assert await store.releases(tenant, 1) == []
    assert (await store.heads())[tenant] == 1
    name = kept.record.chunk_set
    assert await store.records(tenant, [name, "set_unknown"]) == {name: kept.record}
    assert await store.chunks(tenant, [name, "set_unknown"]) == {name: CHUNKS}


async def test_the_same_content_is_kept_once_and_never_overwritten(store: DocumentStore, tenant: str) -> None:
    kept = a_content(tenant)
    await store.keep([kept])
    await store.keep([kept, a_content(tenant, a_record(RETURNS_ZH))])
    assert await store.chunks(tenant, [kept.record.chunk_set]) == {kept.record.chunk_set: CHUNKS}
    assert tenant not in await store.heads()
    assert await store.releases(tenant, 0) == []


async def test_a_passage_that_stands_twice_in_a_document_is_found_twice(store: DocumentStore, tenant: str) -> None:
    kept = a_content(tenant, chunks=[CHUNKS[0], CHUNKS[1], CHUNKS[0]])
    await store.keep([kept])
    assert (await store.chunks(tenant, [kept.record.chunk_set]))[kept.record.chunk_set] == [*CHUNKS, CHUNKS[0]]


async def test_an_old_version_keeps_its_passages(store: DocumentStore, tenant: str) -> None:
    first, second = a_content(tenant), a_content(tenant, chunks=CHUNKS[:1])
    await store.publish(a_release(1, first, tenant=tenant), [first])
    await store.publish(a_release(2, second, tenant=tenant, version=2), [second])
    names = [first.record.chunk_set, second.record.chunk_set]
    assert await store.chunks(tenant, names) == {names[0]: CHUNKS, names[1]: CHUNKS[:1]}
    assert [r.number for r in await store.releases(tenant, 0)] == [1, 2]


async def test_a_number_that_is_taken_is_refused(store: DocumentStore, tenant: str) -> None:
    first, late = a_content(tenant), a_content(tenant)
    await store.publish(a_release(1, first, tenant=tenant), [first])
    with pytest.raises(Conflict, match="somebody else"):
        await store.publish(a_release(1, late, tenant=tenant), [late])
    (release,) = await store.releases(tenant, 0)
    assert release.changes[0].chunk_set == first.record.chunk_set


async def test_of_many_writers_at_once_exactly_one_wins(store: DocumentStore, tenant: str) -> None:
    for number in range(1, 11):
        contents = [a_content(tenant) for _ in range(16)]
        outcomes = await asyncio.gather(
            *(store.publish(a_release(number, one, tenant=tenant), [one]) for one in contents), return_exceptions=True
        )
        assert [outcome is None for outcome in outcomes].count(True) == 1
        assert all(outcome is None or isinstance(outcome, Conflict) for outcome in outcomes)
        assert len(await store.releases(tenant, 0)) == number


async def test_tenants_with_the_same_documents_never_meet(store: DocumentStore, tenant: str) -> None:
    other = f"{tenant}/二"
    mine, theirs = a_content(tenant), a_content(other, chunks=CHUNKS[:1])
    await store.publish(a_release(1, mine, tenant=tenant), [mine])
    await store.publish(a_release(1, theirs, tenant=other), [theirs])
    assert [r.tenant_id for r in await store.releases(tenant, 0)] == [tenant]
    for wrong in (theirs.record.chunk_set, f"二/{theirs.record.chunk_set}"):
        assert await store.chunks(tenant, [wrong]) == {}
        assert await store.records(tenant, [wrong]) == {}
    proposal = Proposal(other, "prop_1", 1.0)
    await store.open_proposal(proposal)
    await store.propose(other, "prop_1", Wanted("doc_1", "a", "set_1"))
    for wrong in ("prop_1", "二/prop_1"):
        assert await store.proposal(tenant, wrong) is None
        assert await store.proposed(tenant, wrong) == []
    assert await store.proposals(tenant) == []
    assert not await store.move(replace(proposal, tenant_id=tenant), State.LIVE)


async def test_a_draft_holds_the_last_word_on_each_document(store: DocumentStore, tenant: str) -> None:
    proposal = Proposal(tenant, new_id("prop"), 1_700_000_000.0, "小王", "五一价格")
    await store.open_proposal(proposal)
    for wanted in (Wanted("doc_2", "乙", "set_1", "site:h"), Wanted("doc_1", "甲", ""), Wanted("doc_2", "乙", "set_2")):
        await store.propose(tenant, proposal.proposal_id, wanted)
    found = await store.proposed(tenant, proposal.proposal_id)
    assert sorted(found, key=lambda one: one.document_id) == [Wanted("doc_1", "甲", ""), Wanted("doc_2", "乙", "set_2")]
    assert await store.proposal(tenant, proposal.proposal_id) == proposal
    assert await store.proposals(tenant) == [proposal]


async def test_of_many_who_move_a_draft_one_does(store: DocumentStore, tenant: str) -> None:
    proposal = Proposal(tenant, new_id("prop"), 1.0)
    await store.open_proposal(proposal)
    moved = await asyncio.gather(*(store.move(proposal, State.LIVE, n) for n in range(8)))
    assert sorted(moved) == [False] * 7 + [True]
    found = await store.proposal(tenant, proposal.proposal_id)
    assert found == replace(proposal, state=State.LIVE, number=moved.index(True))


async def test_thousands_of_passages_are_read_in_one_call(store: DocumentStore, tenant: str) -> None:
    contents = [a_content(tenant, a_record(RETURNS_EN), CHUNKS[:1]) for _ in range(700)]
    await store.keep(contents)
    names = [one.record.chunk_set for one in contents]
    assert len(await store.chunks(tenant, names)) == 700
    assert len(await store.records(tenant, names)) == 700
