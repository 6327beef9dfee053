"""One data file per dialect, and what they share. A dialect without a file here is refused."""

from collections.abc import Mapping

from insight_engine.domain.sources import Dialect
from insight_engine.sqlguard.policies.duckdb import DUCKDB
from insight_engine.sqlguard.policies.mysql import MYSQL
from insight_engine.sqlguard.policies.postgres import POSTGRES
from insight_engine.sqlguard.policies.sqlite import SQLITE
from insight_engine.sqlguard.policy import Policy

POLICIES: Mapping[Dialect, Policy] = {policy.dialect: policy for policy in (POSTGRES, MYSQL, SQLITE, DUCKDB)}
"""Every policy there is, by dialect."""
