"""compose.yaml: its schema, and that every name in it leads somewhere."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.checks import names
from deploy.checks.chart import Object, read
from deploy.checks.names import ROOT

FILE = ROOT / "compose.yaml"
DASHBOARDS = ROOT / "deploy/compose.dashboards.yaml"
TOOL = Path(sys.executable).parent / "check-jsonschema"


def problems() -> Iterator[str]:
    """What is wrong with the compose files."""
    yield from _schema()
    stack = read(FILE)
    yield from dangling(stack)
    for extra in read(DASHBOARDS)["services"]:
        if extra not in stack["services"]:
            yield f"{DASHBOARDS.name} names {extra}, which {FILE.name} does not have"


def dangling(stack: Object) -> Iterator[str]:
    """Names of services, conditions, volumes, files and settings that do not exist."""
    services, volumes = stack["services"], stack.get("volumes", {})
    used: set[str] = set()
    for name, service in services.items():
        yield from (f"{name}: {problem}" for problem in _depends(service, services))
        for source in _sources(service):
            if source.startswith("."):
                if not (ROOT / source).exists():
                    yield f"{name}: there is no {source}"
            elif source not in volumes:
                yield f"{name}: the volume {source} is not declared"
            used.add(source)
        for variable in sorted(names.unknown_variables(service.get("environment", {}))):
            yield f"{name}: no setting reads {variable}"
    yield from (f"nobody uses the volume {volume}" for volume in volumes if volume not in used)


def _schema() -> Iterator[str]:
    command = [str(TOOL), "--builtin-schema", "vendor.compose-spec", str(FILE), str(DASHBOARDS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        yield done.stdout.strip() or done.stderr.strip()


def _depends(service: dict[str, Any], services: Object) -> Iterator[str]:
    for other, how in service.get("depends_on", {}).items():
        if other not in services:
            yield f"depends on {other}, which is not there"
        elif how["condition"] == "service_healthy" and "test" not in services[other].get("healthcheck", {}):
            yield f"waits for {other} to be healthy, which has no health check"


def _sources(service: dict[str, Any]) -> Iterator[str]:
    for volume in service.get("volumes", []):
        yield re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).partition(":")[0]
