"""Sixty questions about files made for it: tables in PDF, Word and Excel, two columns, a scanned page, half Chinese.

Each is right when the cell or the sentence that is told first is the one that was asked for, from the right file.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from evaluation.bases import a_base, drafts_of
from parley_knowledge.facts import answering
from parley_knowledge.search import search
from tests.unit.knowledge.paper import Page, a_columned_pdf, a_pdf, scanned, written

PLANS: Final = [
    ["Plan", "Monthly price", "Storage", "Support"],
    ["Basic", "12 EUR", "5 GB", "by e-mail"],
    ["Family", "29 EUR", "200 GB", "by phone"],
    ["Studio", "49 EUR", "1 TB", "by phone, day and night"],
]
SHOPS: Final = [["门店", "工作日营业时间", "周末营业时间"], ["北京店", "9:00-20:00", "10:00-18:00"],
                ["上海店", "8:00-22:00", "全天"], ["成都店", "10:00-21:00", "休息"]]  # fmt: skip
PARTS: Final = [
    ["Part", "Unit price", "Weight", "Stock"],
    ["SKU-1042 kettle lid", "4.90 EUR", "120 g", "17"],
    ["SKU-2077 charging dock", "38.50 EUR", "640 g", "3"],
    ["SKU-3110 filter set", "9.20 EUR", "75 g", "260"],
    ["SKU-4001 wall bracket", "15 EUR", "410 g", "0"],
]
FEES: Final = [
    ["地区", "首重运费", "续重运费", "送达时间"],
    ["江浙沪", "6元", "1元", "一到两天"],
    ["西藏", "18元", "9元", "七到十天"],
    ["广东", "8元", "2元", "两到三天"],
    ["港澳", "25元", "12元", "四天"],
]
ROOMS: Final = [
    ["Room", "Price per night", "Guests", "Check-out"],
    ["Garden room", "110 GBP", "2", "11:00"],
    ["Tower suite", "240 GBP", "4", "12:00"],
    ["Attic", "75 GBP", "1", "10:30"],
]
STAFF: Final = [["部门", "负责人", "电话", "邮箱"], ["售后部", "王芳", "400-820-1001", "aftersale@shop.example"],
                ["物流部", "李强", "400-820-1002", "logistics@shop.example"],
                ["发票组", "赵敏", "400-820-1003", "invoice@shop.example"]]  # fmt: skip
LEFT: Final = [
    "Returns", "You may send an item back", "within 45 days of delivery.", "",
    "A damaged item is replaced", "free of charge.",
]  # fmt: skip
RIGHT: Final = [
    "Membership", "Gold members earn 3 points", "for every euro spent.", "",
    "Points expire after 18 months.", "Transit cover means insurance", "while a parcel is on its way.",
]  # fmt: skip
SCAN: Final = ["Warranty card", "The motor is covered for 6 years.", "The battery is covered for 14 months.",
               "Repairs are done in Rotterdam.", "Call 020 555 0199 for a repair."]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, of which file, and what has to stand in the fact or sentence that is told."""

    asked: str
    file: str
    expects: str


