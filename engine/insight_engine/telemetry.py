"""JSON logs on stdout with the correlation id on every line, scrubbed of secrets."""

import json
import logging
import re
import sys
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any, Final

import orjson
import structlog
from asgi_correlation_id.context import correlation_id

REDACTED: Final = "[redacted]"
_SECRET_KEY: Final = re.compile(
    r"passw|secret|token|authorization|credential|api_?key|conninfo|dsn|\buri\b", re.IGNORECASE
)
_SECRET_TEXT: Final = re.compile(
    r"(?P<url>://[^/\s:@]*:)\S+(?=@)"  # up to the last @: a password may hold one
    r"|(?P<pair>[\"']?\b(?:password|passwd|pwd|secret|token)[\"']?\s*(?:=\s*|:\s*(?=[\"'])))"
    r"(?:\"[^\"]*\"|'[^']*'|[^\s,;&'\"]+)"
    # Prose may go on after "secret:"; after "password:" stands one.
    r"|(?P<said>\b(?:password|passwd|pwd):\s*)[^\s,;&'\"]+"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
    r"|(?P<bearer>\bBearer\s+)\S+",
    re.IGNORECASE,
)
_NOISY: Final = (
    "aiosqlite",
    "alembic",
    "asyncio",
    "celery",
    "kombu",
    "passlib",
    "redis",
    "sqlalchemy",
    "sqlglot",
)

Event = MutableMapping[str, Any]


def scrub(text: str) -> str:
    """The text without passwords in addresses, key=value secrets and tokens."""
    return _SECRET_TEXT.sub(
        lambda m: (m["url"] or m["pair"] or m["said"] or m["bearer"] or "") + REDACTED,
        text,
    )


def redact(_logger: object, _method: str, event: Event) -> Event:
    """Drop whatever is a secret by its name or its look."""
    for key, value in event.items():
        event[key] = REDACTED if _is_secret(key) else _clean(value)
    return event


@lru_cache(1024)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return redact(None, "", {str(key): inner for key, inner in value.items()})
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return value


def add_correlation_id(_logger: object, _method: str, event: Event) -> Event:
    """Carry the id of the request or task that is being served."""
    if (current := correlation_id.get()) is not None:
        event.setdefault("correlation_id", current)
    return event


def _json(event: Event, **_: Any) -> str:
    try:
        return orjson.dumps(event, default=str).decode()
    except TypeError:  # it refuses what JSON cannot hold, as a key that is no text or a lone surrogate
        return json.dumps(event, default=str)


def configure_logging(level: str) -> None:
    """Route structlog and every library's log through one JSON handler on stdout."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        add_correlation_id,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.stdlib.PositionalArgumentsFormatter(),
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger of ours."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
