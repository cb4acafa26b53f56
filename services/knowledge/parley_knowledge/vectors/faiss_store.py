"""The default vector store: FAISS in process, exact up to 20,000 vectors, IVF with 8 bits a number beyond.

One file a collection, replaced whole. What was not saved is embedded again, so a lost file costs time and no knowledge.
"""

import asyncio
import json
import math
import os
import threading
from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from parley.core import Unavailable
from parley_knowledge.vectors.port import Entry, Near, Space, Stats

faiss: Any = _faiss  # its stubs know half of it
EXACT_UP_TO: Final = 20_000
MOST_LISTS: Final = 4096
PER_LIST: Final = 40  # vectors to train a list with; FAISS warns below 39
PROBES: Final = 16  # recall@10 0.988 at a million vectors of 384 numbers
Matrix = NDArray[np.float32]


class FaissStore:
    """A folder of collections. Calls run in a thread; one lock, since FAISS may not be changed while it is searched."""

    def __init__(self, folder: Path, *, exact_up_to: int = EXACT_UP_TO) -> None:
        self._folder = folder
        self._exact_up_to = exact_up_to
        self._lock = threading.Lock()
        self._open: dict[str, _Collection] = {}

    async def upsert(self, collection: str, space: Space, entries: Sequence[Entry]) -> None:
        """Add or replace vectors, then save."""
        await asyncio.to_thread(self._upsert, collection, space, entries)

    async def delete(self, collection: str, keys: Collection[str]) -> None:
        """Forget vectors, then save."""
        await asyncio.to_thread(self._delete, collection, keys)

    async def drop(self, collection: str) -> None:
        """Forget a collection and its file."""
        await asyncio.to_thread(self._drop, collection)

    async def search(
        self, collection: str, space: Space, vector: Sequence[float], limit: int, *, facts: Mapping[str, str] | None
    ) -> list[Near]:
        """The nearest, by cosine."""
        return await asyncio.to_thread(self._search, collection, space, vector, limit, facts or {})

    async def snapshot(self, collection: str) -> list[Entry]:
        """All entries, by key."""
        return await asyncio.to_thread(self._snapshot, collection)

    async def keys(self, collection: str) -> set[str]:
        """All keys."""
        return await asyncio.to_thread(self._all_keys, collection)

    async def stats(self, collection: str) -> Stats:
        """Count and space."""
        return await asyncio.to_thread(self._stats, collection)

    def _upsert(self, name: str, space: Space, entries: Sequence[Entry]) -> None:
        with self._lock:
            held = self._held(name)
            if held is None:
                held = self._open[name] = _Collection(space)
            held.space.must_be(space, name)
            held.put(entries)
            held.settle(self._exact_up_to)
            self._save(name, held)

    def _delete(self, name: str, keys: Collection[str]) -> None:
        with self._lock:
            if held := self._held(name):
                held.forget(keys)
                self._save(name, held)

    def _drop(self, name: str) -> None:
        with self._lock:
            self._open.pop(name, None)
            self._file(name).unlink(missing_ok=True)

    def _search(
        self, name: str, space: Space, vector: Sequence[float], limit: int, facts: Mapping[str, str]
    ) -> list[Near]:
        with self._lock:
            held = self._held(name)
            if held is None:
                return []
            held.space.must_be(space, name)
            return held.nearest(np.asarray([vector], np.float32), limit, facts)

    def _snapshot(self, name: str) -> list[Entry]:
        with self._lock:
            held = self._held(name)
            return held.entries() if held else []

    def _all_keys(self, name: str) -> set[str]:
        with self._lock:
            held = self._held(name)
            return set(held.rows) if held else set()

    def _stats(self, name: str) -> Stats:
        with self._lock:
            held = self._held(name)
            return Stats(len(held.rows), held.space) if held and held.rows else Stats(0)

    def _held(self, name: str) -> "_Collection | None":
        if name not in self._open and (file := self._file(name)).exists():
            try:
                self._open[name] = _Collection.read(file)
            except (OSError, ValueError, KeyError, RuntimeError) as error:
                raise Unavailable(
                    f"{file} cannot be read ({error}); remove it, and its passages are embedded anew"
                ) from None
        return self._open.get(name)

    def _save(self, name: str, held: "_Collection") -> None:
        file = self._file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(f".{os.getpid()}.part")
        with beside.open("wb") as out:
            held.write(out)
        beside.replace(file)

    def _file(self, name: str) -> Path:
        return self._folder / f"{blake2b(name.encode(), digest_size=12).hexdigest()}.npz"


