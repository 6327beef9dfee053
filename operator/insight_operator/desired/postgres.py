"""Builds the managed PostgreSQL. Pure. Needs no vendor's entrypoint, only the programs on PATH.

The data directory appears by one rename, so a start that dies half-way leaves none. The superuser's
password comes from a mounted file and is needed at initdb only.
"""

from insight_operator import naming
from insight_operator.desired import pods
from insight_operator.desired.stateful_sets import (
    DATA,
    GRACE_S,
    SERVER_UID,
    data_volume,
    exec_readiness,
    stateful_set,
    tcp_liveness,
)
from insight_operator.images import version
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine

VOLUME_FOLDER = "/var/lib/postgresql"
PGDATA = f"{VOLUME_FOLDER}/data/pgdata"
PATH = "/usr/lib/postgresql/18/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SOCKETS = "/tmp"  # noqa: S108 - a mount of its own
SUPERUSER = "postgres"
ADMIN_SET = "database-admin"

STOP = ["pg_ctl", "stop", "-D", PGDATA, "-m", "fast", "-W"]
INITIALISE = f"""set -eu
umask 077
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  rm -rf "$PGDATA.new"
  mkdir -p "$PGDATA.new"
  initdb --pgdata="$PGDATA.new" --username={SUPERUSER} --pwfile={pods.SECRETS_FOLDER}/{ADMIN_SET}/password \\
    --auth=scram-sha-256 --encoding=UTF8 --no-locale --data-checksums
  mv -T "$PGDATA.new" "$PGDATA"
  sync
fi
chmod 0700 "$PGDATA"
printf 'local all all scram-sha-256\\nhost all all all scram-sha-256\\n' > "$PGDATA/pg_hba.conf"
"""


def postgres(engine: ValidatedEngine) -> Manifest | None:
    """Return the StatefulSet; None when the database is external."""
    if engine.spec.database.managed is None:
        return None
    spec = pods.pod_spec(
        engine,
        naming.POSTGRES,
        SERVER_UID,
        containers=[_server(engine)],
        initContainers=[_initialise(engine)],
        terminationGracePeriodSeconds=GRACE_S,
        volumes=[
            data_volume(engine, naming.POSTGRES),
            pods.secret_volume(ADMIN_SET, naming.child(engine, ADMIN_SET)),
            pods.scratch_volume("tmp", "64Mi"),
            pods.scratch_volume("shm", "128Mi", memory=True),
        ],
    )
    template = pods.template(engine, naming.POSTGRES, version(engine.postgres_image), spec)
    return stateful_set(engine, naming.POSTGRES, template)


def _server(engine: ValidatedEngine) -> Manifest:
    return _container(engine, naming.POSTGRES) | {
        "command": [
            "postgres",
            "-D",
            PGDATA,
            "-c",
            "listen_addresses=*",
            "-c",
            f"unix_socket_directories={SOCKETS}",
            "-c",
            "password_encryption=scram-sha-256",
        ],
        # At SIGTERM PostgreSQL would wait for its clients; a drain must not. -W: a hook that waited would be
        # killed together with the server, and be told as a failure.
        "lifecycle": {"preStop": {"exec": {"command": STOP}}},
        "livenessProbe": tcp_liveness(naming.POSTGRES),
        "ports": [{"name": naming.POSTGRES, "containerPort": naming.POSTGRES_PORT, "protocol": "TCP"}],
        "readinessProbe": exec_readiness("pg_isready", "-q", "-h", SOCKETS),
        "volumeMounts": _mounts(),
    }


def _initialise(engine: ValidatedEngine) -> Manifest:
    return _container(engine, "initialise") | {
        "command": ["sh", "-c", INITIALISE],
        "volumeMounts": [*_mounts(), pods.secret_mount(ADMIN_SET)],
    }


def _container(engine: ValidatedEngine, name: str) -> Manifest:
    managed = engine.spec.database.managed
    return {
        "name": name,
        "image": engine.postgres_image,
        "imagePullPolicy": "IfNotPresent",
        "env": pods.environment({"PATH": PATH, "PGDATA": PGDATA}),
        "resources": pods.resources(managed.resources) if managed else {},
        "securityContext": pods.container_security(SERVER_UID),
    }


def _mounts() -> list[Manifest]:
    return [pods.mount(DATA, VOLUME_FOLDER), pods.mount("tmp", SOCKETS), pods.mount("shm", "/dev/shm")]  # noqa: S108
