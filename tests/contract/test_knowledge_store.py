"""One suite for every adapter of knowledge's DocumentStore."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from parley.core import Conflict, new_id
from parley_knowledge.documents import Chunk, Record
from parley_knowledge.store import DocumentStore, open_documents
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


def a_version(record: Record, number: int) -> Record:
    return replace(record, version=number, chunk_set=new_id("set"))


async def test_what_was_published_is_found_with_its_passages_in_order(store: DocumentStore, tenant: str) -> None:
    record = a_version(a_record(DELIVERY_ZH, tenant=tenant), 1)
    await store.publish(record, CHUNKS, replaces=None)
    assert await store.find(tenant, record.document_id) == record
    assert await store.all(tenant) == [record]
    assert await store.chunks(tenant, [record.chunk_set]) == {record.chunk_set: CHUNKS}


async def test_a_new_version_takes_the_place_and_the_passages_of_the_old_one(store: DocumentStore, tenant: str) -> None:
    first = a_version(a_record(DELIVERY_ZH, tenant=tenant), 1)
    await store.publish(first, CHUNKS, replaces=None)
    second = a_version(first, 2)
    await store.publish(second, CHUNKS[:1], replaces=first)
    assert await store.all(tenant) == [second]
    assert await store.chunks(tenant, [first.chunk_set, second.chunk_set]) == {second.chunk_set: CHUNKS[:1]}


async def test_a_stale_writer_is_refused_and_leaves_nothing(store: DocumentStore, tenant: str) -> None:
    first = a_version(a_record(DELIVERY_ZH, tenant=tenant), 1)
    await store.publish(first, CHUNKS, replaces=None)
    second, late = a_version(first, 2), a_version(first, 2)
    await store.publish(second, CHUNKS, replaces=first)
    with pytest.raises(Conflict, match="somebody else"):
        await store.publish(late, CHUNKS, replaces=first)
    with pytest.raises(Conflict):
        await store.publish(a_version(first, 1), CHUNKS, replaces=None)
    assert await store.find(tenant, first.document_id) == second
    assert await store.chunks(tenant, [late.chunk_set]) == {}


async def test_of_many_writers_at_once_exactly_one_wins(store: DocumentStore, tenant: str) -> None:
    base = a_version(a_record(RETURNS_ZH, tenant=tenant), 1)
    await store.publish(base, CHUNKS, replaces=None)
    for number in range(2, 12):
        versions = [a_version(base, number) for _ in range(16)]
        outcomes = await asyncio.gather(
            *(store.publish(version, CHUNKS, replaces=base) for version in versions), return_exceptions=True
        )
        winners = [v for v, outcome in zip(versions, outcomes, strict=True) if outcome is None]
        assert len(winners) == 1
        assert await store.chunks(tenant, [v.chunk_set for v in versions]) == {winners[0].chunk_set: CHUNKS}
        base = winners[0]


async def test_a_removed_document_is_listed_no_more_but_keeps_its_number(store: DocumentStore, tenant: str) -> None:
    record = a_version(a_record(RETURNS_EN, tenant=tenant), 1)
    await store.publish(record, CHUNKS, replaces=None)
    gone = replace(a_version(record, 2), removed=True)
    await store.publish(gone, [], replaces=record)
    assert await store.all(tenant) == await store.page(tenant, "", 10) == []
    assert await store.find(tenant, record.document_id) == gone
    assert await store.chunks(tenant, [record.chunk_set]) == {}


async def test_pages_follow_the_uris(store: DocumentStore, tenant: str) -> None:
    records = [a_version(a_record(draft, tenant=tenant), 1) for draft in (RETURNS_ZH, DELIVERY_ZH, RETURNS_EN)]
    for record in records:
        await store.publish(record, CHUNKS, replaces=None)
    first = await store.page(tenant, "", 2)
    rest = await store.page(tenant, first[-1].uri, 2)
    assert [r.uri for r in first + rest] == sorted(r.uri for r in records)


async def test_every_change_of_a_tenant_raises_its_revision(store: DocumentStore, tenant: str) -> None:
    assert tenant not in await store.revisions()
    record = a_version(a_record(RETURNS_ZH, tenant=tenant), 1)
    await store.publish(record, CHUNKS, replaces=None)
    before = (await store.revisions())[tenant]
    await store.publish(replace(a_version(record, 2), removed=True), [], replaces=record)
    assert (await store.revisions())[tenant] > before


async def test_tenants_with_the_same_documents_never_meet(store: DocumentStore, tenant: str) -> None:
    other = f"{tenant}/二"
    mine, theirs = (a_version(a_record(RETURNS_ZH, tenant=name), 1) for name in (tenant, other))
    await store.publish(mine, CHUNKS, replaces=None)
    await store.publish(theirs, CHUNKS[:1], replaces=None)
    assert await store.all(tenant) == [mine]
    assert await store.chunks(tenant, [theirs.chunk_set]) == {}
    assert await store.find(tenant, f"二/{theirs.document_id}") is None


async def test_thousands_of_passages_are_read_in_one_call(store: DocumentStore, tenant: str) -> None:
    records = [replace(a_version(a_record(RETURNS_ZH, tenant=tenant), 1), document_id=f"doc_{n}") for n in range(700)]
    await asyncio.gather(*(store.publish(record, CHUNKS[:1], replaces=None) for record in records))
    assert len(await store.chunks(tenant, [record.chunk_set for record in records])) == 700
