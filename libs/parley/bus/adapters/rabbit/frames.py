"""What an AMQP message of ours says about itself: header names, and properties that make each attempt distinct."""

import itertools
import uuid
from collections.abc import Mapping
from typing import Any

from aiormq import spec

HEADER_TRACE = "traceparent"
HEADER_EXCHANGE = "parley-exchange"
HEADER_KEY = "parley-key"
CONTENT_TYPE = "application/x-protobuf; messageType=parley.contracts.v1.Batch"
TRANSIENT, PERSISTENT = 1, 2

_life = uuid.uuid4().hex
_attempts = itertools.count()


def properties_of(*, durable: bool, headers: Mapping[str, Any] | None) -> spec.Basic.Properties:
    """The properties of one attempt.

    The message id is new for each: returns are matched by it, and one id twice on a channel is a false success.
    """
    return spec.Basic.Properties(
        message_id=f"{_life}.{next(_attempts)}",
        delivery_mode=PERSISTENT if durable else TRANSIENT,
        headers=dict(headers) if headers else None,
        content_type=CONTENT_TYPE,
    )
