"""`make eval-knowledge`: what is found and how sure the product is, each figure beside its bar and its anchor.

Everything goes through the product's own ingest, store, index and search. Exits 1 when a bar is missed.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from evaluation import banking, cmrc, shop
from evaluation.bases import a_base, drafts_of
from evaluation.data import data_folder
from evaluation.examples import SEED, Example, all_examples
from evaluation.measures import Judged, calibration_error, gate, separation

THRESHOLDS: Final = (0.5, 0.6, 0.7, 0.8)
GATE: Final = 0.6  # where the bars of answerability are measured
WIDTH: Final = 130


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. A bar must be reached; an anchor is what others reached and only shown."""

    name: str
    value: float
    bar: float | None = None
    anchor: float | None = None

    @property
    def missed(self) -> bool:
        """Whether it falls short."""
        return self.bar is not None and self.value < self.bar


def main() -> None:
    """Measure, print, and say by the exit code whether every bar was reached."""
    missed = asyncio.run(_measure(data_folder(), Console(width=WIDTH)))
    sys.exit(1 if missed else 0)


async def _measure(data: Path, out: Console) -> list[Figure]:
    began = time.monotonic()
    figures = [*await _cmrc(data), *await _banking(data), *await _shop()]
    out.print(_figures("Found", figures))
    judged = [example async for halves in all_examples(data) for example in halves.report]
    sure = _answerability(judged)
    out.print(_figures(f"Sure, on the halves that nothing was fitted on (seed {SEED}), answering from {GATE:.0%}", sure))
    out.print(_thresholds(judged))
    missed = [figure for figure in [*figures, *sure] if figure.missed]
    for figure in missed:
        out.print(f"[red]below its bar: {figure.name} {figure.value:.3f} < {figure.bar}[/red]")
    out.print(f"{'all bars reached' if not missed else f'{len(missed)} bars missed'} ({time.monotonic() - began:.0f} s)")
    return missed


async def _cmrc(data: Path) -> list[Figure]:
    async with a_base(drafts_of(data / cmrc.FILE)) as snapshot:
        found = cmrc.retrieval(snapshot, cmrc.questions(data))
    name = f"CMRC2018 dev as retrieval, {found.questions} questions"
    return [
        Figure(f"{name}: R@1", found.r1, 0.965, 0.969),
        Figure(f"{name}: R@5", found.r5, None, 0.997),
        Figure(f"{name}: R@10", found.r10, None, 0.998),
        Figure(f"{name}: nDCG@10", found.ndcg, None, 0.986),
    ]


async def _banking(data: Path) -> list[Figure]:
    async with a_base(drafts_of(data / banking.DOCUMENTS)) as snapshot:
        found = banking.retrieval(snapshot, banking.tasks(data))
    name = f"tau2 banking_knowledge, {found.tasks} tasks, one search"
    return [
        Figure(f"{name}: recall@10", found.recall, None, 0.212),
        Figure(f"{name}: nDCG@10", found.ndcg, None, 0.225),
        Figure(f"{name}: tasks with a hit in 10", found.hit),
    ]


async def _shop() -> list[Figure]:
    async with a_base(drafts_of(shop.HANDBOOK)) as snapshot:
        asked = shop.questions()
        found = {lang: shop.retrieval(snapshot, [q for q in asked if q.language == lang]) for lang in ("zh", "en")}
    bars = {"zh": (0.55, 0.85), "en": (0.50, 0.80)}  # where it stands; held so that it does not fall back
    return [
        figure
        for language, one in found.items()
        for figure in (
            Figure(f"shop {language}, {one.questions} visitors' questions: R@1", one.r1, bars[language][0]),
            Figure(f"shop {language}, {one.questions} visitors' questions: R@5", one.r5, bars[language][1]),
        )
    ]


def _answerability(examples: Sequence[Example]) -> list[Figure]:
    bars = {("cmrc", "zh"): (0.85, 0.85), ("shop", "zh"): (0.75, 0.85), ("shop", "en"): (0.70, 0.80)}
    figures = []
    for (name, language), judged in _by_set(examples).items():
        at = gate(judged, GATE)
        precision, refused = bars.get((name, language), (None, None))
        figures.append(Figure(f"{name} {language}: answers given that are right", at.precision, precision))
        figures.append(Figure(f"{name} {language}: questions without an answer that are refused", at.refused, refused))
        figures.append(Figure(f"{name} {language}: questions with an answer that are answered", at.coverage))
    return figures


def _thresholds(examples: Sequence[Example]) -> Table:
    columns = ("set", "questions", "AUC", "ECE", *(f"from {t:.0%}: right / refused / answered" for t in THRESHOLDS))
    table = Table(*columns, title="Calibration, and what other thresholds give", title_justify="left")
    for (name, language), judged in _by_set(examples).items():
        gates = [gate(judged, threshold) for threshold in THRESHOLDS]
        cells = [f"{g.precision:.2f} / {g.refused:.2f} / {g.coverage:.2f}" for g in gates]
        scores = (f"{separation(judged):.3f}", f"{calibration_error(judged):.3f}")
        table.add_row(f"{name} {language}", str(len(judged)), *scores, *cells)
    return table


def _by_set(examples: Sequence[Example]) -> dict[tuple[str, str], list[Judged]]:
    sets: dict[tuple[str, str], list[Judged]] = {}
    for e in examples:
        sets.setdefault((e.set_name, e.language), []).append(Judged(e.probability, e.covered, e.right))
    return sets


def _figures(title: str, figures: Sequence[Figure]) -> Table:
    table = Table("figure", "value", "bar", "anchor", "", title=title, title_justify="left")
    for figure in figures:
        bar = "" if figure.bar is None else f"≥ {figure.bar}"
        anchor = "" if figure.anchor is None else f"{figure.anchor}"
        verdict = "[red]below[/red]" if figure.missed else "" if figure.bar is None else "ok"
        table.add_row(figure.name, f"{figure.value:.3f}", bar, anchor, verdict)
    return table


if __name__ == "__main__":
    main()
