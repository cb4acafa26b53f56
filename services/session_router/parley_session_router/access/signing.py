"""Which key signs visitor tokens now: a new one every month, published a while before it is used."""

from dataclasses import dataclass

from parley.core import Clock, Unavailable
from parley_session_router.access.port import AccessStore
from parley_session_router.access.records import SigningKey
from parley_session_router.access.visitor_tokens import RETURN_SECONDS, TOKEN_SECONDS, new_signing_key

ROTATE_SECONDS = 30 * 24 * 3600.0
PUBLISH_SECONDS = 600.0  # gateways ask for the keys at least every five minutes
FRESH_SECONDS = 30.0  # how long this replica believes what it read
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Keyring:
    """The generations that are kept, newest first; at least one."""

    keys: tuple[SigningKey, ...]

    def current(self, now: float) -> SigningKey:
        """The newest that has been published long enough, else the oldest there is."""
        known = (key for key in self.keys if now - key.created_at >= PUBLISH_SECONDS)
        return next(known, self.keys[-1])

    def live(self, now: float) -> tuple[SigningKey, ...]:
        """Those that an unexpired token may be signed with: next, current, previous."""
        current = self.current(now)
        return tuple(key for key in self.keys if key.generation >= current.generation - 1)

    def by_id(self) -> dict[str, SigningKey]:
        """All, for tokens of returning visitors."""
        return {key.kid: key for key in self.keys}


class Signing:
    """Reads the keyring from the store and makes the next generation when its time has come."""

    def __init__(self, store: AccessStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._ring: Keyring | None = None
        self._read_at = 0.0

    async def keyring(self) -> Keyring:
        """The keys as they are, at most half a minute ago. Raises Unavailable."""
        now = self._clock.now()
        if self._ring is None or now - self._read_at > FRESH_SECONDS:
            self._ring, self._read_at = await self._read(now), now
        return self._ring

    async def revoke(self, kid: str) -> bool:
        """Trust nothing that was signed with this key; another takes its place. False when there is none by that id."""
        kept = await self._store.signing_keys()
        if all(key.kid != kid for key in kept):
            return False
        if len(kept) == 1:
            await self.rotate()
        try:
            return await self._store.drop_signing_key(kid)
        finally:
            self._ring = None  # not before: whoever reads meanwhile would keep it

    async def rotate(self) -> SigningKey:
        """Make the next generation now, whatever the age of the last. Tokens of the last stay good."""
        for _ in range(ATTEMPTS):
            kept = await self._store.signing_keys()
            key = new_signing_key(kept[0].generation + 1 if kept else 1, self._clock.now())
            if await self._store.add_signing_key(key):
                self._ring = None
                return key
        raise Unavailable("many routers make signing keys at once; try again")

    async def _read(self, now: float) -> Keyring:
        kept = await self._store.signing_keys()
        if not kept or now - kept[0].created_at > ROTATE_SECONDS:
            generation = kept[0].generation + 1 if kept else 1
            await self._store.add_signing_key(new_signing_key(generation, now))  # or another replica just has
            await self._store.drop_signing_keys(now - ROTATE_SECONDS - RETURN_SECONDS - TOKEN_SECONDS)
            kept = await self._store.signing_keys()
        return Keyring(tuple(kept))
