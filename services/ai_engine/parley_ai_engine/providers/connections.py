"""How a vendor's client may use the network, from the settings."""

from typing import Any

from parley_ai_engine.settings import ModelSettings


def connections(settings: ModelSettings) -> dict[str, Any]:
    """Arguments of an SDK's HTTP client. Its read limit is a net only: the adapter's own limits are shorter."""
    import httpx2  # noqa: PLC0415 - comes with the SDKs, which are loaded only when there is a model

    seconds = settings.first_token_seconds + settings.idle_seconds
    timeout = httpx2.Timeout(seconds, connect=settings.connect_seconds)
    limits = httpx2.Limits(
        max_connections=settings.connections,
        max_keepalive_connections=settings.connections,
        keepalive_expiry=settings.keepalive_seconds,
    )
    return {"base_url": settings.url, "timeout": timeout, "limits": limits}
