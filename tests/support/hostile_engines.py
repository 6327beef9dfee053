"""InsightEngines of an author who wants more than they may have: each is refused by name, or does no harm.

Whoever may create an InsightEngine need not be allowed to read Secrets, to create pods, to choose images or
to reach other people's workloads. The proofs look at every child that would be made.
"""

from typing import Any

from support.bad_engines import BadEngine, Judge, Manifest, sources

REPOSITORY = "ghcr.io/insight-engine/insight-engine"
DIGEST = "sha256:" + "a" * 64


def _label(key: str, value: str = "x") -> Manifest:
    return {"pods": {"labels": {key: value}}}


def _annotation(key: str, value: str = "x") -> Manifest:
    return {"pods": {"annotations": {key: value}}}


def _env(name: str, value: str = "x") -> Manifest:
    return {"pods": {"extraEnv": [{"name": name, "value": value}]}}


def _repository(repository: str) -> Manifest:
    return {"image": {"repository": repository, "tag": "1"}}


def _database_image(image: str) -> Manifest:
    return {"database": {"managed": {"image": image}}}


def _tolerate(key: str, **more: Any) -> Manifest:
    return {"scheduling": {"tolerations": [{"key": key, "operator": "Exists", **more}]}}


def _memory(amount: Any) -> Manifest:
    return {"workers": {"resources": {"limits": {"memory": amount}}}}


def _secret_name(name: str) -> Manifest:
    return sources({"secretRef": {"name": name}})


_ENV = "spec.pods.extraEnv[0].name"
_LABELS = "spec.pods.labels"
_ANNOTATIONS = "spec.pods.annotations"
_TAINT = "spec.scheduling.tolerations[0].key"
_IMAGE = "spec.image.repository"
_DATABASE_IMAGE = "spec.database.managed.image"
_SECRET = "spec.dataSources[0].secretRef"

