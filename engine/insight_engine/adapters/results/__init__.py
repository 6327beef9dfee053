"""Result stores beside the metadata store: a folder, an S3-compatible store; and what chooses among them."""

from datetime import date
from typing import Final

from insight_engine.domain.errors import Unavailable
from insight_engine.domain.jobs import Attempt, Job

DAY: Final = "%Y-%m-%d"


def written_key(attempt: Attempt, seq: int) -> str:
    """Where a chunk of an attempt is written: `day/query/attempt/seq`."""
    return f"{attempt.bucket.strftime(DAY)}/{attempt.job.id}/{attempt.number}/{seq}"


def result_folder(job: Job) -> str:
    """Below which the chunks of a finished query are read; another query's, when its result is shared.

    Raises:
        ValueError: the query has no result.
    """
    if job.result_bucket is None:
        raise ValueError(f"Query {job.id} has no result")
    attempt = job.attempt if job.result_attempt is None else job.result_attempt
    return f"{job.result_bucket.strftime(DAY)}/{job.result_id or job.id}/{attempt}"


def is_older(name: str, oldest: date) -> bool:
    """Whether `name` is a day before `oldest`; False for whatever is no day: it is not ours to delete."""
    try:
        day = date.fromisoformat(name)
    except ValueError:
        return False
    return len(name) == len("2000-01-01") and day < oldest


def away() -> Unavailable:
    """The one sentence a caller sees; the cause goes to the log only."""
    return Unavailable(
        "result_store_unavailable", "The store of results does not answer. Try again in a few seconds."
    )
