"""Serves the page's files from memory, compressed once, revalidated by their digest."""

import gzip
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FILES: Final = Path(__file__).parent / "files"

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; img-src 'self' blob:; connect-src 'self' ws: wss:; object-src 'none'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

# Named here because mimetypes reads the machine's own tables, and modules must be JavaScript everywhere.
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class _File:
    body: bytes
    squeezed: bytes
    headers: dict[str, str]


def page_routes() -> list[Route]:
    """Routes of the page at `/` and of its parts under `/web/`."""
    parts = [path for path in sorted(FILES.rglob("*")) if path.suffix in _TYPES]
    routes = [
        Route(f"/web/{path.relative_to(FILES).as_posix()}", _serve(path), include_in_schema=False) for path in parts
    ]
    return [Route("/", _serve(FILES / "index.html"), include_in_schema=False), *routes]


def _serve(path: Path) -> Callable[[Request], Awaitable[Response]]:
    file = _read(path)

    async def answer(request: Request) -> Response:
        return _answer(file, request)

    return answer


def _read(path: Path) -> _File:
    body = path.read_bytes()
    headers = {
        "Content-Type": _TYPES[path.suffix],
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cache-Control": "no-cache",  # kept, but asked for: a new release is seen at once
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:16]}"',
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    return _File(body, gzip.compress(body, mtime=0), headers)


def _answer(file: _File, request: Request) -> Response:
    if request.headers.get("if-none-match") == file.headers["ETag"]:
        return Response(status_code=304, headers=file.headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.squeezed, headers={**file.headers, "Content-Encoding": "gzip"})
    return Response(file.body, headers=file.headers)
