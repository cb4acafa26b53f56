"""The figures of retrieval and of a calibrated probability, by their textbook definitions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


def rank_of(gold: str, found: Sequence[str]) -> int:
    """From 1; 0 when it was not found."""
    return found.index(gold) + 1 if gold in found else 0


def recall_at(k: int, ranks: Sequence[int]) -> float:
    """Share of questions whose one right document is among the first k."""
    return sum(0 < rank <= k for rank in ranks) / len(ranks)


def ndcg_at(k: int, found: Sequence[str], gold: frozenset[str]) -> float:
    """Discounted gain of the first k, binary relevance, against the best order there could be."""
    gain = sum(1 / math.log2(place + 1) for place, one in enumerate(found[:k], 1) if one in gold)
    best = sum(1 / math.log2(place + 1) for place in range(1, min(k, len(gold)) + 1))
    return gain / best if best else 0.0


def mean(values: Sequence[float]) -> float:
    """The mean; zero of nothing."""
    return sum(values) / len(values) if values else 0.0


@dataclass(frozen=True, slots=True)
class Judged:
    """A question with the probability that it was given, and what is true of it."""

    probability: float
    covered: bool  # some document answers it
    right: bool  # the first passage is of a document that answers it


@dataclass(frozen=True, slots=True)
class Gate:
    """What comes of answering only what is at least as sure as a threshold."""

    answered: int
    precision: float  # of the answers given, those from a right document
    refused: float  # share of the questions without an answer that were not answered
    coverage: float  # share of the questions with an answer that were answered


def gate(judged: Sequence[Judged], threshold: float) -> Gate:
    """Judge a threshold."""
    given = [j for j in judged if j.probability >= threshold]
    foreign = [j for j in judged if not j.covered]
    covered = [j for j in judged if j.covered]
    return Gate(
        answered=len(given),
        precision=mean([j.right for j in given]) if given else 1.0,
        refused=mean([j.probability < threshold for j in foreign]),
        coverage=mean([j.probability >= threshold for j in covered]),
    )


def calibration_error(judged: Sequence[Judged], bins: int = 10) -> float:
    """Expected calibration error: how far the probabilities are from how often the first passage is right."""
    total = 0.0
    for low in range(bins):
        inside = [
            j for j in judged if low / bins <= j.probability < (low + 1) / bins or (j.probability == 1 == low + 1)
        ]
        if inside:
            gap = abs(mean([j.probability for j in inside]) - mean([j.right for j in inside]))
            total += gap * len(inside) / len(judged)
    return total


def separation(judged: Sequence[Judged]) -> float:
    """Area under the ROC curve: how often a right first passage is surer than a wrong one."""
    right = sorted(j.probability for j in judged if j.right)
    wrong = [j.probability for j in judged if not j.right]
    if not right or not wrong:
        return 1.0
    import bisect  # noqa: PLC0415 - used here alone

    wins = sum(
        len(right)
        - bisect.bisect_right(right, w)
        + 0.5 * (bisect.bisect_right(right, w) - bisect.bisect_left(right, w))
        for w in wrong
    )
    return wins / (len(right) * len(wrong))
