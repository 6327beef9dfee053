"""The script that makes a least-privilege login in MySQL or MariaDB. Pure."""

from collections.abc import Iterator

from insight_engine.cli.source_names import Wanted, back_quoted, text

PLACEHOLDER = "CHANGE-ME"


def script(wanted: Wanted) -> str:
    """The script, with the reason beside each part."""
    return "\n".join([*_login(wanted), *_grants(wanted), *_check(wanted), ""])


def _account(wanted: Wanted) -> str:
    return f"{text(wanted.login)}@'%'"


def _login(wanted: Wanted) -> Iterator[str]:
    account = _account(wanted)
    yield from (
        "-- A login for Insight Engine: it reads the tables named here and can do nothing else.",
        "-- Run it with the mysql or mariadb client, as an administrator. It may be run again.",
        "",
        "-- 1. The login. Replace '%' by the network of the workers, and the password by a long random one:",
        "--    it is a placeholder, and the account stays locked until you unlock it in step 3.",
        f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{PLACEHOLDER}' ACCOUNT LOCK;",
        "-- All workers together, and one more each for looking at schemas and for cancelling.",
        f"ALTER USER {account} WITH MAX_USER_CONNECTIONS {wanted.connections};",
        "-- A longest statement is no property of a login on every server; the engine sets it per query.",
        f"-- On MariaDB also: ALTER USER {account} WITH MAX_STATEMENT_TIME {wanted.timeout_s};",
        "",
        "-- 2. Reading, and nothing global: FILE reads files of the server, PROCESS others' statements,",
        "--    SUPER changes everything, and SELECT on *.* or mysql.* reads password hashes.",
    )


def _grants(wanted: Wanted) -> Iterator[str]:
    account = _account(wanted)
    for schema in wanted.schemas:
        tables = wanted.tables_of(schema)
        if tables:
            for table in tables:
                yield f"GRANT SELECT ON {back_quoted(schema)}.{back_quoted(table)} TO {account};"
            continue
        # In GRANT … ON `name`.* an underscore and a percent sign would stand for any characters.
        pattern = back_quoted(schema.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%"))
        yield f"GRANT SELECT ON {pattern}.* TO {account};  -- tables made later included"


def _check(wanted: Wanted) -> Iterator[str]:
    account = _account(wanted)
    yield from (
        "",
        "-- 3. Set the password, then unlock:",
        f"--    ALTER USER {account} IDENTIFIED BY '…' ACCOUNT UNLOCK;",
        "",
        "-- 4. Look: this should show USAGE on *.* and SELECT on what is named above.",
        f"SHOW GRANTS FOR {account};",
    )