class _Collection:
    """Vectors of one space with their keys. A row is a key's number in FAISS and never used twice."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.rows: dict[str, int] = {}
        self._keys: dict[int, str] = {}
        self._facts: dict[int, dict[str, str]] = {}
        self._next = 0
        self._index: Any = _exact(space.dimension)

    def put(self, entries: Sequence[Entry]) -> None:
        fresh = {entry.key: entry for entry in entries}  # of one key given twice the last one holds
        if not fresh:
            return
        self.forget(fresh)
        rows = np.arange(self._next, self._next + len(fresh), dtype=np.int64)
        self._index.add_with_ids(np.asarray([e.vector for e in fresh.values()], np.float32), rows)
        for row, entry in zip(rows.tolist(), fresh.values(), strict=True):
            self.rows[entry.key], self._keys[row], self._facts[row] = row, entry.key, dict(entry.facts)
        self._next += len(fresh)

    def forget(self, keys: Collection[str]) -> None:
        rows = [self.rows.pop(key) for key in keys if key in self.rows]
        if rows:
            self._index.remove_ids(np.asarray(rows, np.int64))
        for row in rows:
            del self._keys[row], self._facts[row]

    def nearest(self, vector: Matrix, limit: int, facts: Mapping[str, str]) -> list[Near]:
        if not self.rows:
            return []
        wanted = set(facts.items())
        among = [row for row, has in self._facts.items() if wanted <= has.items()] if wanted else None
        scores, rows = self._index.search(vector, min(limit, len(self.rows)), params=self._parameters(among))
        found = zip(rows[0].tolist(), scores[0].tolist(), strict=True)
        return [Near(self._keys[row], score) for row, score in found if row >= 0]

    def _parameters(self, among: list[int] | None) -> Any:
        chosen = None if among is None else faiss.IDSelectorBatch(np.asarray(among, np.int64))
        if isinstance(self._index, faiss.IndexIVF):
            return faiss.SearchParametersIVF(sel=chosen, nprobe=PROBES)
        return None if chosen is None else faiss.SearchParameters(sel=chosen)

    def settle(self, exact_up_to: int) -> None:
        """Move to lists once there are too many to look at each; a list needs vectors to be trained with."""
        if len(self.rows) <= exact_up_to or isinstance(self._index, faiss.IndexIVF):
            return
        rows, vectors = self._vectors()
        lists = min(MOST_LISTS, max(1, len(rows) // PER_LIST), 4 * math.isqrt(len(rows)))
        index = faiss.index_factory(self.space.dimension, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
        index.train(vectors)
        index.add_with_ids(vectors, rows)
        index.set_direct_map_type(faiss.DirectMap.Hashtable)
        self._index = index

    def entries(self) -> list[Entry]:
        rows, vectors = self._vectors()
        found = [
            Entry(self._keys[int(row)], vector.tolist(), dict(self._facts[int(row)]))
            for row, vector in zip(rows, vectors, strict=True)
        ]
        return sorted(found, key=lambda entry: entry.key)

    def _vectors(self) -> tuple[NDArray[np.int64], Matrix]:
        rows = np.fromiter(self._keys, np.int64, len(self._keys))
        vectors = [self._index.reconstruct(int(row)) for row in rows]
        return rows, np.asarray(vectors, np.float32).reshape(len(rows), self.space.dimension)

    def write(self, out: Any) -> None:
        told = {
            "model": self.space.model, "dimension": self.space.dimension, "next": self._next,
            "rows": self.rows, "facts": self._facts,
        }  # fmt: skip
        told_bytes = np.frombuffer(json.dumps(told).encode(), np.uint8)
        np.savez(out, index=faiss.serialize_index(self._index), told=told_bytes)

    @classmethod
    def read(cls, file: Path) -> "_Collection":
        with np.load(file, allow_pickle=False) as kept:
            told = json.loads(kept["told"].tobytes())
            held = cls(Space(told["model"], told["dimension"]))
            held._index = faiss.deserialize_index(kept["index"])
        held._next = told["next"]
        held.rows = dict(told["rows"])
        held._keys = {row: key for key, row in held.rows.items()}
        held._facts = {int(row): facts for row, facts in told["facts"].items()}
        return held


def _exact(dimension: int) -> Any:
    return faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
