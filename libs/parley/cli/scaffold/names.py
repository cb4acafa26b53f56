"""What a new service may be called, and the names that follow from it."""

import re
from dataclasses import dataclass
from typing import Self

from parley.core import Invalid

LONGEST = 32  # characters; queues, sockets and metrics carry the name
# Words that mean something else where a service's name stands: `parley run all`, queues, exchanges, folders of tests.
RESERVED = frozenset(
    {"all", "architecture", "bench", "bus", "cli", "contracts", "core", "database", "dead", "engine-to-user", "events"}
    | {"parley", "service", "services", "sessions", "telemetry", "test", "testing", "tests", "user-to-engine"}
)
_WORDS = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class ServiceName:
    """A name such as `order-status`, kebab-case."""

    kebab: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what was typed, kebab-case or snake_case. Raises Invalid."""
        kebab = text.replace("_", "-")
        if not _WORDS.fullmatch(text) or len(text) > LONGEST:
            raise Invalid(
                f'"{text[:60]}" cannot be a service\'s name; use at most {LONGEST} small letters, digits and hyphens, '
                "beginning with a letter, such as order-status"
            )
        if kebab in RESERVED:
            raise Invalid(f'"{kebab}" already means something else here; choose another name, such as {kebab}-desk')
        return cls(kebab)

    @property
    def snake(self) -> str:
        """The name of its folder."""
        return self.kebab.replace("-", "_")

    @property
    def package(self) -> str:
        """The name to import."""
        return f"parley_{self.snake}"

    @property
    def title(self) -> str:
        """`OrderStatus`."""
        return "".join(word.capitalize() for word in self.kebab.split("-"))
