"""Run the tests in the order in which they teach most, and end with a plain total.

`python -m tests.run fast` needs no server; `all` adds real servers, the browser and faults; `faults` is those alone.
Every group runs, even after a failure; the exit code is 1 when anything failed.
"""

import os
import re
import subprocess
import sys
import threading
import time

GROUP_SECONDS = 1500  # a group that hangs is ended, as a failure; a test that hangs shows where after a third of it
FAST = "not connected and not browser and not faults and not slow"
FULL_LENGTH = "40"  # seconds of load of each fault test when `make faults` runs them; a few in `make test`
Group = tuple[str, str, tuple[str, ...]]  # its name, pytest's expression of marks, further options
FAULTS: Group = ("faults", "faults", ())
GROUPS: dict[str, list[Group]] = {
    "fast": [("fast", FAST, ("-n", "2", "--dist", "loadfile"))],
    "all": [
        ("fast", FAST, ("-n", "2", "--dist", "loadfile")),
        ("connected", "connected and not browser and not faults", ()),
        ("browser", "browser", ()),
        ("slow", "slow and not connected and not browser and not faults", ()),
        FAULTS,
    ],
    "faults": [FAULTS],
}


def main(which: str) -> int:
    """Run one list of groups; the exit code."""
    if which == "faults":
        os.environ.setdefault("PARLEY_TEST_FAULT_SECONDS", FULL_LENGTH)
    totals = {"passed": 0, "failed": 0}
    for name, expression, options in GROUPS[which]:
        began = time.monotonic()
        print(f"== {name}", flush=True)
        counts = run(expression, options)
        for outcome in totals:
            totals[outcome] += counts[outcome]
        print(f"== {name}: {counts['passed']} passed, {counts['failed']} failed in {time.monotonic() - began:.0f} s\n")
    print(f"{totals['passed']} passed, {totals['failed']} failed", flush=True)
    return 1 if totals["failed"] or not totals["passed"] else 0


def run(expression: str, options: tuple[str, ...]) -> dict[str, int]:
    """One pytest run, its output passed through; what it counted."""
    dump = ["-o", f"faulthandler_timeout={GROUP_SECONDS // 3}"]
    command = [sys.executable, "-m", "pytest", "-m", expression, *dump, *options]
    counts = {"passed": 0, "failed": 0}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        limit = threading.Timer(GROUP_SECONDS, process.kill)
        limit.start()
        for line in process.stdout:
            sys.stdout.write(line)
            if re.search(r"\bin [\d.]+s", line):
                counts = counted(line)
        limit.cancel()
    if process.returncode and not counts["failed"]:
        counts["failed"] = 1  # pytest itself ended badly, before or between tests, or found none to run
    return counts


def counted(line: str) -> dict[str, int]:
    """The counts of pytest's closing line; errors are failures."""
    found = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?)", line)}
    errors = found.get("error", 0) + found.get("errors", 0)
    return {"passed": found.get("passed", 0), "failed": found.get("failed", 0) + errors}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "all"))
