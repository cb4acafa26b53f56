"""tau2 banking_knowledge: 698 English help documents, 97 customers' tasks, each of which needs several documents."""

import json
from dataclasses import dataclass
from pathlib import Path

from evaluation.bases import documents_found, id_of
from evaluation.measures import mean, ndcg_at
from parley_knowledge.index import Snapshot
from parley_knowledge.search import search_on

DOCUMENTS = Path("tau2_banking_knowledge/documents")
TASKS = Path("tau2_banking_knowledge/tasks")
SEARCHES = 4


@dataclass(frozen=True, slots=True)
class Task:
    """What a customer wants, in the words of the customer's instructions, and the documents that it takes."""

    scenario: str
    required: frozenset[str]


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How many of the documents needed are among the first ten of one search."""

    tasks: int
    recall: float
    ndcg: float
    hit: float  # share of tasks with at least one
    recall_of_four: float  # of the documents needed, those that four searches of ten documents found


def tasks(data: Path) -> list[Task]:
    """All tasks that need any document."""
    read = [json.loads(path.read_text("utf-8")) for path in sorted((data / TASKS).glob("*.json"))]
    return [Task(_scenario(task), frozenset(task["required_documents"])) for task in read if task["required_documents"]]


def retrieval(snapshot: Snapshot, asked: list[Task]) -> Retrieval:
    """Search once for each task, with its whole scenario as the query."""
    found = [[id_of(uri) for uri in documents_found(snapshot, task.scenario)[0][:10]] for task in asked]
    hits = [len(task.required.intersection(ids)) for task, ids in zip(asked, found, strict=True)]
    return Retrieval(
        tasks=len(asked),
        recall=mean([hit / len(task.required) for task, hit in zip(asked, hits, strict=True)]),
        ndcg=mean([ndcg_at(10, ids, task.required) for task, ids in zip(asked, found, strict=True)]),
        hit=mean([hit > 0 for hit in hits]),
        recall_of_four=mean([_recall_of_four(snapshot, task) for task in asked]),
    )


def _recall_of_four(snapshot: Snapshot, task: Task) -> float:
    findings = search_on(snapshot, task.scenario, searches=SEARCHES, limit=10)
    found = {id_of(hit.passage.record.uri) for hit in findings.hits}
    return len(task.required & found) / len(task.required)


def _scenario(task: dict[str, dict[str, object]]) -> str:
    instructions = task["user_scenario"]["instructions"]
    return instructions if isinstance(instructions, str) else json.dumps(instructions, ensure_ascii=False)
