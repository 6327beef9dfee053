"""What can go wrong between operator and API server. No HTTP library's error leaks out of `cluster`."""

from typing import ClassVar


class ClusterError(Exception):
    """A request that the API server refused or never got.

    Attributes:
        status: the HTTP status; 0 when there was no answer.
        passing: whether the same request may succeed later by itself.
    """

    status: int = 0
    passing: ClassVar[bool] = False

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class LoginError(ClusterError):
    """No usable kubeconfig or service account; the message says what was looked for."""


class Unreachable(ClusterError):  # noqa: N818 - reads as what the world is
    """No answer in time, or one that says "later" (429, 5xx)."""

    passing = True


class Outdated(ClusterError):  # noqa: N818
    """The object changed or was replaced since it was read (409 on a write with a precondition)."""

    passing = True


class AlreadyExists(ClusterError):  # noqa: N818
    """A create met an object of that name."""


class NotFound(ClusterError):  # noqa: N818
    """There is no such object, or no such kind."""


class Forbidden(ClusterError):  # noqa: N818
    """The operator's rights, a quota or an admission policy refuse it."""


class Refused(ClusterError):  # noqa: N818
    """The API server calls the request wrong (400, 415, 422): a defect of what was rendered."""


class LeftoverError(ClusterError):
    """A child of a deleted InsightEngine of the same name is still being collected."""

    passing = True


def from_status(status: int, reason: str, message: str) -> ClusterError:
    """Return the error for an HTTP status and the `reason` of the API server's Status object."""
    if status == 409:  # noqa: PLR2004
        return AlreadyExists(message, status) if reason == "AlreadyExists" else Outdated(message, status)
    kinds: dict[int, type[ClusterError]] = {401: LoginError, 403: Forbidden, 404: NotFound, 410: Outdated}
    if status in kinds:
        return kinds[status](message, status)
    if status == 429 or status >= 500:  # noqa: PLR2004
        return Unreachable(message, status)
    return Refused(message, status)
