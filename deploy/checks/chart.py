"""The chart: linted, rendered for each set of values, and held against what Kubernetes accepts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import yaml

from deploy.checks.names import ROOT

CHART = ROOT / "deploy/helm/parley"
SETS = {"default": None, "small": CHART / "values-small.yaml", "production": CHART / "values-production.yaml"}
KUBERNETES = ("1.29", "1.34")  # the oldest and the newest that the chart is checked against
CUSTOM = frozenset({"ScaledObject"})  # kinds that a cluster learns from elsewhere; no schema of them is at hand

Object = dict[str, Any]


def values_of(name: str) -> Object:
    """What a set of values changes."""
    path = SETS[name]
    return {} if path is None else read(path)


def read(path: Path) -> Object:
    """A YAML file that holds a mapping."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def render(values: Object, *, name: str = "parley", namespace: str = "desk") -> list[Object]:
    """Every object of the chart. Raises helm_python.HelmError with Helm's own words."""
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(values, name=name, namespace=namespace)
    return [
        found for path, text in files.items() if path.endswith(".yaml") for found in yaml.safe_load_all(text) if found
    ]


def problems() -> Iterator[str]:
    """What is wrong with the chart, by set of values."""
    for name in SETS:
        try:
            yield from (f"{name}: {problem}" for problem in _problems(values_of(name)))
        except helm_python.HelmError as error:
            yield f"{name}: {error}"


def _problems(values: Object) -> Iterator[str]:
    yield from helm_python.lint(CHART, values, strict=True)["errors"]
    for found in render(values):
        for version in KUBERNETES if found["kind"] not in CUSTOM else ():
            try:
                kubernetes_validate.validate(found, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                where = ".".join(map(str, error.path))
                yield f"{found['kind']} {found['metadata']['name']} at {where} (Kubernetes {version}): {error.message}"
