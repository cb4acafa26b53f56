"""Alerts, scraping, dashboards and the collector: files that parse and name only what exists."""

import json
from collections.abc import Iterator
from typing import Any

from deploy.checks import names
from deploy.checks.chart import read
from deploy.checks.compose import FILE
from deploy.checks.names import METRIC, ROOT

ALERTS = ROOT / "deploy/prometheus/alerts.yml"
SCRAPING = ROOT / "deploy/prometheus/prometheus.yml"
DASHBOARDS = ROOT / "deploy/grafana/dashboards"
SOURCES = ROOT / "deploy/grafana/provisioning/datasources/parley.yaml"
COLLECTOR = ROOT / "deploy/otel-collector.yaml"


def expressions() -> Iterator[tuple[str, str]]:
    """Where each expression stands, and the expression."""
    for group in read(ALERTS)["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]
    for path in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.name}, panel {panel['title']}", target["expr"]


def problems() -> Iterator[str]:
    """What is wrong with what watches the services."""
    known = names.metrics()
    for where, expression in expressions():
        used = set(METRIC.findall(expression))
        yield from (f"{where}: there is no metric {name} (telemetry/names.py)" for name in sorted(used - known))
    yield from _panels()
    yield from _scraping()
    yield from _pipelines(read(COLLECTOR))


def _panels() -> Iterator[str]:
    sources = {source["uid"] for source in read(SOURCES)["datasources"]}
    for path in sorted(DASHBOARDS.glob("*.json")):
        panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
        if len({panel["id"] for panel in panels}) != len(panels):
            yield f"{path.name}: two panels have the same id"
        for panel in panels:
            if panel["type"] != "row" and panel["datasource"]["uid"] not in sources:
                yield f"{path.name}, panel {panel['title']}: there is no data source {panel['datasource']['uid']}"


def _scraping() -> Iterator[str]:
    stack = read(FILE)["services"]
    for job in read(SCRAPING)["scrape_configs"]:
        hosts = [name for found in job.get("dns_sd_configs", []) for name in found["names"]]
        hosts += [target.partition(":")[0] for found in job.get("static_configs", []) for target in found["targets"]]
        yield from (f"Prometheus asks {host}, which {FILE.name} does not have" for host in hosts if host not in stack)
        if job["job_name"] == "parley":
            yield from (f"Prometheus does not ask {name}" for name in sorted(names.services() - set(hosts)))


def _pipelines(collector: dict[str, Any]) -> Iterator[str]:
    service = collector["service"]
    for kind in ("receivers", "processors", "exporters"):
        used = {name for pipeline in service["pipelines"].values() for name in pipeline[kind]}
        if used != set(collector[kind]):
            yield f"the collector's {kind} are {sorted(collector[kind])}, its pipelines use {sorted(used)}"
    if set(service["extensions"]) != set(collector["extensions"]):
        yield "the collector's extensions are not those of its service"
