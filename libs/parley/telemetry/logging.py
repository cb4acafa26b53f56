"""JSON log lines with the trace id on each. Events, not sentences; customers' words never."""

import logging
import sys
from typing import Any

import orjson

from parley.core import redact
from parley.telemetry.tracing import current_trace_id


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, event, service, trace_id and the fields given."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record; fields whose names say secret are hidden."""
        fields: dict[str, Any] = getattr(record, "fields", {})
        line: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            "trace_id": getattr(record, "trace_id", "") or current_trace_id(),
            **{
                key: value if isinstance(value, (int, float)) else redact(value, key=key)
                for key, value in fields.items()
            },
        }
        if record.exc_info:
            line["error"] = redact(self.formatException(record.exc_info))
        return orjson.dumps(line, default=str).decode()


class Log:
    """Logs named events with fields: `log.info("reply.sent", session=id, chars=12)`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"parley.{name}")

    def debug(self, event: str, **fields: object) -> None:
        """For whoever follows one message."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Something that an operator may want to know; not once per message."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something went wrong and was dealt with."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, *, exc: BaseException | None = None, **fields: object) -> None:
        """Something went wrong that a person should look at."""
        self._write(logging.ERROR, event, fields, exc)

    def _write(self, level: int, event: str, fields: dict[str, object], exc: BaseException | None = None) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"fields": fields}, exc_info=exc)


def configure_logging(level: str = "INFO") -> None:
    """Send every log of this process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.getLevelName(level), logging.WARNING))
    logging.getLogger("parley").setLevel(level)
