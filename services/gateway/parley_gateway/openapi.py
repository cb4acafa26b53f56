"""Writes `docs/openapi.json`: `python -m parley_gateway.openapi docs/openapi.json`. Without a path it prints."""

import json
import sys
from pathlib import Path
from typing import cast

from parley.telemetry import SpanStore
from parley_gateway.app import build_rest
from parley_gateway.desk import Desk
from parley_gateway.realtime.crowd import Crowd


def document() -> str:
    """The description of the HTTP calls, which needs no running desk."""
    app = build_rest(cast(Desk, None), cast(Crowd, None), SpanStore())
    return json.dumps(app.openapi(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def main(arguments: list[str]) -> None:
    """Write to the path given, else to standard output."""
    if arguments:
        Path(arguments[0]).write_text(document(), encoding="utf-8")
    else:
        sys.stdout.write(document())


if __name__ == "__main__":
    main(sys.argv[1:])
