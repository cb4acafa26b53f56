"""Questions with what is true of their first passage: what answerability is fitted on, and judged on.

Each set is cut in two by a fixed seed before anything is fitted: one half to fit, the other to report.
"""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from evaluation import banking, cmrc, shop
from evaluation.bases import a_base, documents_found, drafts_of, id_of
from parley_knowledge.index import Snapshot
from parley_knowledge.search import Evidence

SEED: Final = 20_260_101
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Example:
    """One question asked of one base."""

    set_name: str
    language: str
    evidence: Evidence
    probability: float  # as the product gives it now
    covered: bool  # some document of the base answers it
    right: bool  # the first passage is of that document


@dataclass(frozen=True, slots=True)
class Halves:
    """The examples of all sets."""

    fit: list[Example]
    report: list[Example]


async def shop_examples() -> Halves:
    """The shop's questions on the shop's handbook."""
    async with a_base(drafts_of(shop.HANDBOOK)) as snapshot:
        asked = shop.questions()
        return _halved([_example("shop", snapshot, q.text, q.article) for q in asked])


async def cmrc_examples(data: Path) -> Halves:
    """CMRC's questions on every other passage only: about half of them have no answer there."""
    kept, _ = cmrc.halves(drafts_of(data / cmrc.FILE))
    known = {id_of(draft.uri) for draft in kept}
    async with a_base(kept) as snapshot:
        asked = cmrc.questions(data)
        return _halved(
            [_example("cmrc", snapshot, q.text, q.passage if q.passage in known else "") for q in asked]
        )


async def banking_examples(data: Path) -> Halves:
    """Titles of English help documents as questions on every other document, which itself has lost its title."""
    drafts = drafts_of(data / banking.DOCUMENTS)
    kept = drafts[::2]
    known = {draft.uri for draft in kept}
    async with a_base([replace(draft, title="Help") for draft in kept]) as snapshot:
        return _halved(
            [_example("banking", snapshot, d.title, id_of(d.uri) if d.uri in known else "") for d in drafts]
        )


async def all_examples(data: Path) -> AsyncIterator[Halves]:
    """Every set, one after another."""
    yield await shop_examples()
    yield await cmrc_examples(data)
    yield await banking_examples(data)


def _example(name: str, snapshot: Snapshot, query: str, gold: str) -> Example | None:
    found, findings = documents_found(snapshot, query)
    if findings.evidence is None:
        return None
    right = bool(gold) and id_of(found[0]) == gold
    return Example(name, findings.language, findings.evidence, findings.answerable, bool(gold), right)


def _halved(examples: Sequence[Example | None]) -> Halves:
    """Cut within each language and kind, so that both halves are alike."""
    fit: list[Example] = []
    report: list[Example] = []
    chance = random.Random(SEED)
    asked = [example for example in examples if example is not None]
    for kind in sorted({(e.language, e.covered) for e in asked}):
        alike = [e for e in asked if (e.language, e.covered) == kind]
        chance.shuffle(alike)
        fit.extend(alike[::2])
        report.extend(alike[1::2])
    return Halves(fit, report)
