"""How fast the session store commits: batches of sessions from several shards at once, and how the loop feels it.

python benchmarks/store_commit.py [--url sqlite:////tmp/x.db | mongodb://…] [--batch 50] [--seconds 5] [--writers 4]
"""

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from pathlib import Path

from msgspec import structs

from parley_session_router.store import (
    OutboxEntry,
    SentMark,
    SessionCommit,
    SessionRecord,
    SessionStore,
    StreamEntry,
    open_store,
)

STATE = "我想退款，订单已经签收三天了。".encode() * 12  # about 540 bytes of dialogue
EVENT = "您好，七天内可以无理由退货，运费由我们承担。".encode() * 4  # about 260 bytes


def a_record(writer: int, number: int) -> SessionRecord:
    return SessionRecord(
        tenant="bench",
        session=f"ses_{writer:02}_{number:05}",
        shard=writer,
        version=0,
        shard_epoch=1,
        state=STATE,
        status="open",
        epoch=1,
        head_seq=0,
        channel="web",
        opened_at=1.0,
    )


def next_commit(record: SessionRecord, keep_ids: int) -> SessionCommit:
    seq = record.head_seq + 1
    key = f"web\x1f{record.session}\x1f{seq}"
    changed = structs.replace(
        record,
        version=record.version + 1,
        head_seq=seq,
        pending=tuple(OutboxEntry(seq * 3 + n, "events", "message.stored", "MessageStored", EVENT) for n in range(3)),
        recent_ids=bytes(16 * keep_ids),
        due_at=time.time() + 30,
        changed_at=time.time(),
    )
    return SessionCommit(changed, (StreamEntry(seq, f"msg_{seq}", EVENT, time.time(), key),))


async def write(store: SessionStore, writer: int, batch: int, until: float, took: list[float], clear: bool) -> int:
    records = [a_record(writer, number) for number in range(batch * 4)]
    turns = itertools.cycle(range(4))
    done = 0
    while time.perf_counter() < until:
        part = slice((turn := next(turns)) * batch, (turn + 1) * batch)
        commits = [next_commit(record, 16) for record in records[part]]
        started = time.perf_counter()
        stored = await store.commit(commits)
        took.append(time.perf_counter() - started)
        assert all(stored)
        records[part] = [commit.record for commit in commits]
        if clear:
            await store.clear_outbox([SentMark(r.tenant, r.session, r.version) for r in records[part]])
        done += batch
    return done


async def lag(until: float) -> list[float]:
    found = []
    while time.perf_counter() < until:
        started = time.perf_counter()
        await asyncio.sleep(0.001)
        found.append(time.perf_counter() - started - 0.001)
    return found


async def measure(url: str, batch: int, seconds: float, writers: int, clear: bool) -> None:
    took: list[float] = []
    async with open_store(url) as store:
        for shard in range(writers):
            await store.claim_shard(shard)
        until = time.perf_counter() + seconds
        cpu = time.process_time()
        lagging = asyncio.create_task(lag(until))
        done = await asyncio.gather(*(write(store, w, batch, until, took, clear) for w in range(writers)))
        lags = await lagging
        cpu = time.process_time() - cpu
    rate = sum(done) / seconds
    p = statistics.quantiles(took, n=100)
    slow = statistics.quantiles(lags, n=100)[98]
    print(
        f"{url.split(':', 1)[0]:8} batch {batch:3} × {writers} writers{', outbox cleared' if clear else ''}: "
        f"{rate:8,.0f} session commits/s, {cpu / sum(done) * 1e6:5.0f} µs CPU each, "
        f"commit p50/p99 {p[49] * 1e3:.1f}/{p[98] * 1e3:.1f} ms, loop lag p99 {slow * 1e3:.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--clear", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{Path(folder) / 'bench.db'}"
        asyncio.run(measure(url, given.batch, given.seconds, given.writers, given.clear))


if __name__ == "__main__":
    main()
