"""The table of docs/reliability.md: what the full-length fault tests have measured."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from parley.testing.ledger import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- table: written by `make faults` -->", "<!-- end of table -->"
HEAD = (
    "| test | fault | sent | lost | doubled | reordered | recovery s: first, everyone | longest silence s |\n"
    "|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Row:
    """One line."""

    name: str
    what: str
    cells: tuple[str, ...]

    def line(self) -> str:
        return f"| {self.name} | {self.what} | {' | '.join(self.cells)} |"


ROWS: list[Row] = []


def add(name: str, what: str, verdict: Verdict) -> None:
    """A test that judged by the ledger."""
    counts = (verdict.sent, verdict.lost, verdict.doubled, verdict.reordered)
    recovery = f"{verdict.recovery_s:.1f}, {verdict.everyone_s:.1f}" if verdict.recoveries else "–"
    ROWS.append(Row(name, what, (*map(str, counts), recovery, f"{verdict.longest_gap_s:.1f}")))


def add_cases(name: str, what: str, cases: int, figure: str = "–", *, counted: bool = False) -> None:
    """A test of single cases, all as they must be. `counted`: it has looked for lost, doubled and reordered itself."""
    found = "0" if counted else "–"
    print(f"\n{name} {what}: {cases} cases, lost {found}, doubled {found}, reordered {found}; {figure}")
    ROWS.append(Row(name, what, (str(cases), found, found, found, figure, "–")))


def write() -> None:
    """Put the rows of a full-length run into the page; rows of tests that did not run stay."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    old, _, after = rest.partition(END)
    mine = {(row.name, row.what) for row in ROWS}
    kept = [
        line
        for line in old.splitlines()
        if line.startswith("| ") and not line.startswith("| test ") and _key(line) not in mine
    ]
    lines = sorted([*kept, *(row.line() for row in ROWS)])
    seconds = os.environ.get("PARLEY_TEST_FAULT_SECONDS", "")
    when = f"Last run: {time.strftime('%Y-%m-%d', time.gmtime())}, {seconds} s of load a test, {os.cpu_count()} cores."
    PAGE.write_text(f"{before}{BEGIN}\n{when}\n\n{HEAD}\n" + "\n".join(lines) + f"\n{END}{after}", encoding="utf-8")


def _key(line: str) -> tuple[str, str]:
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    return cells[0], cells[1]
