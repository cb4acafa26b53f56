"""A stand-in for a server of embeddings: its model knows topics, so that words that share none can be near."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

TOPICS = (("退款", "钱", "refund", "money"), ("配送", "快递", "deliver", "parcel"), ("门店", "营业", "shop", "open"))


class EmbeddingsServer:
    """Speaks `POST /v1/embeddings`; counts what it embedded, and fails when it is told to."""

    def __init__(self) -> None:
        self.url = ""
        self.texts: list[str] = []
        self.models: list[str] = []
        self.status = 200

    async def embed(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if self.status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self.status)
        self.texts.extend(asked["input"])
        self.models.append(asked["model"])
        data = [{"object": "embedding", "index": n, "embedding": _vector(t)} for n, t in enumerate(asked["input"])]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return web.json_response({"object": "list", "data": data[::-1], "model": asked["model"], "usage": usage})


def _vector(text: str) -> list[float]:
    return [float(sum(word in text.lower() for word in topic)) for topic in TOPICS] + [0.1]


@asynccontextmanager
async def an_embeddings_server() -> AsyncIterator[EmbeddingsServer]:
    server = EmbeddingsServer()
    app = web.Application()
    app.router.add_post("/v1/embeddings", server.embed)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
