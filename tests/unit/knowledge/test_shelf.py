from dataclasses import replace

from parley_knowledge.documents import Chunk
from parley_knowledge.index import Shelf, Snapshot
from parley_knowledge.search import search
from tests.unit.knowledge.handbook import DELIVERY_ZH, HOURS_EN, RETURNS_ZH, a_record, a_snapshot


def found(snapshot: Snapshot, query: str) -> list[str]:
    return [hit.passage.record.uri for hit in search(snapshot, query, limit=5).hits]


def test_a_new_version_replaces_the_passages_of_the_old_one() -> None:
    shelf = Shelf()
    shelf.change([(a_record(DELIVERY_ZH), [Chunk("", "顺丰次日达")])], [], 1)
    after = shelf.change([(a_record(DELIVERY_ZH, version=2), [Chunk("", "京东当日达")])], [], 2)
    assert found(after, "京东") == [DELIVERY_ZH.uri]
    assert found(after, "顺丰") == []
    assert after.size == 1


def test_a_removed_document_is_found_no_more() -> None:
    shelf = Shelf()
    record = a_record(RETURNS_ZH)
    shelf.change([(record, [Chunk("", "七天无理由退货")])], [], 1)
    assert found(shelf.change([], [record.document_id], 2), "退货") == []
    assert shelf.snapshot.languages == {}


def test_a_document_that_changes_its_language_leaves_the_old_index() -> None:
    shelf = Shelf()
    shelf.change([(a_record(HOURS_EN), [Chunk("", "open at nine")])], [], 1)
    chinese = replace(a_record(HOURS_EN, version=2), language="zh")
    after = shelf.change([(chinese, [Chunk("", "九点开门")])], [], 2)
    assert set(after.languages) == {"zh"}


def test_a_snapshot_in_use_does_not_change_under_a_search() -> None:
    shelf = Shelf()
    before = shelf.change([(a_record(RETURNS_ZH), [Chunk("", "七天退货")])], [], 1)
    shelf.change([(a_record(RETURNS_ZH, version=2), [Chunk("", "三十天换货")])], [], 2)
    assert found(before, "退货") == [RETURNS_ZH.uri]
    assert before.revision == 1


def test_languages_are_indexed_apart() -> None:
    snapshot = a_snapshot()
    assert {name: len(index.passages) for name, index in snapshot.languages.items()} == {"zh": 2, "en": 2}
