"""Every environment variable the engine reads, with its default and the sentence shown when it is wrong.

The operator renders exactly this list (a test compares the two). Secrets are never here: they are files, see
`adapters/config/secrets.py`. Nothing else in the engine reads the environment for configuration.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from insight_engine.domain.errors import ConfigurationError

PREFIX: Final = "INSIGHT_"
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
RESULT_STORES: Final = ("database", "folder", "s3")


@dataclass(frozen=True, slots=True)
class Settings:
    """One process's configuration; each field is the variable INSIGHT_<FIELD>.

    Attributes:
        instance: name of the InsightEngine this process belongs to; part of tokens, channels and queues.
        log_level: least severity written to the log.
        secrets_dir: folder with one folder of files per secret set.
        sources_file: JSON file that lists the data sources.
        api_port: port of the API.
        internal_port: port of metrics and pod health.
        api_processes: processes that serve the API.
        access_token_ttl_s: seconds an access token is valid.
        worker_concurrency: queries one worker runs at a time.
        worker_events: whether workers tell a monitor such as Flower what they do, through the broker.
        drain_timeout_s: seconds a stopping worker lets its queries finish before it hands them back.
        result_store: where results are kept: `database`, `folder` or `s3`.
        result_dir: folder of the result store `folder`, shared by API and workers.
        result_ttl_s: seconds a result can be read after its query ended.
        history_days: days the record of a query is kept.
        tmp_dir: the only folder that is written to, beside `result_dir`.
        termination_log: file that receives the outcome of a Job.
    """

    instance: str = "insight"
    log_level: str = "INFO"
    secrets_dir: Path = Path("/var/run/insight")
    sources_file: Path = Path("/etc/insight/sources.json")
    api_port: int = 8000
    internal_port: int = 9090
    api_processes: int = 2
    access_token_ttl_s: int = 86_400
    worker_concurrency: int = 4
    worker_events: bool = False
    drain_timeout_s: int = 290
    result_store: str = "database"
    result_dir: Path = Path("/var/lib/insight/results")
    result_ttl_s: int = 86_400
    history_days: int = 30
    tmp_dir: Path = Path("/tmp")  # noqa: S108 - the one writable mount of every pod
    termination_log: Path = Path("/dev/termination-log")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read the settings.

        Raises:
            ConfigurationError: naming the variable, what it holds and what it may hold.
        """
        known = {PREFIX + field.name.upper(): field.name for field in fields(cls)}
        given: dict[str, Any] = {
            known[key]: _parse(key, known[key], value) for key, value in env.items() if key in known
        }
        return replace(cls(), **given)


def _parse(variable: str, field: str, text: str) -> object:
    return _PARSERS[field](variable, text)


def _whole(low: int, high: int) -> Callable[[str, str], int]:
    def parse(variable: str, text: str) -> int:
        if text.isascii() and text.isdigit() and low <= int(text) <= high:
            return int(text)
        raise ConfigurationError(
            "bad_setting", f"{variable} is {text!r}: set it to a whole number from {low} to {high}"
        )

    return parse


def _flag(variable: str, text: str) -> bool:
    if text in {"true", "false"}:
        return text == "true"
    raise ConfigurationError("bad_setting", f"{variable} is {text!r}: set it to true or false")


def _path(variable: str, text: str) -> Path:
    if not text.startswith("/"):
        raise ConfigurationError("bad_setting", f"{variable} is {text!r}: set it to an absolute path")
    return Path(text)


def _instance(variable: str, text: str) -> str:
    if 0 < len(text) <= 63 and all(c.isascii() and (c.isalnum() or c in "-_.") for c in text):  # noqa: PLR2004
        return text
    raise ConfigurationError(
        "bad_setting", f"{variable} is {text!r}: use 1 to 63 letters, digits, '-', '_', '.'"
    )


def _result_store(variable: str, text: str) -> str:
    if text in RESULT_STORES:
        return text
    raise ConfigurationError(
        "bad_setting", f"{variable} is {text!r}: set it to one of {', '.join(RESULT_STORES)}"
    )


def _log_level(variable: str, text: str) -> str:
    if text.upper() in LOG_LEVELS:
        return text.upper()
    raise ConfigurationError(
        "bad_setting", f"{variable} is {text!r}: set it to one of {', '.join(LOG_LEVELS)}"
    )


_PARSERS: Final[Mapping[str, Callable[[str, str], object]]] = {
    "instance": _instance,
    "log_level": _log_level,
    "secrets_dir": _path,
    "sources_file": _path,
    "api_port": _whole(1, 65_535),
    "internal_port": _whole(1, 65_535),
    "api_processes": _whole(1, 64),
    "access_token_ttl_s": _whole(60, 2_592_000),
    "worker_concurrency": _whole(1, 256),
    "worker_events": _flag,
    "drain_timeout_s": _whole(1, 86_400),
    "result_store": _result_store,
    "result_dir": _path,
    "result_ttl_s": _whole(60, 604_800),
    "history_days": _whole(1, 3650),
    "tmp_dir": _path,
    "termination_log": _path,
}
