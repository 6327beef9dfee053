"""The errors a user can cause or must know of, each with its field and cure. No transport errors here.

Whoever decides about a resource (validate, credentials, apply) raises one of these; status/derive.py turns
it into the Stalled condition, and the queue's table decides from `terminal` whether retrying can help.
"""

from typing import ClassVar


class OperatorError(Exception):
    """A reason why an InsightEngine cannot be brought to its spec.

    Attributes:
        field: path of the field it is about, as the user writes it (`spec.database.external.secretRef.name`).
        message: one sentence that names the cause and the cure; never holds a secret value.
        reason: the reason of the Stalled condition; a member of `status.conditions.StalledReason`.
        terminal: whether only a person or a change of the spec can cure it.
    """

    reason: ClassVar[str]
    terminal: ClassVar[bool] = True

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class InvalidSpec(OperatorError):  # noqa: N818 - reads as the condition reason it becomes
    """The spec says something that cannot be built."""

    reason = "InvalidSpec"


class InvalidReference(OperatorError):  # noqa: N818
    """The spec names something that is absent, not opted in, or lacks what is needed."""

    reason = "InvalidReference"


class Conflict(OperatorError):  # noqa: N818
    """An object that somebody else owns stands under the name of a child; it is left untouched."""

    reason = "Conflict"


class QuotaExceeded(OperatorError):  # noqa: N818
    """The namespace's ResourceQuota refuses a child."""

    reason = "QuotaExceeded"


class WriteForbidden(OperatorError):  # noqa: N818
    """The operator's rights or an admission policy refuse to let a child be written."""

    reason = "Forbidden"
