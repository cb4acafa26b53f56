"""JSON: records with a title and a text, lists of them, lines of them, and question answering sets such as CMRC."""

import json
from collections.abc import Iterator
from typing import Any, Final

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.markdown import escaped
from parley_knowledge.ingest.refusal import Refusal, Refused

TEXTS: Final = ("content", "text", "body", "answer", "article", "passage", "markdown")
TITLES: Final = ("title", "name", "question", "heading", "subject")
IDS: Final = ("id", "document_id", "doc_id", "uri", "url", "key", "slug")
LANGUAGES: Final = ("language", "lang", "locale")
LISTS: Final = ("documents", "articles", "items", "records", "faqs", "data")


def read_json(text: str, uri: str, stem: str, *, lines: bool = False) -> Iterator[Draft | Refusal]:
    """The documents of a JSON file, or of JSON lines. Raises Refused when nothing in it can be read."""
    value = _parsed_lines(text) if lines else _parsed(text, "")
    if isinstance(value, dict) and _is_question_answering(value):
        yield from _passages(value["data"], uri)
    elif isinstance(value, dict) and _first(value, TEXTS):
        yield _draft(value, uri, stem)
    else:
        yield from _records(_listed(value), uri)


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Refused(f"is not JSON: {error.msg} in {place or f'line {error.lineno}'}") from None
    except RecursionError:
        raise Refused("is JSON that is nested too deeply") from None


def _parsed_lines(text: str) -> list[Any]:
    numbered = enumerate(text.splitlines(), 1)
    return [_parsed(line, f"line {number}") for number, line in numbered if line.strip()]


def _listed(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = next((value[name] for name in LISTS if isinstance(value.get(name), list)), None)
    if not isinstance(value, list) or not value:
        raise Refused(f"holds no documents; expected objects with a title and one of {', '.join(TEXTS)}")
    return value


def _records(values: list[Any], uri: str) -> Iterator[Draft | Refusal]:
    for number, value in enumerate(values, 1):
        if isinstance(value, dict) and _first(value, TEXTS):
            yield _draft(value, f"{uri}#{_first(value, IDS) or number}", str(number))
        else:
            yield Refusal(f"{uri}#{number}", f"has no text; expected one of {', '.join(TEXTS)}")


def _draft(record: dict[str, Any], uri: str, stem: str) -> Draft:
    return Draft(uri, _first(record, TITLES) or stem, _first(record, TEXTS), _first(record, LANGUAGES))


def _first(record: dict[str, Any], names: tuple[str, ...]) -> str:
    found = (record.get(name) for name in names)
    return next((str(value).strip() for value in found if isinstance(value, str | int) and str(value).strip()), "")


def _is_question_answering(value: dict[str, Any]) -> bool:
    data = value.get("data")
    return isinstance(data, list) and bool(data) and isinstance(data[0], dict) and "paragraphs" in data[0]


def _passages(articles: list[Any], uri: str) -> Iterator[Draft | Refusal]:
    """SQuAD's form: articles with paragraphs, each with its context. The questions are not knowledge."""
    for number, article in enumerate(articles, 1):
        paragraphs = article.get("paragraphs") if isinstance(article, dict) else None
        if not isinstance(paragraphs, list):
            yield Refusal(f"{uri}#{number}", "is an article without paragraphs")
            continue
        for place, paragraph in enumerate(paragraphs, 1):
            name = f"{uri}#{_first(paragraph, IDS) or f'{number}.{place}'}"
            context = _first(paragraph, ("context",))
            title = _first(article, TITLES) or str(number)
            yield Draft(name, title, escaped(context)) if context else Refusal(name, "is a paragraph without context")
