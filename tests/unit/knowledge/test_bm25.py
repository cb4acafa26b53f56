import random

import bm25s
import numpy as np

from parley_knowledge.index import terms
from parley_knowledge.index.bm25 import K1, B, Bm25, Vocabulary, count


def an_index(*texts: str) -> Bm25:
    vocabulary: Vocabulary = {}
    return Bm25([count(terms(text), vocabulary) for text in texts], vocabulary)


def test_scores_are_those_of_bm25s_own_builder() -> None:
    chance = random.Random(7)
    words = [f"词{n}" if n % 2 else f"word{n}" for n in range(60)]
    texts = [" ".join(chance.choices(words, k=chance.randint(3, 80))) for _ in range(40)]
    theirs = bm25s.BM25(k1=K1, b=B, method="lucene")
    theirs.index([terms(text) for text in texts], show_progress=False)
    ours = an_index(*texts)
    for query in ("词1 word2", "word4 word4 词5", "词59 nothing known"):
        np.testing.assert_allclose(ours.scores(terms(query)), theirs.get_scores(terms(query)), rtol=1e-5)


def test_a_query_without_known_terms_scores_nothing() -> None:
    index = an_index("退款三天到账", "open at nine")
    assert index.best(terms("火星"), 5) == []
    assert index.best([], 5) == []


def test_an_empty_index_finds_nothing() -> None:
    assert Bm25([], {}).best(["退款"], 5) == []


def test_equal_passages_rank_in_their_order() -> None:
    index = an_index("退款", "配送", "退款", "退款")
    assert [position for position, _ in index.best(terms("退款"), 2)] == [0, 2]


def test_an_unknown_term_tells_more_than_any_known_one() -> None:
    index = an_index("退款", "退款 配送")
    assert index.idf("火星") > index.idf("配送") > index.idf("退款")


def test_terms_that_joined_the_vocabulary_later_are_unknown_to_an_older_index() -> None:
    vocabulary: Vocabulary = {}
    older = Bm25([count(terms("退款"), vocabulary)], vocabulary)
    Bm25([count(terms("退款"), vocabulary), count(terms("发票"), vocabulary)], vocabulary)
    assert older.best(terms("发票"), 5) == []


def test_a_query_of_thousands_of_words_is_answered() -> None:
    assert an_index("退款", "invoice").best(terms("退款 invoice " * 4000), 1)


def test_what_a_passage_holds_is_known_without_reading_it_again() -> None:
    index = an_index("退款 三天", "invoice")
    assert index.held(0, terms("退款 invoice 火星")) == frozenset(terms("退款"))
    assert index.held(1, ["invoic", "退款"]) == {"invoic"}
    assert index.held(1, []) == frozenset()
