"""Check the deployment files: chart, compose, monitoring, image. Prints a line a part; exit code 1 for any problem."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deploy.checks import chart, compose, image, monitoring

PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "image": image.problems,
    "compose": compose.problems,
    "monitoring": monitoring.problems,
    "chart": chart.problems,
}


def main() -> int:
    """Every part, even after a problem; the exit code."""
    wrong = 0
    for name, problems in PARTS.items():
        began = time.monotonic()
        found = list(problems())
        wrong += len(found)
        sys.stdout.write(f"{'FAIL' if found else 'ok  '} {name:10} {time.monotonic() - began:5.1f} s\n")
        sys.stdout.writelines(f"     {line}\n" for problem in found for line in problem.splitlines())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
