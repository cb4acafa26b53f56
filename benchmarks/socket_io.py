"""The Socket.IO endpoint beside a plain python-socketio echo server."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.load import SOCKET_IO, drive
from benchmarks.machine import resident_kib
from benchmarks.product import Product, a_product
from benchmarks.results import Finding, Goal, Run, median, prose, ratios, table
from benchmarks.socket_io_server import SETTINGS
from parley.testing.servers.ports import free_port

LEAST = 0.9
IDLE = 5_000
PLAIN: dict[str, Any] = {"sio": 1, "text": '42["msg",{"n":1234567}]', "end": '"msg"'}
OURS: dict[str, Any] = {**SOCKET_IO, "text": '42["ping",{"n":1234567}]', "end": '"pong"'}


def measure(run: Run) -> Finding:
    """Rounds of plain and ours; then each setting of the plain server once more."""
    plain, ours = [], []
    for _ in range(run.rounds):
        with plain_server("as it comes") as server:
            plain.append(_echoed(server, PLAIN, run))
        with a_product(run.amqp) as product:
            ours.append(_echoed(Product(product.port, {"server": product.pids["gateway"]}), OURS, run))
        print([(round(r["msgs_per_s"]), round(r["server_us"]), round(r["kib"])) for r in (plain[-1], ours[-1])])
    settings: dict[str, list[dict[str, Any]]] = {name: [] for name in SETTINGS}
    for _ in range(run.rounds):
        for name, rows in settings.items():
            with plain_server(name) as server:
                rows.append(drive(server.port, server.pids, **PLAIN, conns=run.conns, seconds=run.seconds / 2))
    times, spread = ratios(ours, plain, "msgs_per_s")
    kib, plain_kib = median(ours, "kib"), median(plain, "kib")
    goals = [
        Goal("echoes a second, times plain python-socketio", f"≥ {LEAST}", spread, times >= LEAST),
        Goal("CPU per echo, times plain python-socketio", "shown", ratios(ours, plain, "server_us")[1]),
        Goal(
            "KiB per idle connection beside python-socketio's own", f"≤ {plain_kib:.1f}", f"{kib:.1f}", kib <= plain_kib
        ),
    ]
    shown = [
        (name, *(f"{median(of, key):.{digits}f}" for key, digits in (("msgs_per_s", 0), ("server_us", 0), ("kib", 1))))
        for name, of in (("python-socketio, plain echo", plain), ("Parley, `ping` answered by `pong`", ours))
    ]
    bare = median(settings["as it comes"], "server_us")
    changed = [
        (f"`{name}`", f"{median(of, 'server_us'):.0f}", f"{median(of, 'server_us') / bare - 1:+.0%}")
        for name, of in settings.items()
    ]
    text = "\n\n".join(
        [
            prose(f"""{run.rounds} rounds in turn, medians; {run.conns} connections over WebSocket, closed loop,
            {run.seconds:g} s; memory at {IDLE:,} idle ones. Ours reads the frame as protobuf JSON, looks at token, rate
            and order, and writes through the bounded queue of a slow reader; the plain server does none of it."""),
            table(("server", "echoes/s", "µs per echo", "KiB per idle connection"), shown),
            "The plain server with one of its own settings changed:",
            table(("setting", "µs per echo", "change"), changed),
        ]
    )
    return Finding(
        "Socket.IO beside python-socketio", goals, text, {"plain": plain, "ours": ours, "settings": settings}
    )


def _echoed(server: Product, transport: dict[str, Any], run: Run) -> dict[str, Any]:
    """Memory of idle connections first, then echoes."""
    before = resident_kib(server.pids["server"])
    after: list[float] = []
    held = drive(
        server.port,
        {},
        **transport,
        conns=IDLE,
        mode="idle",
        seconds=0.5,
        connected=lambda: after.append(resident_kib(server.pids["server"])),
    )
    row = drive(server.port, server.pids, **transport, conns=run.conns, seconds=run.seconds)
    return {**row, "kib": (after[0] - before) / max(1, held["connected"]), "idle": held["connected"]}


@contextmanager
def plain_server(setting: str) -> Iterator[Product]:
    """An echo server of python-socketio alone."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.socket_io_server", setting, str(port)])
    try:
        for _ in range(200):
            time.sleep(0.1)
            if drive(port, {}, **PLAIN, conns=1, mode="idle", seconds=0).get("connected"):
                break
        yield Product(port, {"server": process.pid})
    finally:
        process.terminate()
        process.wait(timeout=30)
