"""A model's server that says only what a test tells it to, on the vendors' own wire, over real connections."""

from parley.testing.model.ledger import Call, Ledger
from parley.testing.model.script import MODES, Script, ToolUse
from parley.testing.model.server import ModelServer, model_server
from parley.testing.model.tokens import count_tokens

__all__ = ["MODES", "Call", "Ledger", "ModelServer", "Script", "ToolUse", "count_tokens", "model_server"]
