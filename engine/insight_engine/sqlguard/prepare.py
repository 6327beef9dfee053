"""prepare(): judge a statement against policy and grants; the only maker of PreparedQuery. Pure."""

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import Catalog, DataSource, Grants
from insight_engine.sqlguard.sealed import Parameters, PreparedQuery, claim_sealer

_seal = claim_sealer()


def prepare(
    sql: str,
    *,
    source: DataSource,
    grants: Grants,
    limits: QueryLimits,
    parameters: Parameters | None = None,
    catalog: Catalog | None = None,
) -> PreparedQuery:
    """Judge `sql` and seal it for execution.

    Args:
        sql: one query, as the user wrote it.
        source: what it will run on; decides the dialect and where unqualified tables are looked up.
        grants: what the caller may read.
        limits: caps to carry along.
        parameters: values for the statement's placeholders, by position.
        catalog: the source's tables and columns, when known: columns are then checked one by one.

    Raises:
        Rejected: with every reason found, when it may not run.
    """
    raise NotImplementedError
