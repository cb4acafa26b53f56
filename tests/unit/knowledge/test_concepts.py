from parley_knowledge.documents import Draft
from parley_knowledge.index import indexed_terms, read_thesaurus, thesaurus
from parley_knowledge.search import search
from tests.unit.knowledge.handbook import a_snapshot

FEES = Draft("h/fees.md", "运费说明", "订单不满九十九元，收取运费十元。")
HOURS = Draft("h/hours.md", "门店信息", "门店每天九点营业。")


def test_a_document_is_found_by_a_word_that_it_never_uses() -> None:
    assert "邮费" not in FEES.text
    assert search(a_snapshot(HOURS, FEES), "邮费怎么算", limit=2).hits[0].passage.record.uri == FEES.uri


def test_english_names_match_in_any_inflection_and_over_several_words() -> None:
    assert thesaurus().concepts("Can I get my money back?") == ["§退款"]
    assert thesaurus().concepts("refunded") == thesaurus().concepts("refunds") == ["§退款"]


def test_the_longest_name_wins() -> None:
    words = read_thesaurus("卡, card\n礼品卡, gift card")
    assert words.concepts("我有礼品卡和卡") == ["§礼品卡", "§卡"]
    assert words.concepts("a gift card, a card") == ["§礼品卡", "§卡"]


def test_concepts_join_the_two_languages() -> None:
    english = Draft("h/en.md", "Refunds", "Refunds reach your card within five working days.")
    findings = search(a_snapshot(english), "退款要等几天", limit=1)
    assert findings.hits[0].passage.record.uri == english.uri


def test_words_stay_beside_their_concepts() -> None:
    assert indexed_terms("邮费") == ["邮", "费", "邮费", "§运费"]


def test_remarks_and_empty_lines_name_nothing() -> None:
    words = read_thesaurus("# 退款, refund\n\n运费, postage  # 邮票\n")
    assert words.concepts("退款 refund 邮票") == []
    assert words.concepts("postage") == ["§运费"]


def test_a_thesaurus_without_chinese_or_english_names_works() -> None:
    assert read_thesaurus("").concepts("退款 refund") == []
    assert read_thesaurus("refund, money back").concepts("退款 money back") == ["§refund"]
