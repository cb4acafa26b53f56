"""CMRC2018 dev: 848 Chinese passages, 3,219 questions, each written by a person who read its one passage."""

import json
from dataclasses import dataclass
from pathlib import Path

from evaluation.bases import documents_found, id_of
from evaluation.measures import mean, ndcg_at, rank_of, recall_at
from parley_knowledge.documents import Draft
from parley_knowledge.index import Snapshot

FILE = Path("cmrc2018/cmrc2018_dev.json")


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the passage that it was asked about."""

    text: str
    passage: str


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How well the right passage was found."""

    questions: int
    r1: float
    r5: float
    r10: float
    ndcg: float


def questions(data: Path) -> list[Question]:
    """All questions, in the order of the file."""
    articles = json.loads((data / FILE).read_text("utf-8"))["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    return [Question(qa["question"], paragraph["id"]) for paragraph in paragraphs for qa in paragraph["qas"]]


def retrieval(snapshot: Snapshot, asked: list[Question]) -> Retrieval:
    """Ask everything once."""
    found = [[id_of(uri) for uri in documents_found(snapshot, q.text)[0]] for q in asked]
    ranks = [rank_of(q.passage, ids) for q, ids in zip(asked, found, strict=True)]
    gains = [ndcg_at(10, ids, frozenset({q.passage})) for q, ids in zip(asked, found, strict=True)]
    return Retrieval(len(asked), recall_at(1, ranks), recall_at(5, ranks), recall_at(10, ranks), mean(gains))


def halves(drafts: list[Draft]) -> tuple[list[Draft], list[Draft]]:
    """Every other passage, so that questions about the one half find no answer in the other."""
    return drafts[::2], drafts[1::2]
