"""Builds the API Deployment. Pure. Its probes differ: live asks the process, ready what it depends on."""

from insight_operator import naming
from insight_operator.crd.base import Model, seconds
from insight_operator.desired import engine_pods, pods
from insight_operator.desired.config_map import config_map_name
from insight_operator.desired.deployments import deployment
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine

# Endpoints need a moment to forget a pod that is going: it must still answer meanwhile.
FORGET_ENDPOINT_S = 5
GRACE_S = 45


def api_deployment(engine: ValidatedEngine) -> Manifest:
    """Return the Deployment of the API."""
    uid = engine.spec.api.security_context.run_as_user
    spec = pods.pod_spec(
        engine,
        naming.API,
        uid,
        containers=[api_container(engine, uid)],
        terminationGracePeriodSeconds=GRACE_S,
        volumes=_volumes(engine),
        **pods.spreading(engine, naming.API),
    )
    template = pods.template(engine, naming.API, engine.version, spec)
    return deployment(engine, naming.API, engine.spec.api.replicas, template)


def api_container(engine: ValidatedEngine, uid: int) -> Manifest:
    """Return the container that serves HTTP."""
    api = engine.spec.api
    return engine_pods.container(
        engine,
        naming.API,
        "serve",
        uid,
        env=pods.environment(_environment(engine)),
        lifecycle={"preStop": {"sleep": {"seconds": FORGET_ENDPOINT_S}}},
        livenessProbe=pods.http_probe("/health/live", "http", **_timing(api.liveness_probe)),
        ports=[
            {"name": "http", "containerPort": naming.HTTP_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": naming.METRICS_PORT, "protocol": "TCP"},
        ],
        readinessProbe=pods.http_probe("/health", "http", **_timing(api.readiness_probe)),
        resources=pods.resources(api.resources),
        volumeMounts=[
            *(
                pods.secret_mount(name)
                for name in ("database", "broker", "jwt", *engine_pods.results_sets(engine))
            ),
            pods.config_mount(),
            pods.mount(engine_pods.TMP, engine_pods.TMP_FOLDER),
        ],
    )


def _environment(engine: ValidatedEngine) -> dict[str, str]:
    return {
        **engine_pods.extra_environment(engine),
        **engine_pods.common_environment(engine, engine.spec.api.log_level.value),
        **engine_pods.sources_environment(),
        **engine_pods.results_environment(engine),
        "INSIGHT_API_PROCESSES": str(engine.spec.api.processes),
        "INSIGHT_ACCESS_TOKEN_TTL_S": str(seconds(engine.spec.auth.access_token_ttl)),
    }


def _volumes(engine: ValidatedEngine) -> list[Manifest]:
    return [
        pods.secret_volume("database", engine.database_secret),
        pods.secret_volume("broker", engine.broker_secret),
        pods.secret_volume("jwt", naming.child(engine, "jwt")),
        *(pods.secret_volume(name, secret) for name, secret in engine_pods.results_sets(engine).items()),
        pods.config_volume(config_map_name(engine)),
        pods.scratch_volume(engine_pods.TMP, "128Mi"),
    ]


def _timing(probe: Model) -> dict[str, int]:
    return probe.model_dump(by_alias=True)
