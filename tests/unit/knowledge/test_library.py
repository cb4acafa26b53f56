import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from parley.core import Conflict, Invalid, Unavailable
from parley_knowledge.documents import Record
from parley_knowledge.index import Shelf
from parley_knowledge.library import Library, open_library
from parley_knowledge.releases import Release
from parley_knowledge.store import DocumentStore, open_documents
from tests.unit.knowledge.handbook import DELIVERY_ZH, HANDBOOK, RETURNS_ZH, a_draft


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DocumentStore]:
    async with open_documents(f"sqlite:///{tmp_path / 'parley.db'}") as documents:
        yield documents


@pytest.fixture
async def library(store: DocumentStore) -> AsyncIterator[Library]:
    async with open_library(store) as library:
        library.ready.set()
        yield library


async def uris(library: Library, query: str, tenant: str = "demo") -> list[str]:
    await library.refresh()
    return [hit.passage.record.uri for hit in (await library.search(tenant, query, limit=5)).hits]


async def test_the_same_content_twice_is_one_version(library: Library) -> None:
    first, was_new = await library.put("demo", RETURNS_ZH)
    second, was_changed = await library.put("demo", RETURNS_ZH)
    assert (was_new, was_changed) == (True, False)
    assert second == first


async def test_a_change_of_text_title_or_language_is_a_new_version(library: Library) -> None:
    versions = []
    for draft in (
        a_draft("九点开门。"),
        a_draft("十点开门。"),
        a_draft("十点开门。", title="开门时间"),
        type(RETURNS_ZH)("handbook/营业时间.md", "开门时间", "十点开门。", "en"),
    ):
        record, changed = await library.put("demo", draft)
        assert changed
        versions.append(record.version)
    assert versions == [1, 2, 3, 4]


async def test_a_document_that_comes_back_goes_on_counting_its_versions(library: Library) -> None:
    first, _ = await library.put("demo", RETURNS_ZH)
    assert await library.remove("demo", first.document_id)
    assert not await library.remove("demo", first.document_id)
    back, changed = await library.put("demo", RETURNS_ZH)
    assert (back.version, changed) == (1, True)  # the same content is the same version
    other, _ = await library.put("demo", a_draft("只在周末可以退货。", uri=RETURNS_ZH.uri))
    assert other.version == 2
    assert await uris(library, "退货") == [RETURNS_ZH.uri]


async def test_two_tenants_with_the_same_documents_never_see_each_others(library: Library) -> None:
    await library.put("甲", a_draft("甲店九点开门。"))
    await library.put("乙", a_draft("乙店十点开门。"))
    await library.refresh()
    for tenant, other in (("甲", "乙"), ("乙", "甲")):
        (hit,) = (await library.search(tenant, "开门 甲店 乙店", limit=9)).hits
        assert hit.passage.record.tenant_id == tenant
        assert other not in hit.passage.chunk.text
    assert (await library.search("丙", "开门", limit=9)).hits == ()


async def test_what_another_process_has_written_is_found_after_a_refresh(
    store: DocumentStore, library: Library
) -> None:
    async with open_library(store) as elsewhere:
        await elsewhere.put("demo", DELIVERY_ZH)
    assert await uris(library, "包邮") == [DELIVERY_ZH.uri]


async def test_only_what_has_changed_is_read_again(
    store: DocumentStore, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    for draft in HANDBOOK:
        await library.put("demo", draft)
    await library.refresh()
    changes: list[int] = []
    original = Shelf.change

    def counted(shelf: Shelf, added: list[object], removed: list[str], revision: int) -> object:
        changes.append(len(added))
        return original(shelf, added, removed, revision)  # type: ignore[arg-type]

    monkeypatch.setattr(Shelf, "change", counted)
    await library.put("demo", a_draft())
    await library.refresh()
    await library.refresh()
    assert changes == [1]


async def test_sixteen_writers_of_one_document_leave_one_result(library: Library) -> None:
    outcomes = await asyncio.gather(
        *(library.put("demo", a_draft(f"{n}点开门。")) for n in range(16)), return_exceptions=True
    )
    assert all(isinstance(outcome, tuple | Conflict) for outcome in outcomes)
    (record,) = await library.page("demo", "", 10)
    assert len((await library.store.chunks("demo", [record.chunk_set]))[record.chunk_set]) == 1
    assert len(await uris(library, "开门")) == 1


async def test_text_without_words_is_refused(library: Library) -> None:
    with pytest.raises(Invalid, match="holds no text"):
        await library.put("demo", a_draft("# \n\n---"))


async def test_a_search_waits_for_the_first_load_and_then_says_so(
    store: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley_knowledge.library.READY_SECONDS", 0.01)
    async with open_library(store) as loading:
        with pytest.raises(Unavailable, match="still being loaded"):
            await loading.search("demo", "退货", limit=5)


async def test_a_fact_that_cannot_be_told_does_not_undo_the_document(store: DocumentStore) -> None:
    async def nobody_listens(_: Release, __: Mapping[str, Record]) -> None:
        raise Unavailable("the broker is away")

    async with open_library(store, told=nobody_listens) as library:
        record, changed = await library.put("demo", RETURNS_ZH)
        assert changed
        assert await library.page("demo", "", 10) == [record]


async def test_searches_go_on_while_the_index_is_rebuilt(library: Library) -> None:
    """Each search sees a whole snapshot: the old text or the new one, never neither."""
    await library.put("demo", a_draft("开门时间：0点。"))
    await library.refresh()
    done = asyncio.Event()
    answers: list[str] = []

    async def ask() -> None:
        while not done.is_set():
            (hit,) = (await library.search("demo", "开门时间", limit=5)).hits
            answers.append(hit.passage.chunk.text)

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    for n in range(1, 20):
        await library.put("demo", a_draft(f"开门时间：{n}点。"))
        await library.refresh()
    done.set()
    await asyncio.gather(*asking)
    assert len(answers) > 20
    assert (await library.search("demo", "开门时间", limit=1)).hits[0].passage.chunk.text == "开门时间：19点。"
