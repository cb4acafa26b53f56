import pytest

from parley_knowledge.documents import Draft
from parley_knowledge.index import Snapshot
from parley_knowledge.search import best_quote, content_terms, plain, search
from tests.unit.knowledge.handbook import DELIVERY_ZH, HOURS_EN, RETURNS_EN, RETURNS_ZH, a_draft, a_snapshot


@pytest.mark.parametrize(
    ("query", "uri", "quoted"),
    [
        ("退款多久到账？", RETURNS_ZH.uri, "退款会在三个工作日内原路退回。"),
        ("包邮吗", DELIVERY_ZH.uri, "满九十九元包邮。"),
        ("When do refunds reach me?", RETURNS_EN.uri, "Refunds reach your card within five working days."),
        ("are you open on sunday", HOURS_EN.uri, "Sundays included"),
    ],
)
def test_the_best_passage_and_its_best_sentence_answer(query: str, uri: str, quoted: str) -> None:
    findings = search(a_snapshot(), query, limit=3)
    assert findings.hits[0].passage.record.uri == uri
    assert quoted in findings.quote


def test_a_question_is_searched_in_its_own_language() -> None:
    assert {h.passage.record.language for h in search(a_snapshot(), "退货 returns", limit=9).hits} == {"zh"}


def test_the_callers_language_comes_before_the_script_of_the_question() -> None:
    assert search(a_snapshot(), "VIP", limit=3, language="zh-CN").language == "zh"


def test_passages_of_another_language_answer_where_ones_own_hold_nothing() -> None:
    manual = Draft("manual/x200.md", "X200 printer", "The X200 prints 30 pages a minute.")
    findings = search(a_snapshot(RETURNS_ZH, manual), "X200 打印速度", limit=3)
    assert findings.hits[0].passage.record.uri == RETURNS_ZH.uri or findings.language == "en"
    assert search(a_snapshot(manual), "X200 打印速度", limit=3).hits[0].passage.record.uri == manual.uri


def test_an_empty_base_answers_nothing_and_is_not_sure() -> None:
    findings = search(Snapshot(), "退款多久到账？", limit=5)
    assert (findings.hits, findings.quote, findings.answerable) == ((), "", 0.0)


def test_a_question_without_words_finds_nothing() -> None:
    assert search(a_snapshot(), "😀？！", limit=5).hits == ()


def test_the_limit_is_kept() -> None:
    drafts = [a_draft("退款三天到账。", uri=f"h/{n}.md") for n in range(9)]
    assert len(search(a_snapshot(*drafts), "退款", limit=4).hits) == 4


def test_a_covered_question_is_surer_than_one_about_something_else() -> None:
    base = a_snapshot()
    assert (
        search(base, "签收后几天内可以退货？", limit=3).answerable
        > search(base, "你们招聘程序员吗？", limit=3).answerable
    )
    sure = search(base, "How many days may I return an item?", limit=3).answerable
    assert sure > search(base, "Do you hire pilots for your helicopter?", limit=3).answerable


def test_words_of_asking_are_not_what_is_asked_about() -> None:
    assert content_terms("请问你们什么时候可以退款呢？") == ("§退款",)
    assert content_terms("How do I return my order?") == ("§退货", "§下单")


def test_a_question_of_nothing_but_question_words_keeps_them() -> None:
    assert content_terms("怎么办")
    assert content_terms("what is it?")


def test_a_short_quote_takes_the_following_sentence_along() -> None:
    quote = best_quote("可以退货。请保留包装和发票。", {"退货": 1.0})
    assert quote.text == "可以退货。请保留包装和发票。"
    assert quote.coverage == 1.0


def test_what_a_colon_announces_belongs_to_the_quote() -> None:
    text = "We accept these cards:\n- Visa\n- Mastercard\n\nCash is not accepted by our drivers anywhere."
    assert best_quote(text, {"card": 1.0, "accept": 0.2}).text == "We accept these cards:\n- Visa\n- Mastercard"


def test_a_heading_leads_to_its_sentences_and_is_never_quoted() -> None:
    text = "# 配送\n两到四天送达。\n\n# 退货\n签收后七天内办理。"
    assert best_quote(text, {"退货": 1.0}).text == "签收后七天内办理。"


def test_a_passage_without_sentences_gives_an_empty_quote() -> None:
    assert best_quote("# 只有标题", {"标题": 1.0}).text == ""


def test_headings_are_shown_without_their_mark() -> None:
    assert plain("# 退货\n七天内。") == "退货\n七天内。"
