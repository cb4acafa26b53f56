"""What every vector store does; each adapter is one line in STORES."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from parley.core import Invalid
from parley_knowledge.vectors import Entry, Space, Stats, VectorStore
from parley_knowledge.vectors.faiss_store import FaissStore
from parley_knowledge.vectors.port import migrate

SPACE = Space("a-model", 4)
ZH, EN = "shop/zh", "shop/en"
NORTH, EAST, UP, NORTH_EAST = [1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0.8, 0.6, 0, 0]

Opens = Callable[[Path], AbstractAsyncContextManager[VectorStore]]


@asynccontextmanager
async def faiss_exact(folder: Path) -> AsyncIterator[VectorStore]:
    yield FaissStore(folder)


@asynccontextmanager
async def faiss_lists(folder: Path) -> AsyncIterator[VectorStore]:
    yield FaissStore(folder, exact_up_to=0)


STORES: dict[str, Opens] = {"faiss": faiss_exact, "faiss-ivf": faiss_lists}


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VectorStore]:
    async with STORES[request.param](tmp_path) as opened:
        yield opened


def entries() -> list[Entry]:
    return [
        Entry("north", NORTH, {"audience": "public"}),
        Entry("east", EAST, {"audience": "staff"}),
        Entry("up", UP, {"audience": "staff"}),
    ]


async def test_the_nearest_come_first_with_their_cosine(store: VectorStore) -> None:
    await store.upsert(ZH, SPACE, entries())
    found = await store.search(ZH, SPACE, NORTH_EAST, 2, facts=None)
    assert [near.key for near in found] == ["north", "east"]
    assert [near.score for near in found] == pytest.approx([0.8, 0.6], abs=0.02)


async def test_facts_filter_before_anything_is_scored(store: VectorStore) -> None:
    await store.upsert(ZH, SPACE, entries())
    found = await store.search(ZH, SPACE, NORTH, 1, facts={"audience": "staff"})
    assert next(near.key for near in found) in {"east", "up"}
    assert await store.search(ZH, SPACE, NORTH, 5, facts={"audience": "nobody"}) == []


async def test_the_same_key_is_replaced_not_doubled(store: VectorStore) -> None:
    await store.upsert(ZH, SPACE, entries())
    await store.upsert(ZH, SPACE, [Entry("north", UP, {"audience": "staff"})])
    assert await store.stats(ZH) == Stats(3, SPACE)
    assert (await store.search(ZH, SPACE, NORTH, 1, facts={"audience": "public"})) == []


async def test_what_is_deleted_is_never_found_again(store: VectorStore) -> None:
    await store.upsert(ZH, SPACE, entries())
    await store.delete(ZH, {"north", "unknown"})
    assert "north" not in {near.key for near in await store.search(ZH, SPACE, NORTH, 5, facts=None)}
    assert await store.keys(ZH) == {"east", "up"}


async def test_collections_never_see_each_other(store: VectorStore) -> None:
    await store.upsert(ZH, SPACE, entries())
    await store.upsert("rival/zh", SPACE, [Entry("secret", NORTH)])
    assert {near.key for near in await store.search(ZH, SPACE, NORTH, 9, facts=None)} == {"north", "east", "up"}
    await store.drop("rival/zh")
    assert await store.stats(ZH) == Stats(3, SPACE)
    assert await store.stats("rival/zh") == Stats(0)


async def test_vectors_of_two_models_are_never_mixed(store: VectorStore) -> None:
    await store.upsert(ZH, SPACE, entries())
    other = Space("another-model", 4)
    with pytest.raises(Invalid, match="a-model"):
        await store.upsert(ZH, other, [Entry("x", NORTH)])
    with pytest.raises(Invalid, match="a-model"):
        await store.search(ZH, other, NORTH, 1, facts=None)


async def test_an_empty_collection_answers_with_nothing(store: VectorStore) -> None:
    assert await store.search(EN, SPACE, NORTH, 3, facts=None) == []
    assert await store.stats(EN) == Stats(0)
    assert await store.snapshot(EN) == []
    await store.delete(EN, {"x"})
    await store.drop(EN)


async def test_a_snapshot_holds_keys_vectors_and_facts(store: VectorStore) -> None:
    await store.upsert(ZH, SPACE, entries())
    taken = await store.snapshot(ZH)
    assert [(entry.key, dict(entry.facts)) for entry in taken] == [
        ("east", {"audience": "staff"}), ("north", {"audience": "public"}), ("up", {"audience": "staff"}),
    ]  # fmt: skip
    assert list(taken[1].vector) == pytest.approx(NORTH, abs=0.02)


async def test_a_collection_moves_to_another_store_whole(store: VectorStore, tmp_path: Path) -> None:
    await store.upsert(ZH, SPACE, entries())
    target = FaissStore(tmp_path / "target")
    assert await migrate(store, target, ZH) == 3
    assert await target.keys(ZH) == {"north", "east", "up"}
    assert await migrate(store, target, EN) == 0


@pytest.mark.parametrize("exact_up_to", [0, 20_000])
async def test_faiss_finds_all_again_after_a_restart(tmp_path: Path, exact_up_to: int) -> None:
    before = FaissStore(tmp_path, exact_up_to=exact_up_to)
    await before.upsert(ZH, SPACE, entries())
    await before.delete(ZH, {"up"})
    after = FaissStore(tmp_path, exact_up_to=exact_up_to)
    assert await after.stats(ZH) == Stats(2, SPACE)
    await after.upsert(ZH, SPACE, [Entry("up", UP)])
    assert [near.key for near in await after.search(ZH, SPACE, UP, 1, facts=None)] == ["up"]
