"""A collector that takes what it is sent and forgets it: `python -m benchmarks.collector PORT`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from subprocess import PIPE, Popen


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@contextmanager
def a_collector() -> Iterator[str]:
    """Its address."""
    process = Popen([sys.executable, "-m", "benchmarks.collector"], stdout=PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def main() -> None:
    """Serve until it is ended."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Door)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
