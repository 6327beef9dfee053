"""The only door to any data source: judge a statement, default deny, and seal what may run.

Pure: imports nothing but the domain and sqlglot. Adapters accept a PreparedQuery and nothing else.
"""

from insight_engine.sqlguard.prepare import prepare
from insight_engine.sqlguard.reasons import Reason, ReasonCode, Rejected
from insight_engine.sqlguard.sealed import Bound, NotPreparedError, Parameters, PreparedQuery, Scalar

__all__ = [
    "Bound",
    "NotPreparedError",
    "Parameters",
    "PreparedQuery",
    "Reason",
    "ReasonCode",
    "Rejected",
    "Scalar",
    "prepare",
]
