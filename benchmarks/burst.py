"""Ten times the visitors for two seconds: is anybody refused, and how soon is it as before?"""

import statistics
from typing import Any

from benchmarks.load import talk
from benchmarks.product import a_product
from benchmarks.results import Finding, Goal, Run, prose, table

TIMES, AT, FOR, AFTER = 10, 3.0, 2.0, 8.0
DRAINED_SECONDS, CALM_SECONDS, CALM_MS = 3.0, 5.0, 50.0
SLOT = 0.5


def measure(run: Run) -> Finding:
    """Rounds: how fast it goes at most, then half of that with a burst, then a fifth with a burst that queues."""
    half, fifth = [], []
    for _ in range(run.rounds):
        with a_product(run.amqp) as product:
            most = talk(product, conns=run.conns, seconds=run.seconds)["msgs_per_s"]
            half.append(_burst(product, run, most / 2, free=1))
            fifth.append(_burst(product, run, most / 5, free=0))
        print([{k: row[k] for k in ("rate", "drained", "calm", "errors", "lost")} for row in (half[-1], fifth[-1])])
    goals = [
        goal
        for name, rows in (("half load", half), ("a fifth, nobody held back", fifth))
        for goal in _goals(name, rows)
    ]
    head = (
        "load",
        "msg/s before",
        "due in the burst",
        "held back",
        "most under way",
        "drained s",
        "p99 < 50 ms s",
        "p99 before ms",
    )
    shown = [
        (name, *(f"{statistics.median(row[key] for row in rows):.{digits}f}" for key, digits in _COLUMNS))
        for name, rows in (("half", half), ("a fifth", fifth))
    ]
    text = prose(f"""{run.rounds} rounds, medians; {run.conns} visitors, {FOR:g} s of {TIMES} times the rate. "Half" is
        half of what the closed loop of the same round reached; ten times that is five times what these cores can do,
        and no machine answers it as it comes. It is carried because visitors wait for their answers before they write
        again: each has one question under way at most, and who still waits when his next is due leaves it ("held
        back"). The second line holds nobody back: at a fifth of the load the burst is twice what the cores can do, its
        rest queues with the visitors, and latency counts from when each message was due. Drained: seconds after the
        burst until no more is under way or waits than before it, in steps of {SLOT:g} s.""")
    text += f"\n\n{table(head, shown)}"
    return Finding("A burst", goals, text, {"half": half, "fifth": fifth})


_COLUMNS = (("rate", 0), ("due", 0), ("skipped", 0), ("most", 0), ("drained", 1), ("calm", 1), ("p99_before", 1))


def _burst(product: Any, run: Run, rate: float, *, free: int) -> dict[str, Any]:
    row = talk(
        product,
        conns=run.conns,
        mode="rate",
        rate=round(rate),
        free=free,
        warm=0.5,
        seconds=AT + FOR + AFTER,
        burst=TIMES,
        burst_at=AT,
        burst_for=FOR,
    )
    return {**row, **judged(row["timeline"], rate)}


def judged(timeline: list[list[float]], rate: float) -> dict[str, float]:
    """What half seconds of [end, answered, p99 ms, waiting to be sent, under way] say of the burst."""
    before = [slot for slot in timeline if 1.0 < slot[0] <= AT]
    after = [slot for slot in timeline if slot[0] > AT + FOR]
    usual = max(slot[3] + slot[4] for slot in before) + max(10.0, rate * 0.05)
    return {
        "rate": rate,
        "due": rate * TIMES * FOR,
        "most": max(slot[3] + slot[4] for slot in timeline),
        "p99_before": statistics.median(slot[2] for slot in before),
        "drained": _since_burst(after, lambda slot: slot[3] + slot[4] <= usual),
        "calm": _since_burst(after, lambda slot: slot[2] < CALM_MS),
    }


def _since_burst(after: list[list[float]], fine: Any) -> float:
    """Seconds until it is fine and stays so but for a slot in six; the whole time when it never is."""
    for n, slot in enumerate(after):
        rest = after[n:]
        if fine(slot) and sum(not fine(later) for later in rest) * 6 <= len(rest):
            return slot[0] - AT - FOR
    return AFTER


def _goals(name: str, rows: list[dict[str, Any]]) -> list[Goal]:
    wrong = sum(int(row["errors"] + row["lost"] + row["failed"]) for row in rows)
    drained, calm = (statistics.median(row[key] for row in rows) for key in ("drained", "calm"))
    return [
        Goal(f"{name}: refused or lost", "0", str(wrong), wrong == 0),
        Goal(f"{name}: drained after", f"≤ {DRAINED_SECONDS:g} s", f"{drained:.1f} s", drained <= DRAINED_SECONDS),
        Goal(f"{name}: p99 under 50 ms after", f"≤ {CALM_SECONDS:g} s", f"{calm:.1f} s", calm <= CALM_SECONDS),
    ]
