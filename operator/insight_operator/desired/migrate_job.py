"""Builds the Job that brings the database to this version's schema. Pure.

Its name hashes what it does: image, command, configuration, credentials. Where and under which labels it
runs makes it no other migration; a Job that did not succeed is replaced when that changes, so that fixing a
spec forward never needs anything deleted by hand. A database that does not answer yet is waited for, not
counted as a try.
"""

from insight_operator import naming
from insight_operator.crd.resources import Limits, Requests, Resources
from insight_operator.crd.workload import LogLevel
from insight_operator.desired import engine_pods, pods
from insight_operator.desired.objects import owned
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine

EXIT_UNREACHABLE = 75
EXIT_MISCONFIGURED = 78
BOOTSTRAP_SET = "bootstrap-admin"
TRIES = 3
DEADLINE_S = 3600
# Long enough to be seen and logged, short enough that a Job which gave up is tried again.
TTL_S = 600
_DOES = ("name", "image", "command", "args", "env", "volumeMounts")
_RESOURCES = Resources(requests=Requests(cpu="50m"), limits=Limits(cpu="1", memory="256Mi"))


def migrate_job(engine: ValidatedEngine) -> Manifest:
    """Return the Job."""
    name = migrate_job_name(engine)
    manifest = owned(engine, "batch/v1", "Job", naming.MIGRATE, name)
    manifest["spec"] = _spec(engine)
    return manifest


def migrate_job_name(engine: ValidatedEngine) -> str:
    """Return its name, which changes with what it does."""
    pod = _template(engine)["spec"]
    does = [{part: container.get(part) for part in _DOES} for container in pod["containers"]]
    return naming.hashed_child(
        engine,
        naming.MIGRATE,
        {"containers": does, "volumes": pod["volumes"], "user": pod["securityContext"]},
    )


def _spec(engine: ValidatedEngine) -> Manifest:
    return {
        "activeDeadlineSeconds": DEADLINE_S,
        "backoffLimit": TRIES,
        "podFailurePolicy": {
            "rules": [
                _on_exit(EXIT_MISCONFIGURED, "FailJob"),
                _on_exit(EXIT_UNREACHABLE, "Ignore"),
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]
        },
        "template": _template(engine),
        "ttlSecondsAfterFinished": TTL_S,
    }


def _on_exit(code: int, action: str) -> Manifest:
    return {
        "action": action,
        "onExitCodes": {"containerName": naming.MIGRATE, "operator": "In", "values": [code]},
    }


def _template(engine: ValidatedEngine) -> Manifest:
    uid = engine.spec.api.security_context.run_as_user
    sets = _secret_sets(engine)
    container = engine_pods.container(
        engine,
        naming.MIGRATE,
        "migrate",
        uid,
        env=pods.environment(engine_pods.common_environment(engine, LogLevel.INFO.value)),
        resources=pods.resources(_RESOURCES),
        volumeMounts=[
            *(pods.secret_mount(name) for name in sets),
            pods.mount(engine_pods.TMP, engine_pods.TMP_FOLDER),
        ],
    )
    spec = pods.pod_spec(
        engine,
        naming.MIGRATE,
        uid,
        containers=[container],
        restartPolicy="Never",
        terminationGracePeriodSeconds=30,
        volumes=[
            *(_volume(engine, name, secret) for name, secret in sets.items()),
            pods.scratch_volume(engine_pods.TMP, "64Mi"),
        ],
    )
    return pods.template(engine, naming.MIGRATE, engine.version, spec)


def _volume(engine: ValidatedEngine, name: str, secret: str) -> Manifest:
    # A database that already has its administrator gets no bootstrap one: the folder is empty then.
    made_here = name == BOOTSTRAP_SET and engine.spec.auth.bootstrap_admin is None
    return pods.secret_volume(name, secret, optional=made_here)


def _secret_sets(engine: ValidatedEngine) -> dict[str, str]:
    sets = {"database": engine.database_secret, BOOTSTRAP_SET: engine.admin_secret}
    if engine.spec.database.managed:
        sets["database-admin"] = naming.child(engine, "database-admin")
    return sets
