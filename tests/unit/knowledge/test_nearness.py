"""Passages that mean the same are found beside those that say the same, and never at the cost of an answer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parley.core import Unavailable
from parley_knowledge.documents import Draft
from parley_knowledge.search import search
from parley_knowledge.vectors import Nearness
from parley_knowledge.vectors.faiss_store import FaissStore
from parley_knowledge.vectors.openai_embeddings import OpenAIEmbeddings, open_embeddings
from tests.unit.knowledge.embeddings import EmbeddingsServer, an_embeddings_server
from tests.unit.knowledge.handbook import DELIVERY_ZH, RETURNS_EN, RETURNS_ZH, a_snapshot

SAME_WORDS = Draft("zh/weather.md", "天气", "今天几号，多久下雨，要看天。")
QUESTION = "钱要多久"  # shares 多久 with the weather, and its meaning with refunds


@pytest.fixture
async def server() -> AsyncIterator[EmbeddingsServer]:
    async with an_embeddings_server() as running:
        yield running


@pytest.fixture
async def embedder(server: EmbeddingsServer) -> AsyncIterator[OpenAIEmbeddings]:
    async with open_embeddings(server.url, "passage-model", question_model="question-model") as opened:
        yield opened


@pytest.fixture
def nearness(embedder: OpenAIEmbeddings, tmp_path: Path) -> Nearness:
    return Nearness(embedder, FaissStore(tmp_path), languages=["zh"])


async def test_vectors_have_a_length_of_one_and_keep_their_order(
    server: EmbeddingsServer, embedder: OpenAIEmbeddings
) -> None:
    vectors = await embedder.passages(["refund money", *["parcel"] * 11])
    assert len(vectors) == 12
    assert vectors[0][0] > 0.9 > vectors[1][0]
    assert sum(x * x for x in vectors[0]) == pytest.approx(1)
    await embedder.question("钱")
    assert server.models == ["passage-model", "passage-model", "question-model"]


async def test_a_server_that_fails_is_said_to_be_unavailable(
    server: EmbeddingsServer, embedder: OpenAIEmbeddings
) -> None:
    server.status = 500
    with pytest.raises(Unavailable, match="passage-model"):
        await embedder.passages(["退款"])


async def test_what_means_the_same_rises_above_what_shares_a_word(nearness: Nearness) -> None:
    base = a_snapshot(SAME_WORDS, RETURNS_ZH, DELIVERY_ZH)
    await nearness.follow("demo", base)
    near = await nearness.near("demo", base, QUESTION, "zh")
    assert base.languages["zh"].passages[near[0]].record.uri == RETURNS_ZH.uri
    assert RETURNS_ZH.uri not in {h.passage.record.uri for h in search(base, QUESTION, limit=1).hits}
    found = search(base, QUESTION, limit=2, near=near).hits
    assert RETURNS_ZH.uri in {hit.passage.record.uri for hit in found}


async def test_only_new_passages_are_embedded_and_gone_ones_forgotten(
    server: EmbeddingsServer, nearness: Nearness
) -> None:
    await nearness.follow("demo", a_snapshot(RETURNS_ZH, DELIVERY_ZH))
    server.texts.clear()
    base = a_snapshot(RETURNS_ZH, SAME_WORDS)
    await nearness.follow("demo", base)
    assert len(server.texts) == 1
    near = await nearness.near("demo", base, "快递", "zh")
    assert {base.languages["zh"].passages[n].record.uri for n in near} == {RETURNS_ZH.uri, SAME_WORDS.uri}


async def test_a_language_that_the_model_does_not_know_is_never_touched(
    server: EmbeddingsServer, nearness: Nearness
) -> None:
    base = a_snapshot(RETURNS_EN)
    await nearness.follow("demo", base)
    assert server.texts == []
    assert await nearness.near("demo", base, "refund", "en") == []


async def test_tenants_never_share_vectors(nearness: Nearness) -> None:
    base = a_snapshot(RETURNS_ZH)
    await nearness.follow("demo", base)
    assert await nearness.near("rival", base, "退款", "zh") == []


async def test_words_alone_answer_while_the_server_is_away(server: EmbeddingsServer, nearness: Nearness) -> None:
    base = a_snapshot(RETURNS_ZH)
    await nearness.follow("demo", base)
    server.status = 503
    assert await nearness.near("demo", base, "退款", "zh") == []


async def test_another_model_embeds_everything_anew(
    server: EmbeddingsServer, nearness: Nearness, tmp_path: Path
) -> None:
    base = a_snapshot(RETURNS_ZH, DELIVERY_ZH)
    await nearness.follow("demo", base)
    server.texts.clear()
    async with open_embeddings(server.url, "a-newer-model") as newer:
        changed = Nearness(newer, FaissStore(tmp_path), languages=["zh"])
        await changed.follow("demo", base)
        assert len(server.texts) == 2
        assert await changed.near("demo", base, "退款", "zh")
