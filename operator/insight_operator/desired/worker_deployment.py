"""Builds the worker Deployment. Pure. A worker alone holds the credentials of the data sources."""

from insight_operator import naming
from insight_operator.desired import engine_pods, pods
from insight_operator.desired.config_map import config_map_name
from insight_operator.desired.deployments import deployment
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine

# What is left of the grace period after the drain: to hand back what did not finish.
HAND_BACK_S = 10


def worker_deployment(engine: ValidatedEngine) -> Manifest:
    """Return the Deployment of the workers."""
    workers = engine.spec.workers
    uid = workers.security_context.run_as_user
    spec = pods.pod_spec(
        engine,
        naming.WORKER,
        uid,
        containers=[worker_container(engine, uid)],
        terminationGracePeriodSeconds=workers.termination_grace_period_seconds,
        volumes=_volumes(engine),
        **pods.spreading(engine, naming.WORKER),
    )
    template = pods.template(engine, naming.WORKER, engine.version, spec)
    return deployment(engine, naming.WORKER, workers.replicas, template)


def worker_container(engine: ValidatedEngine, uid: int) -> Manifest:
    """Return the container that runs queries."""
    return engine_pods.container(
        engine,
        naming.WORKER,
        "worker",
        uid,
        env=pods.environment(_environment(engine)),
        livenessProbe=pods.http_probe(
            "/health/live",
            "metrics",
            initialDelaySeconds=30,
            timeoutSeconds=5,
            periodSeconds=10,
            failureThreshold=3,
        ),
        ports=[{"name": "metrics", "containerPort": naming.METRICS_PORT, "protocol": "TCP"}],
        readinessProbe=pods.http_probe(
            "/health/ready",
            "metrics",
            initialDelaySeconds=2,
            timeoutSeconds=3,
            periodSeconds=5,
            failureThreshold=2,
        ),
        resources=pods.resources(engine.spec.workers.resources),
        volumeMounts=[
            *(pods.secret_mount(name) for name in ("database", "broker", *_given_sets(engine))),
            pods.config_mount(),
            pods.mount(engine_pods.TMP, engine_pods.TMP_FOLDER),
        ],
    )


def _environment(engine: ValidatedEngine) -> dict[str, str]:
    workers = engine.spec.workers
    return {
        **engine_pods.extra_environment(engine),
        **engine_pods.common_environment(engine, workers.log_level.value),
        **engine_pods.sources_environment(),
        **engine_pods.results_environment(engine),
        "INSIGHT_DRAIN_TIMEOUT_S": str(workers.termination_grace_period_seconds - HAND_BACK_S),
        "INSIGHT_WORKER_CONCURRENCY": str(workers.concurrency),
    }


def _given_sets(engine: ValidatedEngine) -> dict[str, str]:
    """Return the sets that users give, by name: what opens the data sources and the store of results."""
    sources = {f"source-{source.name}": source.secret_ref.name for source in engine.spec.data_sources}
    return engine_pods.results_sets(engine) | sources


def _volumes(engine: ValidatedEngine) -> list[Manifest]:
    return [
        pods.secret_volume("database", engine.database_secret),
        pods.secret_volume("broker", engine.broker_secret),
        *(pods.secret_volume(name, secret) for name, secret in _given_sets(engine).items()),
        pods.config_volume(config_map_name(engine)),
        pods.scratch_volume(engine_pods.TMP, "512Mi"),
    ]
