import pytest

from parley_knowledge.index import terms
from parley_knowledge.text import language_from, language_of, sentences, units


def test_chinese_becomes_characters_and_bigrams() -> None:
    assert terms("要退款") == ["要", "退", "款", "要退", "退款"]


def test_english_is_lower_cased_and_stemmed() -> None:
    assert terms("Returning Returns RETURNED") == ["return", "return", "return"]


def test_an_apostrophe_does_not_hide_a_word() -> None:
    assert terms("the shop's") == terms("the shop’s") == ["the", "shop"]


def test_mixed_text_gives_the_terms_of_both_scripts() -> None:
    assert terms("iPhone保修 warranty") == ["iphon", "保", "修", "保修", "warranti"]


def test_bigrams_do_not_reach_across_punctuation_or_english() -> None:
    assert "款快" not in terms("退款，快递")
    assert "款快" not in terms("退款 VIP 快递")


def test_full_width_forms_are_the_same_as_half_width_ones() -> None:
    assert terms("ＶＩＰ会员９９元") == terms("VIP会员99元")


def test_numbers_and_ids_are_kept_whole_and_in_parts() -> None:
    assert terms("SKU-1042") == ["sku-1042", "sku", "1042"]
    assert "99.5" in terms("满99.5元")


def test_thousands_are_found_however_they_are_written() -> None:
    assert terms("1,299") == terms("1299") == ["1299"]


def test_text_without_words_has_no_terms() -> None:
    assert terms("。！？ … 😀 --") == []


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("多久可以退货？", "zh"),
        ("Where is my parcel?", "en"),
        ("iPhone 15 Pro Max 保修多久", "zh"),
        ("You can pay by card, by cash, by Alipay or by WeChat, which is called 微信 in China today", "en"),
        ("12345", "en"),
        ("", "en"),
    ],
)
def test_the_language_of_a_text_is_found_by_its_script(text: str, language: str) -> None:
    assert language_of(text) == language


def test_a_label_of_ours_decides_the_language_and_others_are_ignored() -> None:
    assert language_from("zh-CN", "hello") == "zh"
    assert language_from("en_US", "你好") == "en"
    assert language_from("fr", "你好") == "zh"


def test_chinese_sentences_end_after_the_closing_quote() -> None:
    assert sentences("他说：“可以退。”好的！再见") == ["他说：“可以退。”", "好的！", "再见"]


def test_english_sentences_survive_abbreviations_and_decimals() -> None:
    text = "Call Dr. Smith at 9 a.m. Monday. It costs 3.50 euros. Ok?"
    assert sentences(text) == ["Call Dr. Smith at 9 a.m. Monday.", "It costs 3.50 euros.", "Ok?"]


def test_a_new_line_ends_a_sentence() -> None:
    assert sentences("第一条\n第二条") == ["第一条", "第二条"]


def test_length_counts_chinese_characters_and_english_words() -> None:
    assert units("退款 within five days") == 5
