"""A plain python-socketio echo server with one of its own settings changed; started with its name and a port."""

import sys
from typing import Any

import orjson
import socketio
import uvicorn

BASE: dict[str, Any] = {"async_mode": "asgi", "ping_interval": 60, "transports": ["websocket", "polling"]}


class _Json:
    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(text: str, **_: Any) -> Any:
        return orjson.loads(text)


SETTINGS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "json by orjson": {"json": _Json},
    "async_handlers=False": {"async_handlers": False},
    "namespaces=['/']": {"namespaces": ["/"]},
    "logging off": {"logger": False, "engineio_logger": False},
}


def an_app(setting: str) -> socketio.ASGIApp:
    """The echo server."""
    server = socketio.AsyncServer(**{**BASE, **SETTINGS[setting]})

    async def msg(sid: str, data: Any) -> None:
        await server.emit("msg", data, to=sid)

    server.on("msg", msg)
    return socketio.ASGIApp(server)


def main() -> None:
    """Serve on the port given."""
    setting, port = sys.argv[1], int(sys.argv[2])
    options: dict[str, Any] = {"ws": "websockets-sansio", "loop": "uvloop", "log_level": "error", "lifespan": "off"}
    options |= {"ws_per_message_deflate": False, "ws_ping_interval": None, "backlog": 4096}
    uvicorn.run(an_app(setting), host="127.0.0.1", port=port, **options)


if __name__ == "__main__":
    main()
