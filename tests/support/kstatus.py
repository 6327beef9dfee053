"""kstatus's rules for a custom resource, written again from their description.

Deletion, then whether the generation was seen, then the abnormal-true conditions Reconciling and Stalled,
then Ready; a resource that says nothing at all counts as Current.
"""

from enum import StrEnum

from insight_operator.snapshot import Manifest


class Status(StrEnum):
    """What kstatus calls a resource."""

    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    CURRENT = "Current"
    TERMINATING = "Terminating"


def kstatus(resource: Manifest) -> Status:
    """Return what `helm --wait`, Flux and others would take the resource for."""
    metadata, status = resource["metadata"], resource.get("status", {})
    if metadata.get("deletionTimestamp"):
        return Status.TERMINATING
    if "observedGeneration" in status and status["observedGeneration"] != metadata["generation"]:
        return Status.IN_PROGRESS
    conditions = {item["type"]: item["status"] for item in status.get("conditions", ())}
    if conditions.get("Reconciling") == "True":
        return Status.IN_PROGRESS
    if conditions.get("Stalled") == "True":
        return Status.FAILED
    return Status.CURRENT if conditions.get("Ready", "True") == "True" else Status.IN_PROGRESS
