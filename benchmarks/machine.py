"""What the machine and its processes spend, read from /proc."""

import os
import platform
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count() or 1


def cpu_seconds(pid: int) -> float:
    """What one process has spent so far, its children not counted."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_kib(pid: int) -> float:
    """Memory of one process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def busy_seconds() -> float:
    """Core-seconds that the whole machine has spent so far, the kernel's included."""
    values = [int(v) for v in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(values) - values[3] - values[4]) / TICK


def others_share(seconds: float = 2.0) -> float:
    """The share of all cores that is busy now, before a measurement has begun: other people's work."""
    before, began = busy_seconds(), time.monotonic()
    time.sleep(seconds)
    return min(1.0, (busy_seconds() - before) / (time.monotonic() - began) / CORES)


def described() -> str:
    """One line: cores, kernel, Python."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    return f"{CORES} cores ({model}), Linux {platform.release()}, Python {platform.python_version()}"