_FIELDS: tuple[BadEngine, ...] = (
    # Ways past the template of a pod.
    BadEngine("a pod template", {"pods": {"template": {"spec": {}}}}, "spec.pods.template"),
    BadEngine("host network", {"pods": {"hostNetwork": True}}, "spec.pods.hostNetwork"),
    BadEngine(
        "a volume of the host", {"pods": {"volumes": [{"hostPath": {"path": "/"}}]}}, "spec.pods.volumes"
    ),
    BadEngine(
        "an account of its choice", {"pods": {"serviceAccountName": "admin"}}, "spec.pods.serviceAccountName"
    ),
    BadEngine(
        "a runtime of its choice",
        {"scheduling": {"runtimeClassName": "bare"}},
        "spec.scheduling.runtimeClassName",
    ),
    BadEngine(
        "a node of its choice", {"scheduling": {"nodeName": "control-plane"}}, "spec.scheduling.nodeName"
    ),
    BadEngine(
        "another scheduler", {"scheduling": {"schedulerName": "mine"}}, "spec.scheduling.schedulerName"
    ),
    BadEngine(
        "a kernel setting", {"api": {"securityContext": {"sysctls": []}}}, "spec.api.securityContext.sysctls"
    ),
    BadEngine(
        "root in the workers",
        {"workers": {"securityContext": {"runAsUser": 0}}},
        "spec.workers.securityContext.runAsUser",
    ),
    BadEngine(
        "a user below zero",
        {"api": {"securityContext": {"runAsUser": -1}}},
        "spec.api.securityContext.runAsUser",
    ),
    BadEngine(
        "a user that wraps around",
        {"api": {"securityContext": {"runAsUser": 2**32}}},
        "spec.api.securityContext.runAsUser",
    ),
    BadEngine(
        "unconfined by seccomp",
        {"api": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}}},
        "spec.api.securityContext.seccompProfile",
    ),
    BadEngine("a command", {"api": {"command": ["sh"]}}, "spec.api.command"),
    BadEngine(
        "the most important pods there are",
        {"scheduling": {"priorityClassName": "system-node-critical"}},
        "spec.scheduling.priorityClassName",
    ),
    BadEngine(
        "important to the cluster",
        {"scheduling": {"priorityClassName": "system-cluster-critical"}},
        "spec.scheduling.priorityClassName",
    ),
    BadEngine("onto the control plane", _tolerate("node-role.kubernetes.io/control-plane"), _TAINT),
    BadEngine("onto a cordoned node", _tolerate("node.kubernetes.io/unschedulable"), _TAINT),
    BadEngine(
        "onto every node",
        {"scheduling": {"tolerations": [{"operator": "Exists"}]}},
        "spec.scheduling.tolerations[0]",
    ),
    BadEngine(
        "seconds without an effect",
        _tolerate("dedicated", tolerationSeconds=5),
        "spec.scheduling.tolerations[0].tolerationSeconds",
    ),
    BadEngine(
        "a class no server would take",
        {"scheduling": {"priorityClassName": "a..b"}},
        "spec.scheduling.priorityClassName",
    ),
    # Labels and annotations that others obey.
    BadEngine("in front of another Service", _label("k8s-app", "kube-dns"), _LABELS),
    BadEngine("in front of another tier", _label("tier", "payments"), _LABELS),
    BadEngine("another instance", _label("app.kubernetes.io/instance", "other"), _LABELS),
    BadEngine("another managed-by", _label("app.kubernetes.io/managed-by", "Helm"), _LABELS),
    BadEngine("another engine's pod", _label("insightengine.io/engine", "other"), _LABELS),
    BadEngine("another Job's pod", _label("batch.kubernetes.io/job-name", "backup"), _LABELS),
    BadEngine("a cloud identity", _label("azure.workload.identity/use", "true"), _LABELS),
    BadEngine("retained for somebody", _label("insightengine.io/retained-for", "other"), _LABELS),
    BadEngine("adopted by somebody", _annotation("insightengine.io/adopt", "other"), _ANNOTATIONS),
    BadEngine("our own bookkeeping", _annotation("insightengine.io/template-hash", "0"), _ANNOTATIONS),
    BadEngine(
        "unconfined by AppArmor",
        _annotation("container.apparmor.security.beta.kubernetes.io/api", "unconfined"),
        _ANNOTATIONS,
    ),
    BadEngine(
        "unconfined by an old annotation",
        _annotation("seccomp.security.alpha.kubernetes.io/pod", "unconfined"),
        _ANNOTATIONS,
    ),
    BadEngine(
        "an image of Istio's", _annotation("sidecar.istio.io/proxyImage", "evil.example/x"), _ANNOTATIONS
    ),
    BadEngine("a template of Istio's", _annotation("inject.istio.io/templates", "mine"), _ANNOTATIONS),
    BadEngine(
        "an image of Linkerd's", _annotation("config.linkerd.io/proxy-image", "evil.example/x"), _ANNOTATIONS
    ),
    BadEngine("a secret of Vault's", _annotation("vault.hashicorp.com/agent-inject", "true"), _ANNOTATIONS),
    BadEngine("a sidecar of Dapr's", _annotation("dapr.io/sidecar-image", "evil.example/x"), _ANNOTATIONS),
    BadEngine("another network", _annotation("k8s.v1.cni.cncf.io/networks", "host"), _ANNOTATIONS),
    BadEngine("a role in the cloud", _annotation("iam.amazonaws.com/role", "admin"), _ANNOTATIONS),
    BadEngine("devices of the node", _annotation("io.kubernetes.cri-o.Devices", "/dev/sda"), _ANNOTATIONS),
    BadEngine("a command at backup", _annotation("pre.hook.backup.velero.io/command", "sh"), _ANNOTATIONS),
    BadEngine(
        "more rights by OpenShift", _annotation("openshift.io/required-scc", "privileged"), _ANNOTATIONS
    ),
    BadEngine(
        "code by OpenTelemetry",
        _annotation("instrumentation.opentelemetry.io/inject-python", "true"),
        _ANNOTATIONS,
    ),
    BadEngine("a name part too long", _label("a" * 64), _LABELS),
    BadEngine("a prefix no server would take", _label("a..b/x"), _LABELS),
    BadEngine("a newline in a key", _annotation("example.com/a\nb"), _ANNOTATIONS),
    BadEngine("a newline in a label", _label("team", "a\nb"), f"{_LABELS}.team"),
    # Variables that change what a process runs, trusts or connects to.
    BadEngine("a library for all", _env("LD_AUDIT"), _ENV),
    BadEngine("a module at the start", _env("PYTHONSTARTUP"), _ENV),
    BadEngine("settings of the engine", _env("INSIGHT_SECRETS_DIR", "/proc/1/root"), _ENV),
    BadEngine("every request by proxy", _env("ALL_PROXY", "http://evil.example"), _ENV),
    BadEngine("mixed case", _env("Http_Proxy", "http://evil.example"), _ENV),
    BadEngine("an authority of its own", _env("REQUESTS_CA_BUNDLE", "/tmp/ca"), _ENV),
    BadEngine("another store of results", _env("AWS_ENDPOINT_URL", "http://evil.example"), _ENV),
    BadEngine("a service of libpq's", _env("PGSERVICEFILE", "/tmp/x"), _ENV),
    BadEngine("another search domain", _env("LOCALDOMAIN", "evil.example"), _ENV),
    BadEngine("everybody is a trusted proxy", _env("FORWARDED_ALLOW_IPS", "*"), _ENV),
    BadEngine("Gunicorn's options", _env("GUNICORN_CMD_ARGS", "--chdir=/tmp"), _ENV),
    BadEngine("a newline in a name", _env("A\nLD_PRELOAD"), _ENV),
    BadEngine("an equals sign in a name", _env("A=B"), _ENV),
    BadEngine(
        "a value from elsewhere",
        {"pods": {"extraEnv": [{"name": "A", "valueFrom": {"secretKeyRef": {}}}]}},
        "spec.pods.extraEnv[0]",
    ),
    # Images that only look like ours.
    BadEngine("two tags", _repository(f"{REPOSITORY}:1"), _IMAGE),
    BadEngine(
        "a user before the registry", _repository("evil@ghcr.io/insight-engine/insight-engine"), _IMAGE
    ),
    BadEngine("upper case", _repository("ghcr.io/Insight-Engine/insight-engine"), _IMAGE),
    BadEngine("a path upwards", _repository("ghcr.io/insight-engine/../evil/x"), _IMAGE),
    BadEngine("an empty part", _repository("ghcr.io//insight-engine"), _IMAGE),
    BadEngine("a scheme", _repository("https://ghcr.io/insight-engine/insight-engine"), _IMAGE),
    BadEngine("a newline in an image", _database_image("docker.io/library/postgres:18\n"), _DATABASE_IMAGE),
    BadEngine("two tags of a database", _database_image("docker.io/library/postgres:18:18"), _DATABASE_IMAGE),
    BadEngine(
        "two digests", _database_image(f"docker.io/library/postgres@{DIGEST}@{DIGEST}"), _DATABASE_IMAGE
    ),
    BadEngine("a digest in the tag", {"image": {"tag": f"1@{DIGEST}"}}, "spec.image.tag"),
    # References to what is not the author's.
    BadEngine(
        "a Secret elsewhere",
        sources({"secretRef": {"name": "x", "namespace": "kube-system"}}),
        f"{_SECRET}.namespace",
    ),
    BadEngine("a path for a Secret", _secret_name("../kube-system/secrets/x"), f"{_SECRET}.name"),
    BadEngine("a selector for a Secret", _secret_name("x?fieldSelector=a"), f"{_SECRET}.name"),
    BadEngine(
        "a file of the pod",
        sources({"path": "/var/run/insight/database/password"}),
        "spec.dataSources[0].path",
    ),
    BadEngine(
        "a data source with a folder for a name", sources({"name": "../database"}), "spec.dataSources[0].name"
    ),
    BadEngine(
        "a name that is a path", {}, "metadata.name", metadata={"name": "a/../b"}, judge=Judge.OPERATOR
    ),
    # Numbers and texts beyond what is meant.
    BadEngine("pods without end", {"workers": {"replicas": 2**63 - 1}}, "spec.workers.replicas"),
    BadEngine("pods beyond 64 bits", {"workers": {"replicas": 2**63}}, "spec.workers.replicas"),
    BadEngine("pods below zero", {"api": {"replicas": -(2**63)}}, "spec.api.replicas"),
    BadEngine("memory beyond 64 bits", _memory("999999999999Ti"), "spec.workers.resources.limits.memory"),
    BadEngine("memory with an exponent", _memory("1e30"), "spec.workers.resources.limits.memory"),
    BadEngine("memory as a huge number", _memory(10**30), "spec.workers.resources.limits.memory"),
    BadEngine("memory below zero", _memory("-1Gi"), "spec.workers.resources.limits.memory"),
    BadEngine(
        "a volume of exabytes",
        {"database": {"managed": {"storage": {"size": "9Ei"}}}},
        "spec.database.managed.storage.size",
    ),
    BadEngine(
        "a life beyond all durations", {"auth": {"accessTokenTTL": "9999999h"}}, "spec.auth.accessTokenTTL"
    ),
    BadEngine(
        "a cost beyond 64 bits",
        sources({"grants": [{"role": "viewer", "maxCost": 2**63}]}),
        "spec.dataSources[0].grants[0].maxCost",
    ),
    BadEngine(
        "a megabyte in an annotation",
        _annotation("example.com/a", "a" * 2**20),
        f"{_ANNOTATIONS}.example.com/a",
    ),
    BadEngine("a megabyte in the environment", _env("A", "a" * 2**20), "spec.pods.extraEnv[0].value"),
    BadEngine(
        "a megabyte of a schema's name", sources({"schemas": ["a" * 2**20]}), "spec.dataSources[0].schemas[0]"
    ),
    BadEngine(
        "annotations together too long",
        {"pods": {"annotations": {f"example.com/{n}": "a" * 4096 for n in range(9)}}},
        _ANNOTATIONS,
    ),
    BadEngine(
        "ten thousand labels", {"pods": {"labels": {f"l{number}": "" for number in range(10_000)}}}, _LABELS
    ),
    BadEngine(
        "ten thousand sources",
        sources(*({"name": f"s{number}"} for number in range(10_000))),
        "spec.dataSources",
    ),
    BadEngine(
        "ten thousand tolerations",
        {"scheduling": {"tolerations": [{"key": "a"}] * 10_000}},
        "spec.scheduling.tolerations",
    ),
)

