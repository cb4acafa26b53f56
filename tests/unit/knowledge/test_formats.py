"""What each format gives: real files, made by the libraries that everybody makes them with, or by hand."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parley_knowledge.documents import Draft
from parley_knowledge.ingest import Found, Reading, Refusal, chunks_of
from tests.unit.knowledge.paper import Page, a_pdf, locked, scanned, written

PRICES = [["Plan", "Monthly price", "Storage"], ["Basic", "12 EUR", "5 GB"], ["Family", "29 EUR", "200 GB"]]
OPENING = [
    ["门店", "周一至周五", "周末"],
    ["北京店", "九点到二十点", "十点到十八点"],
    ["上海店", "八点到二十二点", "全天"],
]


@pytest.fixture(scope="module")
def reading() -> Iterator[Reading]:
    with Reading(readers=1) as opened:
        yield opened


async def read(reading: Reading, path: Path) -> list[Draft | Refusal]:
    return await reading.read(Found(path, path.name))


async def the_draft(reading: Reading, path: Path) -> Draft:
    (draft,) = await read(reading, path)
    assert isinstance(draft, Draft), draft
    return draft


async def lines(reading: Reading, path: Path) -> list[str]:
    draft = await the_draft(reading, path)
    return [line for chunk in chunks_of(draft.text, draft.title) for line in chunk.text.split("\n") if line]


async def the_reason(reading: Reading, path: Path) -> str:
    (refusal,) = await read(reading, path)
    assert isinstance(refusal, Refusal), refusal
    assert refusal.name.split("#")[0] == path.name
    return refusal.reason


async def test_a_table_of_a_pdf_gives_each_row_with_its_headers(reading: Reading, tmp_path: Path) -> None:
    pdf = a_pdf(Page(["Prices from May on.", "All include support."], PRICES), Page(["Nothing is due in advance."]))
    found = await lines(reading, written(tmp_path, "prices.pdf", pdf))
    assert "Plan: Family; Monthly price: 29 EUR; Storage: 200 GB" in found
    assert "Nothing is due in advance." in found
    assert sum("29 EUR" in line for line in found) == 1
    assert found[0] == "# 1"


async def test_chinese_of_a_pdf_is_read_with_its_table(reading: Reading, tmp_path: Path) -> None:
    found = await lines(reading, written(tmp_path, "营业时间.pdf", a_pdf(Page(["节假日另行通知。"], OPENING))))
    assert "门店: 上海店; 周一至周五: 八点到二十二点; 周末: 全天" in found
    assert "节假日另行通知。" in found


@pytest.mark.slow
async def test_a_scanned_page_is_read_by_ocr(reading: Reading, tmp_path: Path) -> None:
    pdf = scanned(a_pdf(Page(["Returns are free within 30 days.", "Call 400 820 8820 before noon."])))
    text = " ".join(await lines(reading, written(tmp_path, "scan.pdf", pdf))).replace(" ", "")
    assert "Returnsarefreewithin30days" in text
    assert "4008208820" in text


async def test_word_gives_headings_lists_and_tables_in_their_order(reading: Reading, tmp_path: Path) -> None:
    import docx

    document = docx.Document()
    document.add_heading("退货政策", 0)
    document.add_heading("期限", 1)
    document.add_paragraph("签收后七天内可以退货。")
    document.add_paragraph("保留发票", style="List Bullet")
    table = document.add_table(0, 3)
    for row in OPENING:
        for cell, value in zip(table.add_row().cells, row, strict=True):
            cell.text = value
    document.save(str(tmp_path / "退货.docx"))
    draft = await the_draft(reading, tmp_path / "退货.docx")
    assert draft.title == "退货政策"
    assert await lines(reading, tmp_path / "退货.docx") == [
        "# 期限",
        "签收后七天内可以退货。",
        "- 保留发票",
        "门店: 北京店; 周一至周五: 九点到二十点; 周末: 十点到十八点",
        "门店: 上海店; 周一至周五: 八点到二十二点; 周末: 全天",
    ]


async def test_a_sheet_gives_each_row_with_its_headers_and_values_as_they_are_shown(
    reading: Reading, tmp_path: Path
) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet: Any = book.active
    rows = [["价目表 2026"], ["商品", "价格", "折扣"], ["茶杯", 19.9, 0.15], ["茶壶", 88, None]]
    for row in rows:
        sheet.append(row)
    sheet["C3"].number_format = "0%"
    hidden = book.create_sheet("内部")
    hidden.append(["成本", "一元"])
    hidden.sheet_state = "hidden"
    book.save(tmp_path / "价格.xlsx")
    found = await lines(reading, tmp_path / "价格.xlsx")
    assert found == ["价目表 2026", "商品: 茶杯; 价格: 19.9; 折扣: 15%", "商品: 茶壶; 价格: 88"]


async def test_slides_give_titles_text_and_tables(reading: Reading, tmp_path: Path) -> None:
    import pptx
    from pptx.util import Inches

    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = "Opening hours"
    table = slide.shapes.add_table(3, 3, Inches(1), Inches(2), Inches(6), Inches(2)).table
    for i, row in enumerate(PRICES):
        for j, value in enumerate(row):
            table.cell(i, j).text = value
    show.save(str(tmp_path / "show.pptx"))
    found = await lines(reading, tmp_path / "show.pptx")
    assert found[0] == "# Opening hours"
    assert "Plan: Basic; Monthly price: 12 EUR; Storage: 5 GB" in found


async def test_a_page_is_read_without_its_menu_scripts_and_footer(reading: Reading, tmp_path: Path) -> None:
    html = (
        "<html lang=zh-CN><head><title>配送 - 商店</title><script>alert('x')</script></head><body><nav>首页 关于</nav>"
        "<h1>配送</h1><p>两天<b>送达</b>。<br>偏远地区五天。</p><ul><li>北京</li><li>上海</li></ul>"
        "<table><tr><th>地区</th><th>运费</th></tr><tr><td>西藏</td><td>18元</td></tr></table>"
        "<p hidden>秘密</p><footer>版权所有</footer></body></html>"
    )
    path = written(tmp_path, "a.html", html)
    draft = await the_draft(reading, path)
    assert (draft.title, draft.language) == ("配送", "zh-CN")
    assert await lines(reading, path) == ["两天送达。", "偏远地区五天。", "- 北京", "- 上海", "地区: 西藏; 运费: 18元"]


async def test_questions_and_answers_of_a_table_become_documents(reading: Reading, tmp_path: Path) -> None:
    path = written(tmp_path, "faq.csv", "问题,答案\n多久发货？,当天。\n\n能开发票吗？,可以。\n".encode("gb18030"))
    assert await read(reading, path) == [
        Draft("faq.csv#2", "多久发货？", "当天。"),
        Draft("faq.csv#3", "能开发票吗？", "可以。"),
    ]


async def test_rows_of_csv_are_facts_with_their_headers(reading: Reading, tmp_path: Path) -> None:
    path = written(tmp_path, "shops.csv", 'shop;opens;phone\n"Main st; 5";9:00;555-0100\n')
    assert await lines(reading, path) == ["shop: Main st; 5; opens: 9:00; phone: 555-0100"]


async def test_letters_of_an_archive_lose_what_they_quote(reading: Reading, tmp_path: Path) -> None:
    letter = (
        "From a@b.c Sat Jan  3 01:05:34 1998\nFrom: a@b.c\nSubject: {}\nMessage-ID: <{}@b.c>\n"
        "Content-Type: text/plain; charset=utf-8\n\n{}\n\n"
    )
    archive = letter.format("Refund", 1, "It takes three days.\nOn Monday Ann wrote:\n> When?") + letter.format(
        "Empty", 2, "> only a quote"
    )
    draft, refusal = await read(reading, written(tmp_path, "support.mbox", archive))
    assert draft == Draft("support.mbox#1@b.c", "Refund", "It takes three days.")
    assert isinstance(refusal, Refusal)
    assert "no text of its own" in refusal.reason


def a_bomb(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("word/document.xml", b" " * 40_000_000)
    return path


async def test_what_would_do_harm_is_refused_by_name_with_the_reason_and_the_rest_goes_on(
    reading: Reading, tmp_path: Path
) -> None:
    good = a_pdf(Page(["Nine to eight."]))
    assert "encrypted" in await the_reason(reading, written(tmp_path, "a.pdf", locked(good, "secret")))
    assert "not what its name says" in await the_reason(reading, written(tmp_path, "b.pdf", b"PK\x03\x04 no pdf"))
    assert "broken" in await the_reason(reading, written(tmp_path, "c.pdf", b"%PDF-1.7\n" + bytes(500)))
    assert "zip bomb" in await the_reason(reading, a_bomb(tmp_path / "d.docx"))
    assert "not what its name says" in await the_reason(reading, written(tmp_path, "e.xlsx", good))
    assert "without a password" in await the_reason(
        reading, written(tmp_path, "f.xlsx", b"\xd0\xcf\x11\xe0" + bytes(99))
    )
    assert "is a script" in await the_reason(reading, written(tmp_path, "g.html", "#!/bin/sh\nrm -rf /"))
    assert "program" in await the_reason(reading, written(tmp_path, "h.csv", b"\x7fELF" + bytes(99)))
    assert "scripts" in await the_reason(
        reading, written(tmp_path, "i.html", "<html><body><script>x()</script></body>")
    )
    assert "no HTML" in await the_reason(reading, written(tmp_path, "j.html", "just words"))
    assert await lines(reading, written(tmp_path, "z.pdf", good)) == ["Nine to eight."]


async def test_a_file_that_takes_too_long_is_refused_and_the_next_one_is_read(tmp_path: Path) -> None:
    with Reading(readers=1, seconds=0.01) as hasty:
        assert "longer than" in await the_reason(hasty, written(tmp_path, "a.pdf", a_pdf(Page(["Slow."]))))
    with Reading(readers=1) as patient:
        assert await lines(patient, tmp_path / "a.pdf") == ["Slow."]


async def test_a_reader_without_memory_refuses_the_file_and_takes_nobody_with_it(tmp_path: Path) -> None:
    with Reading(readers=1, mebibytes=300) as poor:
        assert "memory" in await the_reason(poor, written(tmp_path, "a.csv", "a,b\n" * 2_400_000))
        assert await lines(poor, written(tmp_path, "b.csv", "a,b\nc,d\n")) == ["a: c; b: d"]
