"""What is searched: terms of texts, BM25 over passages, and the snapshot of a tenant's knowledge."""

from parley_knowledge.index.concepts import MARK, Thesaurus, indexed_terms, read_thesaurus, thesaurus
from parley_knowledge.index.shelf import LanguageIndex, Passage, Shelf, Snapshot
from parley_knowledge.index.tokens import normalised, terms

__all__ = [
    "MARK",
    "LanguageIndex",
    "Passage",
    "Shelf",
    "Snapshot",
    "Thesaurus",
    "indexed_terms",
    "normalised",
    "read_thesaurus",
    "terms",
    "thesaurus",
]
