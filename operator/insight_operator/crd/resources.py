"""What each container may use. Defaults differ per component, so each has its own pair of small models.

Requests for CPU are small on purpose: a node of two cores must hold a whole instance and the operator.
Memory and ephemeral storage are requested in full, since running out of either ends a pod.
"""

from typing import ClassVar

from pydantic import Field

from insight_operator.crd.base import Bytes, Cpu, Model, Rule, amount


class Requests(Model):
    """What the scheduler sets aside."""

    cpu: Cpu
    """Processor time set aside, in cores or thousandths (`500m`)."""
    memory: Bytes | None = None
    """Memory set aside; the limit when absent."""
    ephemeral_storage: Bytes | None = Field(default=None, alias="ephemeral-storage")
    """Local disk set aside; the limit when absent."""


class Limits(Model):
    """What the container may use at most."""

    cpu: Cpu
    """Processor time at most, in cores or thousandths."""
    memory: Bytes
    """Memory at most; beyond it the container is killed."""
    ephemeral_storage: Bytes = Field(default="256Mi", alias="ephemeral-storage")
    """Local disk at most, logs and temporary files together."""


def _bounded(name: str, attribute: str, cel_name: str) -> Rule:
    def holds(resources: "Resources") -> bool:
        asked = getattr(resources.requests, attribute)
        return asked is None or amount(asked) <= amount(getattr(resources.limits, attribute))

    asked, limit = f"self.requests.{cel_name}", f"self.limits.{cel_name}"
    cel = f"!has({asked}) || quantity(string({asked})).compareTo(quantity(string({limit}))) <= 0"
    return Rule(cel, f"requests.{name} must not exceed limits.{name}", holds)


class Resources(Model):
    """Requests and limits of a component's container."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        _bounded("cpu", "cpu", "cpu"),
        _bounded("memory", "memory", "memory"),
        _bounded("ephemeral-storage", "ephemeral_storage", "ephemeral__dash__storage"),
        Rule(
            "quantity(string(self.limits.cpu)).isGreaterThan(quantity('0'))",
            "limits.cpu must be above 0",
            lambda resources: amount(resources.limits.cpu) > 0,
        ),
    )

    requests: Requests
    """What the scheduler sets aside."""
    limits: Limits
    """What the container may use at most."""


class ApiRequests(Requests):
    """What the scheduler sets aside for an API pod."""

    cpu: Cpu = "50m"
    """Processor time set aside, in cores or thousandths (`500m`)."""


class ApiLimits(Limits):
    """What an API pod may use at most."""

    cpu: Cpu = "1"
    """Processor time at most, in cores or thousandths."""
    memory: Bytes = "512Mi"
    """Memory at most; beyond it the container is killed."""


class ApiResources(Resources):
    """Requests and limits of the API container."""

    requests: ApiRequests = ApiRequests()
    """What the scheduler sets aside."""
    limits: ApiLimits = ApiLimits()
    """What the container may use at most."""


class WorkerRequests(Requests):
    """What the scheduler sets aside for a worker pod."""

    cpu: Cpu = "50m"
    """Processor time set aside, in cores or thousandths (`500m`)."""


class WorkerLimits(Limits):
    """What a worker pod may use at most."""

    cpu: Cpu = "1"
    """Processor time at most, in cores or thousandths."""
    memory: Bytes = "768Mi"
    """Memory at most; beyond it the container is killed."""
    ephemeral_storage: Bytes = Field(default="1Gi", alias="ephemeral-storage")
    """Local disk at most, logs and temporary files together."""


class WorkerResources(Resources):
    """Requests and limits of the worker container."""

    requests: WorkerRequests = WorkerRequests()
    """What the scheduler sets aside."""
    limits: WorkerLimits = WorkerLimits()
    """What the container may use at most."""


class DatabaseRequests(Requests):
    """What the scheduler sets aside for the managed PostgreSQL."""

    cpu: Cpu = "100m"
    """Processor time set aside, in cores or thousandths (`500m`)."""


class DatabaseLimits(Limits):
    """What the managed PostgreSQL may use at most."""

    cpu: Cpu = "1"
    """Processor time at most, in cores or thousandths."""
    memory: Bytes = "512Mi"
    """Memory at most; beyond it the container is killed."""


class DatabaseResources(Resources):
    """Requests and limits of the managed PostgreSQL."""

    requests: DatabaseRequests = DatabaseRequests()
    """What the scheduler sets aside."""
    limits: DatabaseLimits = DatabaseLimits()
    """What the container may use at most."""


class BrokerRequests(Requests):
    """What the scheduler sets aside for the managed Redis."""

    cpu: Cpu = "50m"
    """Processor time set aside, in cores or thousandths (`500m`)."""


class BrokerLimits(Limits):
    """What the managed Redis may use at most."""

    cpu: Cpu = "500m"
    """Processor time at most, in cores or thousandths."""
    memory: Bytes = "256Mi"
    """Memory at most; beyond it the container is killed."""


class BrokerResources(Resources):
    """Requests and limits of the managed Redis."""

    requests: BrokerRequests = BrokerRequests()
    """What the scheduler sets aside."""
    limits: BrokerLimits = BrokerLimits()
    """What the container may use at most."""
