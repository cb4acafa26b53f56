"""Makes the folder of a new service, modelled on the tutorial, and registers it in pyproject.toml."""

from parley.cli.scaffold.files import create_service
from parley.cli.scaffold.names import ServiceName

__all__ = ["ServiceName", "create_service"]
