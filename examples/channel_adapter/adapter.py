"""A channel in forty lines: each line typed is a message of the visitor 王小明; replies are printed. Ctrl-C ends it."""

import json
import os
import sys
import threading
import time
import uuid
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

GATEWAY = os.environ.get("PARLEY_GATEWAY_URL", "http://127.0.0.1:8080")
HEADERS = {"authorization": f"Bearer {os.environ['PARLEY_KEY']}", "content-type": "application/json"}
VISITOR = {"external_id": "wxid_wang", "name": "王小明", "locale": "zh-CN"}


def call(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """One call, sent again every two seconds until it is answered; None when it is refused for good."""
    content = json.dumps(body).encode() if body else None
    while True:
        try:
            with urlopen(Request(GATEWAY + path, content, HEADERS, method=method), timeout=40) as answer:
                return json.load(answer)["data"]
        except OSError as error:
            if isinstance(error, HTTPError) and error.code < 500 and error.code != 429:
                return print(f"✗ {error.code}: {json.load(error)['message']}", file=sys.stderr)
            print(f"… {error}; trying again", file=sys.stderr)
        time.sleep(2)


def print_replies(cursor: str = "") -> None:
    """Ask for replies for ever. The cursor says how far we are: a real adapter keeps it where it outlives a restart."""
    while page := call("GET", f"/v1/channels/terminal/outbox?timeout=20&cursor={cursor}"):
        for event in (item["event"] for item in page["items"]):
            message = event.get("message_end") or event.get("message") or event.get("session")
            print(f"→ {message.get('text') or message}\n", end="", flush=True)
        cursor = page["cursor"]
    os._exit(1)


threading.Thread(target=print_replies, daemon=True).start()
for line in filter(None, map(str.strip, sys.stdin)):
    # The id stays the same however often it is sent, so a repeat has no effect. A channel's own id serves best.
    message = {"channel": "terminal", "external_message_id": uuid.uuid4().hex, "sender": VISITOR, "text": line}
    if taken := call("POST", "/v1/messages", message):
        print(f"← {taken['message_id'] or 'on its way'}\n", end="", flush=True)
threading.Event().wait()