QUESTIONS: Final = tuple(
    Question(*line.split(" | "))
    for line in """
How much is the Family plan a month? | plans.pdf | 29 EUR
What does Basic cost per month? | plans.pdf | 12 EUR
monthly price of Studio | plans.pdf | 49 EUR
How much storage comes with the Family plan? | plans.pdf | 200 GB
Storage of the Studio plan? | plans.pdf | 1 TB
How many GB of storage has Basic? | plans.pdf | 5 GB
Which support does the Basic plan have? | plans.pdf | by e-mail
What support do I get with Studio? | plans.pdf | by phone, day and night
上海店周末几点开门？ | 营业时间.pdf | 全天
北京店工作日营业时间是什么？ | 营业时间.pdf | 9:00-20:00
北京店周末营业到几点？ | 营业时间.pdf | 10:00-18:00
成都店周末营业吗？ | 营业时间.pdf | 休息
上海店工作日几点关门？ | 营业时间.pdf | 8:00-22:00
成都店工作日的营业时间 | 营业时间.pdf | 10:00-21:00
unit price of the charging dock | parts.xlsx | 38.50 EUR
What does SKU-1042 cost? | parts.xlsx | 4.90 EUR
How much is the filter set? | parts.xlsx | 9.20 EUR
price of SKU-4001 | parts.xlsx | 15 EUR
How heavy is the wall bracket? What weight? | parts.xlsx | 410 g
weight of SKU-3110 | parts.xlsx | 75 g
How many filter sets are in stock? | parts.xlsx | 260
Is the wall bracket in stock? | parts.xlsx | 0
Stock of SKU-2077? | parts.xlsx | 3
What is the weight of the kettle lid? | parts.xlsx | 120 g
西藏首重运费多少钱？ | 运费.xlsx | 18元
寄到广东首重运费是多少 | 运费.xlsx | 8元
江浙沪续重运费多少？ | 运费.xlsx | 1元
港澳续重运费是多少钱 | 运费.xlsx | 12元
西藏送达时间要多久？ | 运费.xlsx | 七到十天
江浙沪送达时间 | 运费.xlsx | 一到两天
港澳的首重运费 | 运费.xlsx | 25元
广东续重运费 | 运费.xlsx | 2元
寄到港澳送达时间几天？ | 运费.xlsx | 四天
广东送达时间 | 运费.xlsx | 两到三天
price of the Tower suite per night | rooms.docx | 240 GBP
How much does the Garden room cost a night? | rooms.docx | 110 GBP
What does the attic cost per night? | rooms.docx | 75 GBP
When is check-out in the attic? | rooms.docx | 10:30
check-out time of the Tower suite | rooms.docx | 12:00
How many guests can stay in the Tower suite? | rooms.docx | 4
How many guests does the Garden room take? | rooms.docx | 2
When is check-out for the Garden room? | rooms.docx | 11:00
售后部的电话是多少？ | 联系人.docx | 400-820-1001
物流部负责人是谁？ | 联系人.docx | 李强
发票组的邮箱是什么？ | 联系人.docx | invoice@shop.example
物流部邮箱 | 联系人.docx | logistics@shop.example
发票组负责人叫什么？ | 联系人.docx | 赵敏
怎么打电话给发票组？ | 联系人.docx | 400-820-1003
售后部邮箱是多少 | 联系人.docx | aftersale@shop.example
售后部负责人 | 联系人.docx | 王芳
Within how many days may I send an item back? | columns.pdf | within 45 days of delivery
Is a damaged item replaced for free? | columns.pdf | free of charge
How many points do gold members earn per euro? | columns.pdf | 3 points
When do points expire? | columns.pdf | after 18 months
What does transit cover mean? | columns.pdf | insurance while a parcel is on its way
How long is the motor covered? | scan.pdf | 6 years
How long is the battery covered? | scan.pdf | 14 months
Where are repairs done? | scan.pdf | Rotterdam
Which number do I call for a repair? | scan.pdf | 020 555 0199
How much is the Studio plan each month? | plans.pdf | 49 EUR
""".strip().splitlines()
)


def write_files(folder: Path) -> None:
    """Make the files, each by the library that everybody makes it with, or by hand."""
    written(folder, "plans.pdf", a_pdf(Page(["Plans and prices"], PLANS)))
    written(folder, "营业时间.pdf", a_pdf(Page(["各门店营业时间"], SHOPS)))
    written(folder, "columns.pdf", a_columned_pdf(LEFT, RIGHT))
    written(folder, "scan.pdf", scanned(a_pdf(Page(SCAN))))
    _sheet(folder / "parts.xlsx", "Parts", PARTS)
    _sheet(folder / "运费.xlsx", "运费表", FEES)
    _page(folder / "rooms.docx", "Our rooms", ROOMS)
    _page(folder / "联系人.docx", "联系人", STAFF)


async def answered() -> list[tuple[Question, str, bool]]:
    """Each question with what was told, and whether that is right."""
    with tempfile.TemporaryDirectory(prefix="parley-documents-") as name:
        folder = Path(name)
        write_files(folder)
        async with a_base(drafts_of(folder)) as snapshot:
            return [_judged(snapshot, question) for question in QUESTIONS]


async def share_right() -> float:
    """The share of the questions that are answered from the right cell or sentence."""
    outcomes = [right for _, _, right in await answered()]
    return sum(outcomes) / len(outcomes)


def _judged(snapshot: Any, question: Question) -> tuple[Question, str, bool]:
    findings = search(snapshot, question.asked, limit=5)
    uris = {hit.passage.chunk_id: hit.passage.record.uri for hit in findings.hits}
    facts = answering(snapshot, question.asked, findings)
    if facts:
        fact, _ = facts[0]
        file, told = uris[fact.chunk_id], fact.value
        right = told == question.expects if fact.attribute else _plain(question.expects) in _plain(told)
    else:
        file, told = (findings.hits[0].passage.record.uri if findings.hits else ""), findings.quote
        right = _plain(question.expects) in _plain(told)
    return question, told, right and file.rpartition("/")[2] == question.file


def _plain(text: str) -> str:
    """Without white space, which OCR does not keep."""
    return "".join(text.split()).lower()


def _sheet(path: Path, title: str, rows: list[list[str]]) -> None:
    import openpyxl  # noqa: PLC0415 - only for this set

    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.append([title])
    for row in rows:
        sheet.append(row)
    book.save(path)


def _page(path: Path, title: str, rows: list[list[str]]) -> None:
    import docx  # noqa: PLC0415 - only for this set

    document = docx.Document()
    document.add_heading(title, 0)
    table = document.add_table(0, len(rows[0]))
    for row in rows:
        for cell, value in zip(table.add_row().cells, row, strict=True):
            cell.text = value
    document.save(str(path))


if __name__ == "__main__":
    import asyncio

    outcomes = asyncio.run(answered())
    for question, told, right in outcomes:
        if not right:
            print(f"{question.asked!r} of {question.file}: expected {question.expects!r}, told {told!r}")
    print(f"{sum(right for *_, right in outcomes)} of {len(outcomes)}")
