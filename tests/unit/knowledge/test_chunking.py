from parley_knowledge.ingest import chunks_of
from parley_knowledge.text import units


def test_a_short_document_is_one_passage_with_its_headings() -> None:
    (chunk,) = chunks_of("# 退货\n\n七天内。\n\n## 运费\n\n由买家承担。", "退货")
    assert (chunk.place, chunk.text) == ("", "七天内。\n\n# 运费\n由买家承担。")


def test_a_long_document_is_cut_at_its_headings_and_remembers_them() -> None:
    section = "这是一句关于配送时间和费用的说明文字。" * 14
    chunks = chunks_of(f"# 配送\n\n## 国内\n\n{section}\n\n## 海外\n\n{section}", "手册")
    assert [chunk.place for chunk in chunks] == ["配送 › 国内", "配送 › 海外"]


def test_a_long_text_is_packed_by_sentences_to_about_four_hundred_tokens() -> None:
    text = "".join(f"第{n}条规定如下所述请各位顾客注意查看。" for n in range(120))
    chunks = chunks_of(text)
    assert all(chunk.text.endswith("。") for chunk in chunks)
    assert all(300 <= units(chunk.text) <= 450 for chunk in chunks[:-1])
    assert "".join(chunk.text for chunk in chunks) == text


def test_english_is_packed_with_its_spaces() -> None:
    text = " ".join(f"Rule {n} says that parcels are sent on the day after the order was paid." for n in range(80))
    assert " ".join(chunk.text for chunk in chunks_of(text)) == text


def test_a_sentence_without_end_is_cut_all_the_same() -> None:
    chunks = chunks_of("字" * 5000)
    assert max(units(chunk.text) for chunk in chunks) <= 1600
    assert sum(units(chunk.text) for chunk in chunks) == 5000


def test_a_table_row_carries_the_headers_of_its_columns() -> None:
    (chunk,) = chunks_of("| 尺寸 | 价格 |\n|---|---|\n| 大 | 99元 |\n| 小 | 59元 |")
    assert chunk.text == "尺寸: 大; 价格: 99元\n尺寸: 小; 价格: 59元"


def test_links_keep_their_address_and_markup_goes() -> None:
    (chunk,) = chunks_of("**Track** it [here](https://example.com/track) or `call` us.<br>")
    assert chunk.text == "Track it here (https://example.com/track) or call us."


def test_lines_of_a_chinese_paragraph_are_joined_without_a_space() -> None:
    assert chunks_of("退款会在\n三天内到账。")[0].text == "退款会在三天内到账。"
    assert chunks_of("Refunds take\nthree days.")[0].text == "Refunds take three days."


def test_lists_and_code_keep_their_lines() -> None:
    (chunk,) = chunks_of("- Visa\n- Mastercard\n\n1. 下单\n2. 付款\n\n```\nTRACK 12\n```")
    assert chunk.text == "- Visa\n- Mastercard\n\n1. 下单\n2. 付款\n\nTRACK 12"


def test_a_document_of_markup_alone_has_no_passages() -> None:
    assert chunks_of("# 只有标题\n\n---\n") == []