_STRANGERS: tuple[BadEngine, ...] = tuple(
    BadEngine(name, spec, named, Judge.OPERATOR)
    for name, spec, named in (
        ("a longer name beside ours", _repository(f"{REPOSITORY}-evil"), _IMAGE),
        ("a name below ours", _repository(f"{REPOSITORY}/evil"), _IMAGE),
        ("our folder, another image", _repository("ghcr.io/insight-engine/evil"), _IMAGE),
        ("our path, another registry", _repository("evil.example/insight-engine/insight-engine"), _IMAGE),
        ("our registry as a folder", _repository(f"evil.example/{REPOSITORY}"), _IMAGE),
        ("our registry at another port", _repository(f"ghcr.io:8443/{REPOSITORY[8:]}"), _IMAGE),
        ("our registry in front", _repository(f"ghcr.io.evil.example/{REPOSITORY[8:]}"), _IMAGE),
        ("no registry at all", _repository(REPOSITORY[8:]), _IMAGE),
        ("a digest of a stranger", {"image": {"repository": "evil.example/x", "digest": DIGEST}}, _IMAGE),
        ("a database by its short name", _database_image("postgres:18"), _DATABASE_IMAGE),
        ("a database by digest", _database_image(f"evil.example/postgres@{DIGEST}"), _DATABASE_IMAGE),
        (
            "a broker of a stranger",
            {"broker": {"managed": {"image": "docker.io/library/redis-evil:7"}}},
            "spec.broker.managed.image",
        ),
        (
            "tables without end",
            sources(
                {
                    "grants": [
                        {
                            "role": "viewer",
                            "columns": [
                                {"table": f"public.t{table}", "columns": [f"column_{n}" for n in range(256)]}
                                for table in range(64)
                            ],
                        }
                    ]
                }
            ),
            "spec",
        ),
    )
)

REFUSED: tuple[BadEngine, ...] = (*_FIELDS, *_STRANGERS)
"""Refused by the field's name, whatever exists beside it."""
