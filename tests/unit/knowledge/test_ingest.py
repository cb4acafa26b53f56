import codecs
import json
import os
from pathlib import Path

import pytest

from parley_knowledge.documents import Draft
from parley_knowledge.ingest import Refusal, chunks_of, read_file, walk


def read(path: Path) -> list[Draft | Refusal]:
    return [one for found in walk(path) for one in read_file(found)]


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def the_draft(path: Path) -> Draft:
    (draft,) = read(path)
    assert isinstance(draft, Draft), draft
    return draft


def the_reason(path: Path) -> str:
    (refusal,) = read(path)
    assert isinstance(refusal, Refusal), refusal
    assert refusal.name == path.name
    return refusal.reason


def test_front_matter_gives_title_and_language(tmp_path: Path) -> None:
    draft = the_draft(written(tmp_path, "a.md", "---\ntitle: 退货政策\nlanguage: zh\n---\n# 别的\n七天内可退。"))
    assert (draft.title, draft.language, draft.text) == ("退货政策", "zh", "# 别的\n七天内可退。")


def test_the_first_heading_is_the_title_where_front_matter_names_none(tmp_path: Path) -> None:
    assert the_draft(written(tmp_path, "a.md", "intro\n\n# Opening hours\nNine to eight.")).title == "Opening hours"


def test_the_file_name_is_the_last_resort_for_a_title(tmp_path: Path) -> None:
    assert the_draft(written(tmp_path, "gift-cards.txt", "Gift cards are valid for a year.")).title == "gift cards"


def test_a_windows_file_with_byte_order_mark_and_crlf_reads_like_any_other(tmp_path: Path) -> None:
    content = codecs.BOM_UTF8 + "---\r\ntitle: 配送\r\n---\r\n两天送达。\r\n".encode()
    draft = the_draft(written(tmp_path, "a.md", content))
    assert (draft.title, draft.text.strip()) == ("配送", "两天送达。")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be"])
def test_chinese_is_read_in_any_usual_charset(tmp_path: Path, encoding: str) -> None:
    text = "本店商品签收后七天内可以无理由退货。\n运费由买家承担，VIP会员除外。"
    assert chunks_of(the_draft(written(tmp_path, "退货.txt", text.encode(encoding))).text)[0].text == text


def test_special_characters_of_plain_text_are_not_taken_for_markdown(tmp_path: Path) -> None:
    draft = the_draft(written(tmp_path, "a.txt", "size 5*3*2 <b> [x] _y_\n- not a list"))
    assert chunks_of(draft.text)[0].text == "size 5*3*2 <b> [x] _y_\n- not a list"


def test_short_lines_of_plain_text_stay_lines_and_wrapped_ones_flow(tmp_path: Path) -> None:
    short = the_draft(written(tmp_path, "a.txt", "电话：400-800\n地址：北京路1号"))
    assert chunks_of(short.text)[0].text == "电话：400-800\n地址：北京路1号"
    line = "Parcels leave our house on the day after they were paid for, and"
    wrapped = the_draft(written(tmp_path, "b.txt", f"{line}\narrive soon."))
    assert chunks_of(wrapped.text)[0].text == f"{line} arrive soon."


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.md", b"", "is empty"),
        ("a.md", b" \n\t\n", "is empty"),
        ("a.md", "\ufeff".encode("utf-16"), "is empty"),
        ("a.md", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, "is binary"),
        ("a.txt", b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff" + bytes(200), "is binary"),
        ("a.txt", "caf\u00e9 cr\u00e8me".encode("latin-1"), "save it as UTF-8"),
        ("a.md", "---\ntitle: [\n---\ntext", "front matter that is not YAML"),
        ("a.md", "---\njust words\n---\ntext", "front matter"),
        ("a.md", "---\ntitle: x\n---\n", "no text"),
        ("a.json", '{"title": "x", ', "is not JSON"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", "[]", "holds no documents"),
        ("a.json", '"just a string"', "holds no documents"),
        ("a.jsonl", '{"text": "ok"}\n{broken', "line 2"),
        ("a.psd", b"8BPS", "is of a kind that is not read"),
        ("a.txt", "#!/bin/sh\nrm -rf /", "is a script"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    assert reason in the_reason(written(tmp_path, name, content))


def test_a_huge_file_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.md"
    with path.open("wb") as file:
        file.truncate(11 * 1024 * 1024)
    assert "larger than 10 MB" in the_reason(path)


def test_a_document_that_no_message_could_carry_is_refused(tmp_path: Path) -> None:
    assert "5 MB" in the_reason(written(tmp_path, "a.txt", "退款三天到账。" * 300_000))


def test_a_file_that_may_not_be_read_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    os.symlink(tmp_path / "nowhere.md", tmp_path / "a.md")
    written(tmp_path, "b.md", "# 配送\n两天送达。")
    broken, draft = read(tmp_path)
    assert isinstance(broken, Refusal)
    assert "cannot be read" in broken.reason
    assert isinstance(draft, Draft)


def test_a_folder_is_walked_in_order_and_names_its_documents_by_their_way(tmp_path: Path) -> None:
    folder = tmp_path / "handbook"
    for name in ("zh/b.md", "zh/a.md", "en/c.txt", ".git/config.md", "zh/.draft.md"):
        written(folder, name, "text")
    assert [one.uri for one in walk(folder)] == ["handbook/en/c.txt", "handbook/zh/a.md", "handbook/zh/b.md"]


def test_json_records_use_whatever_names_their_fields_have(tmp_path: Path) -> None:
    records = [{"id": "r1", "title": "退货", "content": "七天。"}, {"question": "Open?", "answer": "Nine to eight."}]
    first, second = read(written(tmp_path, "faq.json", json.dumps(records)))
    assert isinstance(first, Draft)
    assert isinstance(second, Draft)
    assert (first.uri, first.title, first.text) == ("faq.json#r1", "退货", "七天。")
    assert (second.uri, second.title, second.text) == ("faq.json#2", "Open?", "Nine to eight.")


def test_a_record_without_text_is_refused_by_name_and_its_neighbours_stay(tmp_path: Path) -> None:
    records = [{"title": "empty"}, {"title": "配送", "text": "两天。"}, 7]
    bad, good, number = read(written(tmp_path, "a.json", json.dumps({"articles": records})))
    assert isinstance(good, Draft)
    assert isinstance(bad, Refusal)
    assert isinstance(number, Refusal)
    assert (bad.name, number.name) == ("a.json#1", "a.json#3")


def test_json_lines_hold_one_document_a_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"text": "一"}\n\n{"text": "二"}\n')
    assert [one.text for one in read(path) if isinstance(one, Draft)] == ["一", "二"]


def test_a_question_answering_set_gives_its_passages_without_its_questions(tmp_path: Path) -> None:
    paragraphs = [{"id": "P1", "context": "长江长6300公里。", "qas": [{"question": "长江多长？"}]}]
    data = {"version": "v1.0", "data": [{"title": "长江", "paragraphs": paragraphs}, {"title": "broken"}]}
    draft, refusal = read(written(tmp_path, "cmrc.json", json.dumps(data)))
    assert isinstance(draft, Draft)
    assert (draft.uri, draft.title, draft.text) == ("cmrc.json#P1", "长江", "长江长6300公里。")
    assert isinstance(refusal, Refusal)
