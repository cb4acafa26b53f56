"""What was measured: kept in results.json, a row each, and shown in RESULTS.md."""

import json
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KEPT, SHOWN = HERE / "results.json", HERE / "RESULTS.md"
HEAD = """# Results

Written by `make bench`; each section is the newest run of its row. Quote ratios, not single rates: machines differ and
drift, and load generator, broker and services share the cores, so that a rate is one of the whole machine. "Others" is
the share of all cores that was busy before the row began; above a tenth, take absolute figures for what they are.

"""


@dataclass(frozen=True)
class Run:
    """What all rows are given."""

    amqp: str
    rounds: int = 3
    seconds: float = 4
    conns: int = 1000
    rate: int = 300
    many: int = 15_000  # mostly idle connections
    hold: float = 8  # seconds that these are held


@dataclass(frozen=True)
class Goal:
    """One promise of speed beside what was found."""

    what: str
    goal: str
    found: str
    met: bool | None = None  # None: nothing was promised, it is shown


@dataclass(frozen=True)
class Finding:
    """What one row found."""

    title: str
    goals: list[Goal]
    text: str
    raw: dict[str, Any] = field(default_factory=dict)  # every round's own figures


def median(rows: Iterable[dict[str, Any]], key: str) -> float:
    """The median of one figure over the rounds."""
    return float(statistics.median(row[key] for row in rows))


def ratios(ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]], key: str) -> tuple[float, str]:
    """The median of the rounds' own ratios, and it with its spread as text."""
    found = [a[key] / b[key] for a, b in zip(ours, theirs, strict=True)]
    middle = float(statistics.median(found))
    return middle, f"{middle:.2f} ({min(found):.2f} to {max(found):.2f})"


def prose(text: str) -> str:
    """A paragraph, however its source was broken into lines."""
    return " ".join(text.split())


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def keep(name: str, finding: Finding, *, machine: str, others: float) -> None:
    """Replace one row's result, and write RESULTS.md anew."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    at = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    kept[name] = {"at": at, "machine": machine, "others": round(others, 2), **asdict(finding)}
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    SHOWN.write_text(rendered(kept))


def rendered(kept: dict[str, Any]) -> str:
    """RESULTS.md."""
    words = {True: "yes", False: "**no**", None: ""}
    summary = [
        (f"[{name}](#{name})", goal["what"], goal["goal"], goal["found"], words[goal["met"]], f"{row['others']:.0%}")
        for name, row in kept.items()
        for goal in row["goals"]
    ]
    sections = [
        f'<a id="{name}"></a>\n\n## {row["title"]}\n\n'
        f"{row['at']} UTC; {row['machine']}; others {row['others']:.0%}.\n\n{row['text'].strip()}\n"
        for name, row in kept.items()
    ]
    return HEAD + "\n\n".join([table(("row", "what", "goal", "found", "met", "others"), summary), *sections])
