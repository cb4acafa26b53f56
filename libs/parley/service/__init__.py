"""A service: what it handles, what it serves, and the process that runs it."""

from parley.service.context import Context
from parley.service.definition import Service

__all__ = ["Context", "Service"]
