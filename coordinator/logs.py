"""The log: one JSON object a line, to standard error or a rotated file, and never a secret.

Fields: ts, level, event, fed, round, attempt, phase, node (8 characters of its id), sid, inc. Two
rules hold for every line, whoever wrote it: bytes are never printed (a node's or session's id is
shortened, anything else becomes its length), and full addresses appear at debug level only. Of an
exception's text only our own are printed: others may quote what a stranger sent.
"""

import logging
import logging.handlers
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Literal  # Any: structlog's own signature of a processor

import structlog

from fedtui.crypto.keys import short_id
from fedtui.errors import FedtuiError

Level = Literal["debug", "info", "warning", "error"]
EventDict = MutableMapping[str, Any]
_SHORTENED = {"node", "sid"}
_DEBUG_ONLY = {"address", "ip"}
_MAX_TEXT = 400


def set_up(
    level: Level, *, file: Path | None = None, max_bytes: int = 10_000_000, keep: int = 5
) -> None:
    """Send the log of this process, and of the libraries in it, where the operator wants it.

    Raises:
        OSError: the file cannot be opened.
    """
    handler: logging.Handler
    if file is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = logging.handlers.RotatingFileHandler(
            file, maxBytes=max_bytes, backupCount=keep, encoding="utf-8"
        )
        file.chmod(0o600)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        _plain_exception,
        _without_secrets,
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=_unprintable),
            ],
        )
    )
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
        former.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _without_secrets(_logger: object, method: str, event: EventDict) -> EventDict:
    for key, value in list(event.items()):
        if key in _DEBUG_ONLY and method != "debug":
            del event[key]
        elif isinstance(value, bytes | bytearray | memoryview):
            data = bytes(value)
            short = key in _SHORTENED and len(data) >= 5
            event[key] = short_id(data) if short else f"<{len(data)} bytes>"
        elif isinstance(value, str) and len(value) > _MAX_TEXT:
            event[key] = value[:_MAX_TEXT]
    return event


def _plain_exception(_logger: object, _method: str, event: EventDict) -> EventDict:
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info
    error = error[1] if isinstance(error, tuple) else error
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)[-12:]
        event["where"] = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames]
        event["error"] = type(error).__name__
        if isinstance(error, FedtuiError | OSError):
            event["text"] = str(error)
    return event


def _unprintable(value: object) -> str:
    """What JSON cannot hold is named by its type only."""
    return f"<{type(value).__name__}>"
