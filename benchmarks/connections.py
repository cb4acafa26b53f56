"""15,000 mostly idle connections beside 100: how long answers take, what each costs, and whether any is lost."""

from typing import Any

from benchmarks.load import SOCKET_IO, WEBSOCKET, talk
from benchmarks.machine import resident_kib
from benchmarks.product import a_product
from benchmarks.results import Finding, Goal, Run, median, prose, ratios, table

FEW = 100
TIMES_P99, KIB, KIB_SOCKET_IO = 1.5, 24.0, 40.0
SOCKET_IO_CONNECTIONS = 5_000


def measure(run: Run) -> Finding:
    """Rounds of few and many at the same rate; then the memory of Socket.IO connections."""
    few, many, sio = [], [], []
    for _ in range(run.rounds):
        few.append(held(run, FEW, WEBSOCKET))
        many.append(held(run, run.many, WEBSOCKET))
        sio.append(held(run, min(run.many, SOCKET_IO_CONNECTIONS), SOCKET_IO))
        print(
            [
                (r["conns"], round(r["p99_ms"], 1), round(r["kib"], 1), r["connect_per_s"])
                for r in (few[-1], many[-1], sio[-1])
            ]
        )
    times, spread = ratios(many, few, "p99_ms")
    kib, sio_kib = median(many, "kib"), median(sio, "kib")
    lost = sum(int(row["lost"] + row["failed"]) for row in [*few, *many, *sio])
    goals = [
        Goal(f"p99 with {run.many:,} connections, times that with {FEW}", f"≤ {TIMES_P99}", spread, times <= TIMES_P99),
        Goal("KiB per idle connection, WebSocket", f"≤ {KIB:g}", f"{kib:.1f}", kib <= KIB),
        Goal("KiB per idle connection, Socket.IO", f"≤ {KIB_SOCKET_IO:g}", f"{sio_kib:.1f}", sio_kib <= KIB_SOCKET_IO),
        Goal(f"lost or failed, each held {run.hold:g} s", "0", str(lost), lost == 0),
    ]
    rows = [
        (
            name,
            f"{of[0]['conns']:,}",
            *(f"{median(of, key):.1f}" for key in ("p50_ms", "p99_ms", "kib")),
            f"{median(of, 'connect_per_s'):.0f}",
            f"{median(of, 'gateway_us'):.0f}",
        )
        for name, of in (("WebSocket", few), ("WebSocket", many), ("Socket.IO", sio))
    ]
    head = ("transport", "connections", "p50 ms", "p99 ms", "KiB each", "greeted per s", "gateway µs per message")
    text = "\n\n".join(
        [
            prose(
                f"{run.rounds} rounds in turn, medians; {run.rate} msg/s over all connections in turn, {run.hold:g} s."
            ),
            table(head, rows),
            prose(f"""KiB: growth of the gateway's resident memory from before the first connection to after the last
                hello,            by connections; the kernel's own 4 KiB or so per socket are not in it. {FEW}
                connections carry the process's
            first growth and say nothing. Each hello begins a conversation, for which the router signs a token.
            `make bench ROWS=connections HOLD=600` holds them for ten minutes."""),
        ]
    )
    return Finding("Mostly idle connections", goals, text, {"few": few, "many": many, "socket_io": sio})


def held(run: Run, conns: int, transport: dict[str, Any]) -> dict[str, Any]:
    """One product with so many connections, of which some ask."""
    with a_product(run.amqp) as product:
        gateway = product.pids["gateway"]
        before = resident_kib(gateway)
        after: list[float] = []
        row = talk(
            product,
            transport,
            conns=conns,
            mode="rate",
            rate=run.rate,
            seconds=run.hold,
            patience=300,
            connected=lambda: after.append(resident_kib(gateway)),
        )
    return {**row, "kib": (after[0] - before) / max(1, row["connected"])}
