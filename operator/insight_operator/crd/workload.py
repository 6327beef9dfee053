"""What the API and the workers have in common: probes, user, disruption budget, log level."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from insight_operator.crd.base import Model


class LogLevel(StrEnum):
    """Least severe log line that is written."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class LivenessProbe(Model):
    """Timing of the liveness probe; its path and port are fixed."""

    initial_delay_seconds: Annotated[int, Field(ge=0, le=3600)] = 30
    """Seconds after the start before the first try."""
    timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    """Seconds an answer may take."""
    period_seconds: Annotated[int, Field(ge=1, le=300)] = 10
    """Seconds between tries."""
    success_threshold: Annotated[int, Field(ge=1, le=1)] = 1
    """Successes in a row that count as alive; Kubernetes allows only 1."""
    failure_threshold: Annotated[int, Field(ge=1, le=30)] = 3
    """Failures in a row that restart the container."""


class ReadinessProbe(Model):
    """Timing of the readiness probe; its path and port are fixed."""

    initial_delay_seconds: Annotated[int, Field(ge=0, le=3600)] = 10
    """Seconds after the start before the first try."""
    timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 3
    """Seconds an answer may take."""
    period_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    """Seconds between tries."""
    success_threshold: Annotated[int, Field(ge=1, le=30)] = 1
    """Successes in a row that make the pod ready."""
    failure_threshold: Annotated[int, Field(ge=1, le=30)] = 2
    """Failures in a row that take the pod out of service."""


class SecurityContext(Model):
    """Which user a pod runs as; everything else is fixed at the restricted profile."""

    run_as_user: Annotated[int, Field(ge=1, le=2147483647)] = 10001
    """UID, GID and file group; never 0."""


class DisruptionBudget(Model):
    """How many pods a voluntary disruption, such as a node drain, may take at once."""

    max_unavailable: Annotated[int, Field(ge=1, le=200)] = 1
    """Pods that may be down at once; at least 1, or a node could never be drained."""
