"""Keys that change while the engine runs: given once, or read from a file that somebody else renews."""

from pathlib import Path
from typing import Protocol


class Credentials(Protocol):
    """The key of a provider; asked before every call, so that a short-lived one never has to last."""

    async def key(self) -> str:
        """The key as it is now."""
        ...


class GivenKey:
    """One key for good."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def key(self) -> str:
        """The same every time."""
        return self._key


class KeyFile:
    """A file that a secret store or a sidecar rewrites: a mounted secret, a projected token."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] = (0, 0)
        self._key = ""

    async def key(self) -> str:
        """Read again when the file has changed; the last good key while it is being replaced."""
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_ino)
            if seen != self._seen:
                self._key, self._seen = self._path.read_text().strip() or self._key, seen
        except OSError:
            pass
        return self._key


def credentials(key: str, key_file: str) -> Credentials:
    """A file goes before a given key."""
    return KeyFile(Path(key_file)) if key_file else GivenKey(key)
