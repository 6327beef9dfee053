"""A migration that cannot be made leaves the old version at work, says why, and needs nobody to clean up."""

import json
from typing import Any

from dev.install import Image, condition, secret_value, wait_ready
from dev.kube import Kube
from support.engine_client import EngineClient
from support.waiting import eventually

PSQL = (
    "read -r PGPASSWORD; export PGPASSWORD; "
    'psql -h /tmp -U postgres -d insight -Atqc "UPDATE insight.alembic_version SET version_num = $1"'
)


def set_schema(kube: Kube, revision: str) -> None:
    """Let the database claim a schema, as if another release had migrated it."""
    password = secret_value(kube, "vanna-database-admin", "password")
    command = ("sh", "-c", PSQL, "sh", f"'{revision}'")
    kube.run("exec", "-i", "vanna-postgres-0", "-c", "postgres", "--", *command, stdin=f"{password}\n")


def change(kube: Kube, **spec: Any) -> None:
    kube.run("patch", "insightengine", "vanna", "--type=merge", "-p", json.dumps({"spec": spec}))


def pods(kube: Kube) -> set[str]:
    return {
        pod["metadata"]["uid"] for part in ("api", "worker") for pod in kube.list("pods", f"app=vanna-{part}")
    }


def test_a_failed_migration_leaves_the_old_version_serving(
    vanna: Kube, client: EngineClient, images: dict[str, Image]
) -> None:
    before, engine = pods(vanna), images["engine"]
    set_schema(vanna, "9999")
    change(vanna, image={"repository": engine["repository"], "digest": engine["digest"]})

    def told() -> str:
        found = condition(vanna.get("insightengine", "vanna") or {}, "Stalled")
        return str(found.get("message", "")) if found.get("reason") == "UnsupportedVersion" else ""

    said = eventually("Stalled with UnsupportedVersion", told, within_s=120)
    assert "newer release" in said
    assert pods(vanna) == before
    assert client.rows("sales", "SELECT count(*) FROM orders") == [[1000]]

    set_schema(vanna, "0002")
    change(vanna, image=None)
    wait_ready(vanna, "vanna", print, timeout_s=120)
    assert pods(vanna) == before
