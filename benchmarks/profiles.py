"""Where each service's time goes under the closed loop, by py-spy."""

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.load import talk
from benchmarks.product import a_product
from benchmarks.results import Finding, Run, prose, table

WATCHED = ("gateway", "session-router", "ai-engine")
FUNCTIONS, PACKAGES, RATE = 12, 8, 250


def measure(run: Run) -> Finding:
    """One closed loop, all services watched at once; what the watching costs is in no other row."""
    with a_product(run.amqp) as product, tempfile.TemporaryDirectory() as folder:
        watchers: list[subprocess.Popen[bytes]] = []

        def watch() -> None:
            for name in WATCHED:
                command = [str(Path(sys.executable).parent / "py-spy"), "record", "--format", "raw", "--gil"]
                command += ["--rate", str(RATE), "--duration", f"{run.seconds:.0f}", "--pid", str(product.pids[name])]
                watchers.append(subprocess.Popen([*command, "--output", f"{folder}/{name}"], stdout=-3, stderr=-3))

        row = talk(product, conns=run.conns, seconds=run.seconds + 2, connected=watch)
        for watcher in watchers:
            watcher.wait(timeout=60)
        stacks = {name: _stacks(Path(folder, name)) for name in WATCHED}
    parts = [
        f"### {name}\n\n{row[f'{name}_us']:.0f} µs per message, watched: {_packages(of)}.\n\n{_functions(of)}"
        for name, of in stacks.items()
    ]
    text = (
        prose("""Samples that hold the interpreter, so system calls that release it are not in them; own time, without
        callees.""")
        + "\n\n"
    )
    return Finding("Where the time goes", [], text + "\n\n".join(parts), {})


def _stacks(path: Path) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for line in path.read_text().splitlines() if path.exists() else ():
        stack, _, count = line.rpartition(" ")
        found[tuple(stack.split(";"))] += int(count)
    return found


def _own(stacks: Counter[tuple[str, ...]]) -> Counter[str]:
    own: Counter[str] = Counter()
    for stack, count in stacks.items():
        own[stack[-1].rpartition(":")[0] + ")"] += count
    return own


def _functions(stacks: Counter[tuple[str, ...]]) -> str:
    total = max(1, sum(stacks.values()))
    own = _own(stacks).most_common(FUNCTIONS)
    return table(("function", "own time"), [(f"`{name}`", f"{count / total:.1%}") for name, count in own])


def _packages(stacks: Counter[tuple[str, ...]]) -> str:
    total, packages = max(1, sum(stacks.values())), Counter[str]()
    for name, count in _own(stacks).items():
        place = name.rpartition("(")[2].rstrip(")")
        packages[place.split("/")[0] if "/" in place else place] += count
    return ", ".join(f"{name} {count / total:.0%}" for name, count in packages.most_common(PACKAGES))
