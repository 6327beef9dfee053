"""Ends a query's backend from a second connection, by the name that the query runs under.

The advisory lock on that name is what keeps a signal from hitting a later query of the same backend:
see postgres_session.py.
"""

import time
from typing import Final

import psycopg

from insight_engine.adapters.sources.postgres_connect import Login
from insight_engine.adapters.sources.postgres_session import advisory_key

ASK_AGAIN_S: Final = 0.02
TERMINATE_AFTER_S: Final = 0.15
CONNECT_WITHIN_S: Final = 3
GIVE_UP_AFTER_S: Final = 10.0
_CANCEL: Final = """
    SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity
    WHERE application_name = %s AND usename = CURRENT_USER AND pid <> pg_catalog.pg_backend_pid()
"""
_TERMINATE: Final = _CANCEL.replace("pg_cancel_backend", "pg_terminate_backend")


def end(login: Login, application_name: str) -> bool:
    """Cancel every backend of that name, terminate what does not obey soon; True once there is none.

    A backend that is stuck sending to a client that reads no more hears a termination only.
    Unreachable servers count as not ended: their own statement_timeout then does it.
    """
    started = time.monotonic()
    try:
        with login.connect(CONNECT_WITHIN_S) as control:
            control.execute("SET statement_timeout = '5s'")
            while (waited := time.monotonic() - started) < GIVE_UP_AFTER_S:
                statement = _CANCEL if waited < TERMINATE_AFTER_S else _TERMINATE
                with control.transaction():
                    lock = "SELECT pg_catalog.pg_advisory_xact_lock(%s)"
                    control.execute(lock, (advisory_key(application_name),))
                    found = control.execute(statement, (application_name,)).fetchall()
                if not found:
                    return True
                time.sleep(ASK_AGAIN_S)
    except psycopg.Error:
        return False
    return False
