"""The shop's own questions: visitors' words, far from the handbook's text, with and without an answer in it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.bases import TENANT, documents_found, id_of, vectors_of
from evaluation.measures import mean, ndcg_at, rank_of, recall_at
from parley_knowledge.index import Snapshot

HANDBOOK = Path("examples/shop/handbook")
QUESTIONS = Path("examples/shop/questions.jsonl")
HELD_OUT = Path("examples/shop/paraphrases.jsonl")  # nothing was chosen, fitted or worded by these


@dataclass(frozen=True, slots=True)
class Question:
    """A question; `article` is empty where the handbook has no answer."""

    text: str
    language: str
    article: str


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How well the right article was found."""

    questions: int
    r1: float
    r5: float
    r10: float
    ndcg: float


def questions(path: Path = QUESTIONS) -> list[Question]:
    """All questions, in the order of the file."""
    lines = path.read_text("utf-8").splitlines()
    read = [json.loads(line) for line in lines if line.strip()]
    return [Question(one["question"], one["language"], one["article"] or "") for one in read]


async def nearest(snapshot: Snapshot, asked: list[Question]) -> dict[str, list[int]] | None:
    """What means the same as each question, where a server of embeddings is named."""
    async with vectors_of(snapshot) as vectors:
        if vectors is None:
            return None
        return {q.text: await vectors.near(TENANT, snapshot, q.text, q.language) for q in asked if q.article}


def retrieval(snapshot: Snapshot, asked: list[Question], near: Mapping[str, Sequence[int]] | None = None) -> Retrieval:
    """Ask those that have an answer; `near` are the positions of what means the same, by question."""
    covered = [q for q in asked if q.article]
    close = near or {}
    found = [[id_of(u) for u in documents_found(snapshot, q.text, near=close.get(q.text, ()))[0]] for q in covered]
    ranks = [rank_of(q.article, ids) for q, ids in zip(covered, found, strict=True)]
    gains = [ndcg_at(10, ids, frozenset({q.article})) for q, ids in zip(covered, found, strict=True)]
    return Retrieval(len(covered), recall_at(1, ranks), recall_at(5, ranks), recall_at(10, ranks), mean(gains))
