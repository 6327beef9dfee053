"""Builds the PodDisruptionBudgets of the Deployments. Pure.

The managed components run one pod each; a budget could only forbid every drain, so they have none.
"""

from insight_operator import naming
from insight_operator.crd.workload import DisruptionBudget
from insight_operator.desired.objects import owned
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine


def api_disruption_budget(engine: ValidatedEngine) -> Manifest:
    """Return the budget of the API."""
    return _budget(engine, naming.API, engine.spec.api.disruption_budget)


def worker_disruption_budget(engine: ValidatedEngine) -> Manifest:
    """Return the budget of the workers."""
    return _budget(engine, naming.WORKER, engine.spec.workers.disruption_budget)


def _budget(engine: ValidatedEngine, part: str, budget: DisruptionBudget) -> Manifest:
    return owned(engine, "policy/v1", "PodDisruptionBudget", part) | {
        "spec": {
            "maxUnavailable": budget.max_unavailable,
            "selector": {"matchLabels": naming.selector(engine, part)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        }
    }
