"""What the operator's own environment says. Only this file and cluster/login.py read the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from insight_operator import __version__
from insight_operator.cluster.kinds import EVERYWHERE
from insight_operator.desired.overlays import OverlaysRefused, checked
from insight_operator.images import ImageSettings, repository
from insight_operator.overlays import NO_OVERLAYS, PodOverlays

POD_OVERLAYS = "INSIGHT_OPERATOR_POD_OVERLAYS"

DEFAULT_ENGINE_IMAGE = f"ghcr.io/insight-engine/insight-engine:{__version__}"
DEFAULT_POSTGRES_IMAGE = "docker.io/library/postgres:18"
DEFAULT_REDIS_IMAGE = "docker.io/library/redis:7"


class SettingsError(Exception):
    """Settings that cannot be used; the message is a `FIELD: message` line for each mistake."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one operator process runs.

    Attributes:
        namespaces: where it looks after InsightEngines; `*` alone is everywhere; empty when only the login
            knows.
        images: what it deploys and what a CR may name.
        overlays: what the administrator lays over pod templates.
        log_level: name of the least level that is logged.
        resync_s: least seconds between two looks at Secrets, which cannot be watched, and at lists.
        concurrency: InsightEngines worked on at once.
        listen: address and port of the health and metrics server.
    """

    namespaces: tuple[str, ...]
    images: ImageSettings
    overlays: PodOverlays
    log_level: str
    resync_s: float
    concurrency: int
    listen: tuple[str, int]


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. Raises SettingsError for a value that cannot be used."""
    given = os.environ if environment is None else environment
    return Settings(
        namespaces=_namespaces(given),
        images=image_settings(given),
        overlays=pod_overlays(given.get(POD_OVERLAYS, "")),
        log_level=_level(given.get("INSIGHT_OPERATOR_LOG_LEVEL", "INFO")),
        resync_s=_number(given, "INSIGHT_OPERATOR_RESYNC_S", "30"),
        concurrency=int(_number(given, "INSIGHT_OPERATOR_CONCURRENCY", "16")),
        listen=_address(given.get("INSIGHT_OPERATOR_LISTEN", "0.0.0.0:9090")),
    )


def image_settings(environment: Mapping[str, str] | None = None) -> ImageSettings:
    """Read the images alone: what `render` needs."""
    given = os.environ if environment is None else environment
    engine = given.get("INSIGHT_OPERATOR_ENGINE_IMAGE") or DEFAULT_ENGINE_IMAGE
    allowed = _names(given.get("INSIGHT_OPERATOR_IMAGE_ALLOWLIST", "")) or (repository(engine),)
    return ImageSettings(
        engine=engine,
        postgres=given.get("INSIGHT_OPERATOR_POSTGRES_IMAGE") or DEFAULT_POSTGRES_IMAGE,
        redis=given.get("INSIGHT_OPERATOR_REDIS_IMAGE") or DEFAULT_REDIS_IMAGE,
        allowlist=frozenset(allowed),
    )


def pod_overlays(file: str, field: str = POD_OVERLAYS) -> PodOverlays:
    """Read the overlays in a YAML file that `field` names; none when it names none. Raises SettingsError."""
    if not file:
        return NO_OVERLAYS
    try:
        return checked(yaml.safe_load(Path(file).read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError(f"{field}: {file} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        text = " ".join(str(error).split())
        raise SettingsError(f"{field}: {file} cannot be read as YAML: {text}") from error
    except OverlaysRefused as refused:
        raise SettingsError(str(refused)) from refused


def _namespaces(given: Mapping[str, str]) -> tuple[str, ...]:
    found = _names(given.get("INSIGHT_OPERATOR_NAMESPACES", "") or given.get("POD_NAMESPACE", ""))
    if EVERYWHERE in found and len(found) > 1:
        raise SettingsError(
            f"INSIGHT_OPERATOR_NAMESPACES: is {','.join(found)!r}; use names, or {EVERYWHERE} alone for all."
        )
    return found


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))


def _level(text: str) -> str:
    level = text.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise SettingsError(f"INSIGHT_OPERATOR_LOG_LEVEL: is {text!r}; use DEBUG, INFO, WARNING or ERROR.")
    return level


def _number(given: Mapping[str, str], name: str, default: str) -> float:
    text = given.get(name) or default
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 1 <= number <= 86_400:  # noqa: PLR2004 - a day
        raise SettingsError(f"{name}: is {text!r}; use a number from 1 to 86400.")
    return number


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise SettingsError(f"INSIGHT_OPERATOR_LISTEN: is {text!r}; use HOST:PORT, such as 0.0.0.0:9090.")
    return host.strip("[]"), int(port)
