"""Planted facts on the shop's handbook: how many are caught, and how many faithful answers are held back in vain."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from parley_ai_engine.guards.provenance import ProvenanceFilter, Support
from parley_ai_engine.guards.words import Blocked

HANDBOOK = Path(__file__).parents[2] / "examples" / "shop" / "handbook"
CASES = Path(__file__).with_name("provenance.jsonl")
PIECE = 3  # characters at a time, as a model streams


@dataclass(frozen=True, slots=True)
class Case:
    """One article, a faithful answer in other words, and answers of which each states one thing that is not in it."""

    language: str
    article: str
    question: str
    answer: str
    planted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Caught:
    """Shares, and the answers that were judged wrongly."""

    planted: int
    caught: float
    faithful: int
    alarms: float
    missed: tuple[str, ...]
    alarmed: tuple[str, ...]


def cases() -> list[Case]:
    """All, in the order of the file."""
    read = [json.loads(line) for line in CASES.read_text("utf-8").splitlines() if line.strip()]
    return [Case(**{**one, "planted": tuple(one["planted"])}) for one in read]


def measure() -> Caught:
    """Stream every answer through the guard."""
    planted = [(case, text) for case in cases() for text in case.planted]
    missed = [text for case, text in planted if not held_back(case, text)]
    alarmed = [case.answer for case in cases() if held_back(case, case.answer)]
    faithful = len(cases())
    return Caught(
        len(planted),
        1 - len(missed) / len(planted),
        faithful,
        len(alarmed) / faithful,
        tuple(missed),
        tuple(alarmed),
    )


def held_back(case: Case, answer: str) -> bool:
    """Whether the guard stops the answer."""
    article = (HANDBOOK / case.language / f"{case.article}.md").read_text("utf-8").split("---", 2)[2]
    guard = ProvenanceFilter(Support.of([article], [case.question]))
    try:
        for at in range(0, len(answer), PIECE):
            guard.write(answer[at : at + PIECE])
        guard.finish()
    except Blocked:
        return True
    return False


def across_languages() -> Caught:
    """A set that nobody wrote for this: each article's paragraphs, held to the same article in the other language.

    The translation is faithful, so whatever is stopped is stopped in vain. Planted: each number of a paragraph in
    turn replaced by one that stands in neither language's article.
    """
    faithful, alarmed, planted, missed = 0, [], 0, []
    for language, other in (("zh", "en"), ("en", "zh")):
        for path in sorted((HANDBOOK / language).glob("*.md")):
            if not (HANDBOOK / other / path.name).exists():
                continue
            case = Case(other, path.stem, "", "", ())
            for paragraph in _paragraphs(path):
                faithful += 1
                if held_back(case, paragraph):
                    alarmed.append(f"{path.stem}: {paragraph}")
                    continue
                for changed in _changed(paragraph):
                    planted += 1
                    if not held_back(case, changed):
                        missed.append(f"{path.stem}: {changed}")
    return Caught(planted, 1 - len(missed) / planted, faithful, len(alarmed) / faithful, tuple(missed), tuple(alarmed))


def _paragraphs(path: Path) -> list[str]:
    body = path.read_text("utf-8").split("---", 2)[2]
    return [line.strip() for line in body.splitlines() if any(c.isdigit() for c in line)]


def _changed(paragraph: str) -> list[str]:
    """One copy for each number, 37 added: no article has such values by accident."""
    numbers = [match for match in re.finditer(r"\d+", paragraph) if not match[0].startswith("0")]
    return [f"{paragraph[: n.start()]}{int(n[0]) + 37}{paragraph[n.end() :]}" for n in numbers]
