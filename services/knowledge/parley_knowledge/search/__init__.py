"""Searching a snapshot: ranking, quoting, and the probability that there is an answer. Pure: no I/O, no clock."""

from parley_knowledge.search.answerability import FEATURES, Evidence, answerable, read_calibrations
from parley_knowledge.search.query import content_terms
from parley_knowledge.search.quote import Quote, best_quote, plain
from parley_knowledge.search.rank import Findings, Hit, search, search_on

__all__ = [
    "FEATURES",
    "Evidence",
    "Findings",
    "Hit",
    "Quote",
    "answerable",
    "best_quote",
    "content_terms",
    "plain",
    "read_calibrations",
    "search",
    "search_on",
]
