"""How asking a data source can fail: a few kinds with stable codes, free of drivers and of secrets. Pure."""


class SourceError(Exception):
    """A data source gave no answer.

    Attributes:
        code: stable name of the kind, part of the API.
        message: a sentence for the user; never holds an address, a login or a password.
        retriable: whether the same query may succeed later, unchanged.
    """

    code = "source_error"
    retriable = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SourceUnreachable(SourceError):  # noqa: N818 - says what happened
    """The server does not answer, or the file cannot be opened."""

    code = "source_unreachable"
    retriable = True


class SourceRefusedCredentials(SourceError):  # noqa: N818 - says what happened
    """The server answers and does not let us in."""

    code = "source_refused_credentials"


class SourceBusy(SourceError):  # noqa: N818 - says what happened
    """All connections that this source may have were in use until the query's time was up."""

    code = "source_busy"
    retriable = True


class SourceMisconfigured(SourceError):  # noqa: N818 - says what happened
    """The source's own settings cannot work: no path, no credential, no schema."""

    code = "source_misconfigured"


class QueryFailed(SourceError):  # noqa: N818 - says what happened
    """The database refused or gave up on the statement; `message` is its own, scrubbed."""

    code = "query_failed"


class QueryTimedOut(SourceError):  # noqa: N818 - says what happened
    """The query met its time limit and its work was ended."""

    code = "timed_out"


class QueryCancelled(SourceError):  # noqa: N818 - says what happened
    """Someone cancelled the query and its work was ended."""

    code = "cancelled"
