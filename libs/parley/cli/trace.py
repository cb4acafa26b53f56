"""`parley trace`: one turn, action by action, with the waits between."""

from typing import Any

import click

from parley.cli.asking import call

WIDTH = 40


@click.command()
@click.argument("trace_id")
def trace(trace_id: str) -> None:
    """Show the spans of a trace as a tree with a timeline."""
    spans: list[dict[str, Any]] = call("GET", f"/v1/traces/{trace_id}")["spans"]
    begin = min(span["start_unix_ns"] for span in spans)
    total = max(span["end_unix_ns"] for span in spans) - begin or 1
    services = sorted({span["service"] for span in spans})
    click.echo(f"{trace_id}  {total / 1e6:.1f} ms, {len(spans)} spans, {', '.join(services)}")
    known = {span["span_id"] for span in spans}
    children: dict[str, list[dict[str, Any]]] = {}
    for span in spans:
        children.setdefault(span["parent_span_id"] if span["parent_span_id"] in known else "", []).append(span)
    _show(children, "", begin, total, 0)


def _show(children: dict[str, list[dict[str, Any]]], parent: str, begin: int, total: int, depth: int) -> None:
    for span in sorted(children.get(parent, []), key=lambda s: s["start_unix_ns"]):
        name = f"{'  ' * depth}{span['name']}"
        took = (span["end_unix_ns"] - span["start_unix_ns"]) / 1e6
        failed = "" if span["status"] == "ok" else f"  FAILED {span['attributes'].get('error.type', '')}"
        click.echo(f"{span['service']:15} {name:44.44} {_bar(span, begin, total)} {took:9.2f} ms{failed}")
        _show(children, span["span_id"], begin, total, depth + 1)


def _bar(span: dict[str, Any], begin: int, total: int) -> str:
    start = int((span["start_unix_ns"] - begin) / total * WIDTH)
    length = max(1, round((span["end_unix_ns"] - span["start_unix_ns"]) / total * WIDTH))
    mark = "░" if span["name"].startswith("wait") else "█"
    return f"{' ' * min(start, WIDTH - 1)}{mark * length}"[:WIDTH].ljust(WIDTH)
