"""Ends a query's backend from a second connection, by the name that the query runs under."""

import time

import psycopg

ASK_AGAIN_S = 0.02
TERMINATE_AFTER_S = 1.0
GIVE_UP_AFTER_S = 10.0
_CANCEL = """
    SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity
    WHERE application_name = %s AND usename = CURRENT_USER AND pid <> pg_catalog.pg_backend_pid()
"""
_TERMINATE = _CANCEL.replace("pg_cancel_backend", "pg_terminate_backend")


def end(conninfo: str, application_name: str) -> bool:
    """Cancel every backend of that name, terminate what does not obey; True once there is none.

    Unreachable servers count as not ended: their own statement_timeout then does it.
    """
    started = time.monotonic()
    try:
        with psycopg.connect(conninfo, autocommit=True) as control:
            while (waited := time.monotonic() - started) < GIVE_UP_AFTER_S:
                statement = _CANCEL if waited < TERMINATE_AFTER_S else _TERMINATE
                if not control.execute(statement, (application_name,)).fetchall():
                    return True
                time.sleep(ASK_AGAIN_S)
    except psycopg.Error:
        return False
    return False
