"""What can be wrong with a component, gravest first, and which field of the spec could cure it. Pure."""

from dataclasses import dataclass
from enum import Enum, auto

from insight_operator import naming


class Trouble(Enum):
    """Kinds of trouble, gravest first."""

    QUOTA = auto()
    REFUSED = auto()
    IMAGE = auto()
    CONFIGURATION = auto()
    MEMORY = auto()
    LIVENESS = auto()
    CRASH = auto()
    VOLUME = auto()
    UNSCHEDULABLE = auto()
    NODE = auto()
    ENDED = auto()
    PROBE = auto()


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with one component.

    Attributes:
        trouble: what kind it is.
        message: the sentence: which pod, what is wrong, and the cure.
    """

    trouble: Trouble
    message: str


_FIELDS = {
    naming.API: "spec.api",
    naming.WORKER: "spec.workers",
    naming.POSTGRES: "spec.database.managed",
    naming.REDIS: "spec.broker.managed",
}


def resources_cure(part: str, field: str) -> str:
    """Return where a component's resources are set: `requests`, `limits.memory` and so on, or all of them."""
    if part in _FIELDS:
        return f"{_FIELDS[part]}.resources{field and f'.{field}'}"
    return f"the resources{field and f'.{field}'} of the migrate Job (the administrator's podOverlays)"


def image_cure(part: str) -> str:
    """Return where a component's image is set."""
    return f"{_FIELDS[part]}.image" if part in {naming.POSTGRES, naming.REDIS} else "spec.image"


def storage_cure(part: str) -> str:
    """Return where a component's volume is set."""
    return f"{_FIELDS[part]}.storage" if part in {naming.POSTGRES, naming.REDIS} else "spec"
