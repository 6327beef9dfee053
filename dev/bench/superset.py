"""Apache Superset's SQL Lab, asynchronous: web processes, Celery on Redis, results by a key; beside ours.

Its own database is a SQLite file made once and kept with its environment; the source is the very same one.
"""

import os
import secrets
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from dev.bench import peers
from dev.bench.client import Client
from dev.bench.figures import spread, timed_ms
from dev.bench.service import PROCESSES, Service
from support.engines import READER_PASSWORD
from support.servers import free_port

PACKAGES: Final = (
    "apache-superset==6.1.0",
    "flask-caching==2.3.1",  # later ones pass an argument that this Superset does not take
    "psycopg2-binary==2.9.13",
    "celery==5.5.3",
    "kombu==5.5.4",  # later ones need a later redis than this Superset takes
    "cachetools",  # imported and not required by it, like the next
    "rich",
)
POLL_S: Final = 0.01
END_S: Final = 30.0
LOGIN: Final = "bench"
CONFIG: Final = """
import os
from flask_caching.backends.rediscache import RedisCache
SECRET_KEY = os.environ["BENCH_KEY"]
SQLALCHEMY_DATABASE_URI = "sqlite:///" + os.environ["BENCH_DB"] + "?timeout=30"
WTF_CSRF_ENABLED = TALISMAN_ENABLED = RATELIMIT_ENABLED = False
_LOGIN = dict(username=os.environ["BENCH_USER"], password=os.environ["BENCH_PASSWORD"])
_PORT = int(os.environ["BENCH_REDIS"])
RESULTS_BACKEND = RedisCache(host="127.0.0.1", port=_PORT, key_prefix="bench", **_LOGIN)
class CELERY_CONFIG:
    broker_url = f"redis://{_LOGIN['username']}:{_LOGIN['password']}@127.0.0.1:{_PORT}/1"
    imports = ("superset.sql_lab",)
    worker_prefetch_multiplier = 1
"""


def beside(service: Service, samples: int) -> peers.Peer:
    """Its latency for one client and its rate for eight, or why not."""
    folder = Path(tempfile.mkdtemp(prefix="insight-superset-"))
    try:
        home = peers.environment("superset", PACKAGES)
        env = _environment(folder, service)
        _prepare(home, folder, env)
        return _measured(home, folder, env, service, samples)
    except (peers.NotMeasuredError, RuntimeError, OSError) as error:
        return peers.Peer(f"Superset not measured: {str(error)[:200]}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path, service: Service) -> dict[str, str]:
    (folder / "superset_config.py").write_text(CONFIG)
    return {
        "SUPERSET_CONFIG_PATH": str(folder / "superset_config.py"),
        "SUPERSET_HOME": str(folder),
        "BENCH_KEY": "k" * 42,
        "BENCH_DB": str(folder / "superset.db"),
        "BENCH_REDIS": str(service.redis.port),
        "BENCH_USER": service.redis.owner_name,
        "BENCH_PASSWORD": service.redis.password,
    }


def _prepare(home: Path, folder: Path, env: dict[str, str]) -> None:
    """Its own database, made once: a minute of migrations."""
    kept, command = home / "superset.db", str(home / "bin" / "superset")
    if not kept.exists():
        print("  making Superset's database, once", flush=True)
        admin = ("--username", LOGIN, "--firstname", "b", "--lastname", "b", "--email", "b@example.org")
        for arguments in (("db", "upgrade"), ("fab", "create-admin", *admin, "--password", LOGIN), ("init",)):
            peers.run([command, *arguments], env)
        shutil.copy(folder / "superset.db", kept.with_suffix(".new"))
        os.replace(kept.with_suffix(".new"), kept)  # noqa: PTH105 - atomic
    shutil.copy(kept, folder / "superset.db")


def _measured(home: Path, folder: Path, env: dict[str, str], service: Service, samples: int) -> peers.Peer:
    port = free_port()
    web = [str(home / "bin" / "gunicorn"), "--bind", f"127.0.0.1:{port}", "--workers", str(PROCESSES)]
    web += ["--worker-class", "gthread", "--threads", "8", "--timeout", "120"]
    # Seven of the clients are idle while one is timed: their connections are to be kept.
    web += ["--keep-alive", "75", "superset.app:create_app()"]
    work = [str(home / "bin" / "celery"), "--app=superset.tasks.celery_app:app", "worker"]
    work += ["--pool", "prefork", "--concurrency", str(PROCESSES)]
    with ExitStack() as stack:
        stack.enter_context(peers.served(work, 0, "", env, folder / "worker.log"))
        stack.enter_context(peers.served(web, port, "/health", env, folder / "web.log"))
        clients = _clients(stack, port)
        database = _database(clients[0], service)
        for client in clients:
            _ask(client, database)
        count = max(20, samples // 6)
        times = [timed_ms(lambda: _ask(clients[0], database)) for _ in range(count)]
        rate = peers.crowd(clients, max(4, count // 8), lambda client: _ask(client, database))
    words = f"Superset, asynchronous: {spread(times)}, 8 clients {rate:.1f} q/s"
    return peers.Peer(words, [*times, rate])


def _clients(stack: ExitStack, port: int) -> list[Client]:
    login = {"username": LOGIN, "password": LOGIN, "provider": "db"}
    first = Client(port)
    token = first.json("POST", "/api/v1/security/login", login)["access_token"]
    first.close()
    clients = [Client(port, token) for _ in range(8)]
    for client in clients:
        stack.callback(client.close)
    return clients


def _database(client: Client, service: Service) -> int:
    uri = (
        f"postgresql+psycopg2://sales_reader:{quote(READER_PASSWORD)}@127.0.0.1:{service.postgres.port}/sales"
    )
    body = {
        "database_name": "sales",
        "sqlalchemy_uri": uri,
        "allow_run_async": True,
        "expose_in_sqllab": True,
    }
    return int(client.json("POST", "/api/v1/database/", body, expect=(200, 201))["id"])


def _ask(client: Client, database: int) -> None:
    """Submit, look until it has ended, fetch the rows."""
    since = int(time.time() * 1000) - 2000
    body = {
        "database_id": database,
        "sql": "SELECT 1 AS one",
        "runAsync": True,
        "client_id": secrets.token_hex(5),
        "queryLimit": 1000,
    }
    client.json("POST", "/api/v1/sqllab/execute/", body, expect=(200, 202))
    key = _results_key(client, str(body["client_id"]), since)
    found = client.json("GET", f"/api/v1/sqllab/results/?q=(key:'{key}')")
    if found["data"] != [{"one": 1}]:
        raise peers.NotMeasuredError(f"it answered {found['data']}")


def _results_key(client: Client, client_id: str, since: int) -> str:
    deadline = time.monotonic() + END_S
    while time.monotonic() < deadline:
        listed: dict[str, Any] = client.json(
            "GET", f"/api/v1/query/updated_since?q=(last_updated_ms:{since})"
        )
        for query in listed["result"]:
            if query["id"] == client_id and query["state"] == "success":
                return str(query["resultsKey"])
            if query["id"] == client_id and query["state"] in {"failed", "timed_out"}:
                raise peers.NotMeasuredError(f"its query failed: {query.get('errorMessage')}")
        time.sleep(POLL_S)
    raise peers.NotMeasuredError(f"its query did not end within {END_S:g} s")
