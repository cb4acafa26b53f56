"""What an operator may set for the gateway."""

from pydantic import Field

from parley.core import Settings


class GatewaySettings(Settings):
    """Read from `PARLEY_GATEWAY_…`."""

    prefix = "PARLEY_GATEWAY_"

    host: str = Field("0.0.0.0", description="an address to listen on")  # noqa: S104 - the public door
    port: int = Field(8080, ge=0, le=65535, description="a port to listen on")
    ping_seconds: int = Field(25, ge=1, le=300, description="seconds between pings")
    hello_seconds: float = Field(5, gt=0, le=60, description="seconds that a connection may take to say hello")
    max_connections: int = Field(100_000, ge=1, description="open connections of this replica")
    max_strangers: int = Field(10_000, ge=1, description="open connections that have not said hello yet")
    session_connections: int = Field(20, ge=1, description="open connections of one visitor's session")
    frame_bytes: int = Field(65_536, ge=1024, le=1_048_576, description="bytes in one client frame")
    text_chars: int = Field(8_000, ge=1, le=20_000, description="characters in one message, at most 20000")
    queue_frames: int = Field(256, ge=8, description="frames that may wait for a slow reader")
    queue_bytes: int = Field(262_144, ge=4096, description="bytes that may wait for a slow reader")
    messages_per_second: float = Field(5, gt=0, description="messages a second that one visitor may send, on average")
    messages_burst: int = Field(20, ge=1, description="messages that one visitor may send at once")
    newcomers_per_second: float = Field(50, gt=0, description="new tokens a second for one address, on average")
    newcomers_burst: int = Field(2_000, ge=1, description="new tokens that one address may have at once")
    arrivals_per_second: float = Field(200, gt=0, description="connections a second of one address, on average")
    arrivals_burst: int = Field(20_000, ge=1, description="connections that one address may open at once")
    tenant_messages_per_second: float = Field(10_000, gt=0, description="messages a second of one tenant's visitors")
    tenant_messages_burst: int = Field(20_000, ge=1, description="messages that one tenant's visitors may send at once")
    accept_seconds: float = Field(2, gt=0, le=25, description="seconds that POST /v1/messages waits for the commit")
    origins: str = Field("", description="origins allowed besides our own, comma-separated; * for any")
    trusted_proxies: str = Field("", description="addresses whose X-Forwarded-* headers count, comma-separated")
    upload_bytes: int = Field(5 * 1024 * 1024, ge=1, le=5 * 1024 * 1024, description="bytes in one upload")

    def allowed_origins(self) -> frozenset[str]:
        """The configured origins."""
        return frozenset(origin.strip() for origin in self.origins.split(",") if origin.strip())
