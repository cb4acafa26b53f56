"""Drafts, publication, the way back, labels, and old versions that are still searched."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from parley.core import Conflict, Invalid, NotFound
from parley.testing import VirtualClock
from parley_knowledge.documents import Labels, Scope
from parley_knowledge.index import bm25
from parley_knowledge.library import KEPT_MOST, Library, open_library
from parley_knowledge.releases import State
from parley_knowledge.store import DocumentStore, open_documents
from tests.unit.knowledge.handbook import DELIVERY_ZH, RETURNS_ZH, a_draft


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DocumentStore]:
    async with open_documents(f"sqlite:///{tmp_path / 'parley.db'}") as documents:
        yield documents


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def library(store: DocumentStore, clock: VirtualClock) -> AsyncIterator[Library]:
    async with open_library(store, clock=clock) as library:
        library.ready.set()
        yield library


async def texts(library: Library, query: str = "开门", *, version: int = 0, scope: Scope | None = None) -> list[str]:
    await library.refresh()
    found = await library.search("demo", query, limit=9, version=version, scope=scope)
    return [hit.passage.chunk.text for hit in found.hits]


async def test_a_draft_is_seen_by_nobody_until_it_is_published_and_then_at_once(library: Library) -> None:
    await library.put("demo", a_draft("九点开门。"))
    proposal = await library.editor.open_proposal("demo", author="小王", note="夏令")
    draft_id = proposal.proposal_id
    record, changed = await library.put("demo", a_draft("八点开门。"), proposal_id=draft_id)
    assert (record.version, changed) == (2, True)
    await library.put("demo", DELIVERY_ZH, proposal_id=draft_id)
    assert await texts(library) == ["九点开门。"]
    assert (await library.editor.submit("demo", draft_id)).state is State.REVIEW
    published = await library.editor.publish("demo", draft_id, author="小李")
    assert (published.state, published.number) == (State.LIVE, 2)
    assert await texts(library) == ["八点开门。"]
    assert len(await library.page("demo", "", 9)) == 2
    assert await library.editor.publish("demo", draft_id) == published  # twice is no error
    assert (await library.annals.of("demo")).releases[-1].author == "小李"


async def test_a_dropped_draft_is_never_published(library: Library) -> None:
    proposal = await library.editor.open_proposal("demo")
    await library.put("demo", a_draft(), proposal_id=proposal.proposal_id)
    await library.editor.drop("demo", proposal.proposal_id)
    with pytest.raises(Conflict, match="was dropped"):
        await library.editor.publish("demo", proposal.proposal_id)
    with pytest.raises(Conflict, match="dropped already"):
        await library.put("demo", a_draft(), proposal_id=proposal.proposal_id)
    with pytest.raises(NotFound, match="there is no draft"):
        await library.editor.publish("另一家", proposal.proposal_id)
    assert await texts(library) == []


async def test_a_removal_waits_in_its_draft_too(library: Library) -> None:
    record, _ = await library.put("demo", a_draft("九点开门。"))
    proposal = await library.editor.open_proposal("demo")
    assert await library.remove("demo", record.document_id, proposal_id=proposal.proposal_id)
    assert await texts(library) == ["九点开门。"]
    await library.editor.publish("demo", proposal.proposal_id)
    assert await texts(library) == []


async def test_two_drafts_with_the_same_documents_make_one_version(library: Library) -> None:
    drafts = [await library.editor.open_proposal("demo") for _ in range(2)]
    for one in drafts:
        await library.put("demo", a_draft(), proposal_id=one.proposal_id)
    first, second = await asyncio.gather(*(library.editor.publish("demo", one.proposal_id) for one in drafts))
    assert {first.state, second.state} == {State.LIVE}
    assert sorted([first.number, second.number]) == [0, 1]
    assert (await library.annals.of("demo")).number == 1


async def test_going_back_makes_an_old_version_live_again_and_can_be_undone(library: Library) -> None:
    await library.put("demo", a_draft("九点开门。"))
    await library.put("demo", a_draft("十点开门。"))
    await library.put("demo", DELIVERY_ZH)
    back = await library.editor.rollback("demo", 1, note="错了")
    assert back is not None
    assert back.number == 4
    assert await texts(library) == ["九点开门。"]
    assert [r.version for r in await library.page("demo", "", 9)] == [1]
    assert await library.editor.rollback("demo", 1) is None
    await library.editor.rollback("demo", 3)
    assert await texts(library) == ["十点开门。"]
    with pytest.raises(NotFound, match="there is no version 9"):
        await library.editor.rollback("demo", 9)


async def test_old_versions_are_searched_as_they_were(library: Library) -> None:
    for hour in range(KEPT_MOST + 4):
        await library.put("demo", a_draft(f"{hour}点开门。"))
        await library.refresh()
    for number in (1, 2, KEPT_MOST, KEPT_MOST + 4):
        assert await texts(library, version=number) == [f"{number - 1}点开门。"]
    with pytest.raises(NotFound, match="there is no knowledge version 99"):
        await texts(library, version=99)


async def test_a_version_is_kept_while_turns_use_it_and_then_let_go(library: Library, clock: VirtualClock) -> None:
    await library.put("demo", a_draft("一点开门。"))
    await library.refresh()
    first = library.snapshot("demo")
    await library.put("demo", a_draft("二点开门。"))
    await library.refresh()
    assert await library.snapshot_of("demo", 1) is first
    await clock.advance(400)
    await library.put("demo", a_draft("三点开门。"))
    await library.refresh()
    assert await library.snapshot_of("demo", 1) is not first  # built anew
    assert await texts(library, version=1) == ["一点开门。"]


async def test_labels_and_dates_filter_before_anything_is_scored(library: Library, clock: VirtualClock) -> None:
    now = clock.now()
    inside = replace(a_draft("内部：七点开门。", uri="a"), labels=Labels(audiences=("agents",)))
    sale = replace(a_draft("促销期间开门。", uri="b"), labels=Labels(valid_from=now + 10, valid_until=now + 20))
    for draft in (inside, sale, a_draft("九点开门。", uri="c")):
        await library.put("demo", draft)
    assert await texts(library) == ["九点开门。"]
    assert set(await texts(library, scope=Scope("agents", "", now))) == {"内部：七点开门。", "九点开门。"}
    await clock.advance(15)
    assert set(await texts(library)) == {"促销期间开门。", "九点开门。"}
    await clock.advance(5)
    assert await texts(library) == ["九点开门。"]
    with pytest.raises(Invalid, match="valid until before"):
        await library.put("demo", replace(sale, labels=Labels(valid_from=5, valid_until=4)))


async def test_only_passages_that_have_changed_are_counted_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"第{n}条：商品{n}的价格是{n}元，库存{n}件，详情请看说明。" * 20 for n in range(30)]
    await library.put("demo", a_draft("\n\n".join(rows)))
    await library.refresh()
    counted: list[Sequence[str]] = []
    original = bm25.count

    def recorded(found: Sequence[str], vocabulary: bm25.Vocabulary) -> bm25.Counts:
        counted.append(found)
        return original(found, vocabulary)

    monkeypatch.setattr(bm25, "count", recorded)
    rows[7] = rows[7].replace("价格", "售价")
    await library.put("demo", a_draft("\n\n".join(rows)))
    await library.refresh()
    assert library.snapshot("demo").size > 20
    assert 1 <= len(counted) <= 3


async def test_what_was_known_before_there_were_releases_is_the_first_one(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    migrations = Path(__file__).parents[3] / "services/knowledge/parley_knowledge/store/migrations"
    with sqlite3.connect(path) as old:
        old.executescript((migrations / "0001_documents.sql").read_text())
        old.execute("CREATE TABLE schema_versions (component TEXT PRIMARY KEY, version INTEGER NOT NULL)")
        old.execute("INSERT INTO schema_versions VALUES ('knowledge', 1)")
        for n, removed in ((1, 0), (2, 1)):
            values = ("demo", f"doc_{n}", f"h/{n}", "退货", "zh", 5, "hash", f"set_{n}", 2, "folder:h", removed)
            old.execute("INSERT INTO knowledge_documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        for n, text in enumerate(("七天内可以退货。", "运费自理。")):
            old.execute("INSERT INTO knowledge_chunks VALUES ('demo', 'set_1', ?, '时限', ?)", (n, text))
    async with open_documents(f"sqlite:///{path}") as store, open_library(store) as library:
        library.ready.set()
        (record,) = await library.page("demo", "", 9)
        assert (record.version, record.source, record.chunk_count) == (5, "folder:h", 2)
        assert await texts(library, "退货") == ["七天内可以退货。", "运费自理。"]


async def test_two_processes_that_change_at_once_both_come_through(store: DocumentStore, library: Library) -> None:
    async with open_library(store) as elsewhere:
        writers = {"甲": library, "乙": elsewhere}
        wanted = [(f"{n}/{name}", one) for n in range(12) for name, one in writers.items()]
        await asyncio.gather(*(one.put("demo", a_draft(uri=uri)) for uri, one in wanted))
    assert len(await library.page("demo", "", 99)) == 24


async def test_sources_stay_when_a_document_of_a_folder_is_put_by_hand(library: Library) -> None:
    await library.put("demo", RETURNS_ZH, source="folder:h")
    await library.put("demo", replace(RETURNS_ZH, text="三十天内可以退货。"))
    (record,) = await library.page("demo", "", 9)
    assert (record.source, record.version) == ("folder:h", 2)
