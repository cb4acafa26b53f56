"""Folders that are followed: what changes in them is answered from within two seconds, without a restart."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parley.contracts.v1 import DocumentIndexed, DocumentRemoved, ListDocumentsRequest
from parley.testing import TestBench
from parley_knowledge.service import service
from tests.flow.knowledge_service import FRESH_SECONDS, Knowledge, a_knowledge_service


@pytest.fixture
def handbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "handbook"
    (folder / "zh").mkdir(parents=True)
    (folder / "zh" / "hours.md").write_text("# 营业时间\n每天九点开门。", "utf-8")
    (folder / "returns.md").write_text("# Returns\nReturn items within 30 days.", "utf-8")
    monkeypatch.setenv("PARLEY_KNOWLEDGE_FOLDERS", str(folder))
    return folder


@pytest.fixture
async def knowledge(handbook: Path) -> AsyncIterator[Knowledge]:
    async with a_knowledge_service() as running:
        yield running


async def uris(knowledge: Knowledge) -> list[str]:
    page = await knowledge.stub.ListDocuments(ListDocumentsRequest(tenant_id="demo"))
    return [document.uri for document in page.documents]


def lose(folder: Path, how: str) -> None:
    folder.rename(folder.with_name("elsewhere"))
    if how == "empty":
        folder.mkdir()


async def test_a_folder_is_known_before_the_first_question_is_answered(knowledge: Knowledge) -> None:
    assert await knowledge.finds("几点开门？", "九点")
    assert await uris(knowledge) == ["handbook/returns.md", "handbook/zh/hours.md"]


async def test_a_changed_file_is_answered_from_within_two_seconds(knowledge: Knowledge, handbook: Path) -> None:
    assert await knowledge.finds("几点开门？", "九点")
    (handbook / "zh" / "hours.md").write_text("# 营业时间\n每天十点开门。", "utf-8")
    await knowledge.until(lambda: knowledge.finds("几点开门？", "十点"), seconds=FRESH_SECONDS)


async def test_an_added_file_is_answered_from_within_two_seconds(knowledge: Knowledge, handbook: Path) -> None:
    await knowledge.search("gift cards")
    (handbook / "gifts").mkdir()
    (handbook / "gifts" / "cards.md").write_text("# Gift cards\nGift cards are valid for one year.", "utf-8")
    await knowledge.until(lambda: knowledge.finds("gift cards", "one year"), seconds=FRESH_SECONDS)


async def test_a_removed_file_is_answered_from_no_longer_than_two_seconds(knowledge: Knowledge, handbook: Path) -> None:
    assert await knowledge.finds("return items", "30 days")
    (handbook / "returns.md").unlink()

    async def gone() -> bool:
        return not await knowledge.finds("return items", "30 days")

    await knowledge.until(gone, seconds=FRESH_SECONDS)


async def test_a_file_that_breaks_keeps_its_last_good_version(knowledge: Knowledge, handbook: Path) -> None:
    assert await knowledge.finds("几点开门？", "九点")
    (handbook / "zh" / "hours.md").write_bytes(b"\x89PNG\x00\x00" * 50)
    (handbook / "later.md").write_text("# 发票\n三天内开具发票。", "utf-8")
    await knowledge.until(lambda: knowledge.finds("发票", "三天内"))
    assert await knowledge.finds("几点开门？", "九点")


async def test_files_that_went_while_nobody_watched_are_forgotten_at_the_next_start(
    handbook: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    async with a_knowledge_service(home) as first:
        await first.put("api/kept.md", "API 写入的文档不随文件夹消失。")
        assert await first.finds("几点开门？", "九点")
    (handbook / "zh" / "hours.md").unlink()
    async with a_knowledge_service(home) as second:
        await second.search("ready")
        assert await uris(second) == ["api/kept.md", "handbook/returns.md"]


@pytest.mark.parametrize("loss", ["missing", "empty"])
async def test_a_folder_that_is_not_mounted_forgets_nothing(handbook: Path, tmp_path: Path, loss: str) -> None:
    home = tmp_path / "home"
    async with a_knowledge_service(home) as first:
        assert await first.finds("几点开门？", "九点")
    lose(handbook, loss)
    async with a_knowledge_service(home) as second:
        assert await second.finds("几点开门？", "九点")


async def test_a_document_that_was_put_by_hand_is_taken_over_by_the_folder_that_holds_it(
    handbook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.delenv("PARLEY_KNOWLEDGE_FOLDERS")
    async with a_knowledge_service(home) as alone:
        await alone.put("handbook/returns.md", "# Returns\nReturn items within 30 days.", title="Returns")
    monkeypatch.setenv("PARLEY_KNOWLEDGE_FOLDERS", str(handbook))
    async with a_knowledge_service(home) as following:
        await following.search("ready")
        (handbook / "returns.md").unlink()

        async def gone() -> bool:
            return await uris(following) == ["handbook/zh/hours.md"]

        await following.until(gone)


async def test_what_is_taken_in_and_removed_is_told_as_facts(handbook: Path) -> None:
    async with TestBench(service) as bench:
        await bench.until(lambda: len(bench.sent(DocumentIndexed)) == 2)
        fact = next(f for f in bench.sent(DocumentIndexed) if f.title == "营业时间")
        assert (fact.meta.tenant_id, fact.version, fact.chunks) == ("demo", 1, 1)
        await bench.ctx.deps.library.remove("demo", fact.document_id)
        assert [f.document_id for f in bench.sent(DocumentRemoved)] == [fact.document_id]
