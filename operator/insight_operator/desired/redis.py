"""Builds the managed Redis. Pure. Its users live in a file on its volume, seeded once, with hashes only.

`requirepass` is never set: setting it would wipe every other password of the default user, which stays off.
"""

from insight_operator import naming
from insight_operator.crd.base import amount
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

FOLDER = "/data"
USERS_FILE = f"{FOLDER}/users.acl"
USER = "ie"
ADMIN = "ie-admin"
BROKER_SET = "broker"
ADMIN_SET = "broker-admin"

SEED_USERS = f"""set -eu
umask 077
if [ ! -s {USERS_FILE} ]; then
  user=$(sha256sum < {pods.SECRETS_FOLDER}/{BROKER_SET}/password)
  admin=$(sha256sum < {pods.SECRETS_FOLDER}/{ADMIN_SET}/password)
  {{
    echo "user default off"
    echo "user {USER} on #${{user%% *}} ~* &* +@all -@admin -@dangerous +info"
    echo "user {ADMIN} on #${{admin%% *}} ~* &* +@all"
  }} > {USERS_FILE}.new
  mv {USERS_FILE}.new {USERS_FILE}
  sync
fi
"""
# The password travels through a pipe: neither an argument nor the environment shows it.
PING = (
    f"{{ printf 'AUTH {USER} '; cat {pods.SECRETS_FOLDER}/{BROKER_SET}/password; printf '\\nPING\\n'; }}"
    " | redis-cli -h 127.0.0.1 | grep -q PONG"
)


def redis(engine: ValidatedEngine) -> Manifest | None:
    """Return the StatefulSet; None when the broker is external."""
    if engine.spec.broker.managed is None:
        return None
    spec = pods.pod_spec(
        engine,
        naming.REDIS,
        SERVER_UID,
        containers=[_server(engine)],
        initContainers=[_seed_users(engine)],
        terminationGracePeriodSeconds=GRACE_S,
        volumes=[
            data_volume(engine, naming.REDIS),
            pods.secret_volume(BROKER_SET, naming.child(engine, BROKER_SET)),
            pods.secret_volume(ADMIN_SET, naming.child(engine, ADMIN_SET)),
            pods.scratch_volume("tmp", "16Mi"),
        ],
    )
    template = pods.template(engine, naming.REDIS, version(engine.redis_image), spec)
    return stateful_set(engine, naming.REDIS, template)


def _server(engine: ValidatedEngine) -> Manifest:
    return _container(engine, naming.REDIS) | {
        "command": ["redis-server", *_settings(engine)],
        "livenessProbe": tcp_liveness(naming.REDIS),
        "ports": [{"name": naming.REDIS, "containerPort": naming.REDIS_PORT, "protocol": "TCP"}],
        "readinessProbe": exec_readiness("sh", "-c", PING),
        "volumeMounts": [*_mounts(), pods.secret_mount(BROKER_SET)],
    }


def _settings(engine: ValidatedEngine) -> list[str]:
    settings = {
        "port": [str(naming.REDIS_PORT)],
        "bind": ["*", "-::*"],
        "protected-mode": ["no"],
        "dir": [FOLDER],
        "aclfile": [USERS_FILE],
        # The append-only file is enough: a snapshot that fails would stop all writes.
        "save": [""],
        "appendonly": ["yes"],
        "appendfsync": ["everysec"],
        "maxmemory": [str(_memory(engine))],
        "maxmemory-policy": ["noeviction"],
    }
    return [part for name, values in settings.items() for part in (f"--{name}", *values)]


def _memory(engine: ValidatedEngine) -> int:
    """Return the bytes Redis may fill: the rest of the limit is for forks and buffers."""
    managed = engine.spec.broker.managed
    return int(amount(managed.resources.limits.memory) * 3 / 4) if managed else 0


def _seed_users(engine: ValidatedEngine) -> Manifest:
    return _container(engine, "seed-users") | {
        "command": ["sh", "-c", SEED_USERS],
        "volumeMounts": [*_mounts(), pods.secret_mount(BROKER_SET), pods.secret_mount(ADMIN_SET)],
    }


def _container(engine: ValidatedEngine, name: str) -> Manifest:
    managed = engine.spec.broker.managed
    return {
        "name": name,
        "image": engine.redis_image,
        "imagePullPolicy": "IfNotPresent",
        "resources": pods.resources(managed.resources) if managed else {},
        "securityContext": pods.container_security(SERVER_UID),
    }


def _mounts() -> list[Manifest]:
    return [pods.mount(DATA, FOLDER), pods.mount("tmp", "/tmp")]  # noqa: S108 - a mount of its own
