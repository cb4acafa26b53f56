"""Questions with what is true of their first passage: what answerability is fitted on, and judged on.

Each set is cut in two by a fixed seed before anything is fitted: one half to fit, the other to report.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from evaluation import banking, cmrc, shop
from evaluation.bases import a_base, documents_found, drafts_of, id_of
from parley_knowledge.index import Snapshot
from parley_knowledge.search import Evidence

SEED: Final = 20_260_101


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
    """Examples to fit on, and others to report on."""

    fit: list[Example]
    report: list[Example]


async def shop_examples() -> list[Example]:
    """The shop's questions on the shop's handbook."""
    async with a_base(drafts_of(shop.HANDBOOK)) as snapshot:
        asked = shop.questions()
        return _answered(_example("shop", snapshot, q.text, q.article) for q in asked)


async def held_out_examples() -> list[Example]:
    """The held-out questions on the shop's handbook: judged, never fitted on."""
    async with a_base(drafts_of(shop.HANDBOOK)) as snapshot:
        asked = shop.questions(shop.HELD_OUT)
        return [_example("shop", snapshot, q.text, q.article) or _nothing(q.language, q.article) for q in asked]


async def cmrc_examples(data: Path) -> list[Example]:
    """CMRC's questions on every other passage only: about half of them have no answer there."""
    kept, _ = cmrc.halves(drafts_of(data / cmrc.FILE))
    known = {id_of(draft.uri) for draft in kept}
    async with a_base(kept) as snapshot:
        asked = cmrc.questions(data)
        return _answered(_example("cmrc", snapshot, q.text, q.passage if q.passage in known else "") for q in asked)


async def banking_examples(data: Path) -> list[Example]:
    """Titles of English help documents as questions on every other document, which itself has lost its title."""
    drafts = drafts_of(data / banking.DOCUMENTS)
    kept = drafts[::2]
    known = {draft.uri for draft in kept}
    async with a_base([replace(draft, title="Help") for draft in kept]) as snapshot:
        return _answered(_example("banking", snapshot, d.title, id_of(d.uri) if d.uri in known else "") for d in drafts)


async def all_examples(data: Path) -> list[Example]:
    """Every set, each question asked once."""
    return [*await shop_examples(), *await cmrc_examples(data), *await banking_examples(data)]


def _example(name: str, snapshot: Snapshot, query: str, gold: str) -> Example | None:
    found, findings = documents_found(snapshot, query)
    if findings.evidence is None:
        return None
    right = bool(gold) and id_of(found[0]) == gold
    return Example(name, findings.language, findings.evidence, findings.answerable, bool(gold), right)


def _nothing(language: str, gold: str) -> Example:
    """A question of which nothing was found: it is refused."""
    return Example("shop", language, Evidence(0, 0, 0, 0, 0), 0.0, bool(gold), False)


def _answered(examples: Iterable[Example | None]) -> list[Example]:
    return [example for example in examples if example is not None]


def halves_of(examples: Sequence[Example], seed: int = SEED) -> Halves:
    """Cut by a seed, within each set, language and kind, so that both halves are alike."""
    halves = Halves([], [])
    chance = random.Random(seed)
    for kind in sorted({_kind(e) for e in examples}):
        alike = [e for e in examples if _kind(e) == kind]
        chance.shuffle(alike)
        halves.fit.extend(alike[::2])
        halves.report.extend(alike[1::2])
    return halves


def _kind(example: Example) -> tuple[str, str, bool]:
    return example.set_name, example.language, example.covered
