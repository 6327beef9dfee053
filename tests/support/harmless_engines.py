"""InsightEngines that ask for something odd and may have it: with each the proof that it does no harm."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from support.bad_engines import Manifest, engine, source, sources

Children = Iterable[Manifest]
SECRETS_FOLDER = "/var/run/insight"


@dataclass(frozen=True)
class HarmlessEngine:
    """Something odd.

    Attributes:
        name: what is odd, in words.
        spec: the spec.
        proof: asserts over the children that it does no harm.
        metadata: laid over the metadata.
    """

    name: str
    spec: Manifest
    proof: Callable[[Children], None]
    metadata: Manifest = field(default_factory=dict)

    def resource(self) -> Manifest:
        """Return the InsightEngine."""
        made = engine(self.spec)
        made["metadata"] |= self.metadata
        return made


def templates(children: Children) -> list[Manifest]:
    """Return every pod template."""
    return [child["spec"]["template"] for child in children if "template" in child.get("spec", {})]


def containers(children: Children) -> list[Manifest]:
    """Return every container, init containers included."""
    specs = [template["spec"] for template in templates(children)]
    return [item for spec in specs for item in (*spec.get("initContainers", ()), *spec["containers"])]


def confined(children: Children) -> None:
    """Every pod keeps to the restricted profile, to its own account and to volumes of its own."""
    for template in templates(children):
        spec = template["spec"]
        assert not {"nodeName", "hostNetwork", "hostPID", "hostIPC", "hostUsers", "schedulerName"} & set(spec)
        assert not {"runtimeClassName", "hostAliases", "dnsConfig", "shareProcessNamespace"} & set(spec)
        assert spec["automountServiceAccountToken"] is False
        assert spec["serviceAccountName"] == template["metadata"]["labels"]["app"]
        assert "sysctls" not in spec["securityContext"]
        for volume in spec["volumes"]:
            assert len(volume) == 2
            assert set(volume) & {"secret", "configMap", "emptyDir", "persistentVolumeClaim"}
    for container in containers(children):
        context = container["securityContext"]
        assert context["runAsNonRoot"]
        assert context["runAsUser"] > 0
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["readOnlyRootFilesystem"]


def only_on_pods(text: str) -> Callable[[Children], None]:
    """The text stands in pod templates and in nothing else that a child says of itself."""

    def proof(children: Children) -> None:
        confined(children)
        assert any(text in json.dumps(template) for template in templates(children))
        for child in children:
            assert text not in json.dumps(child["metadata"])
            bare = {**child.get("spec", {}), "template": None}
            assert text not in json.dumps(bare)

    return proof


def no_secret_to_expand(children: Children) -> None:
    """Whatever `$(NAME)` becomes in an environment, no variable and no argument holds a secret."""
    confined(children)
    for container in containers(children):
        assert "envFrom" not in container
        assert all(set(variable) == {"name", "value"} for variable in container.get("env", ()))
        assert "args" not in container
        assert not [word for word in container["command"] if word.startswith("$(")]


def mounts_stay_below_their_folder(children: Children) -> None:
    """Every secret set is mounted read-only in a folder of its own."""
    confined(children)
    for container in containers(children):
        paths = [mount["mountPath"] for mount in container.get("volumeMounts", ())]
        assert len(set(paths)) == len(paths)
        assert not [path for path in paths if ".." in path]
        for mount in container.get("volumeMounts", ()):
            if mount["mountPath"].startswith(SECRETS_FOLDER):
                assert mount["mountPath"].count("/") == 4
                assert mount["readOnly"] is True


def configuration_says(*names: str) -> Callable[[Children], None]:
    """The engine's configuration is JSON that holds exactly these data sources."""

    def proof(children: Children) -> None:
        confined(children)
        texts = [
            child["data"]["sources.json"] for child in children if "sources.json" in child.get("data", {})
        ]
        assert [[found["name"] for found in json.loads(text)["sources"]] for text in texts] == [list(names)]

    return proof


def image_is(reference: str) -> Callable[[Children], None]:
    """The engine's containers run exactly this image."""

    def proof(children: Children) -> None:
        confined(children)
        assert reference in {container["image"] for container in containers(children)}

    return proof


_EVIL_COLUMN = '"; DROP TABLE users; --\\", "schemas": ["secret"]'
HARMLESS: tuple[HarmlessEngine, ...] = (
    HarmlessEngine(
        "a secret by expansion",
        {"pods": {"extraEnv": [{"name": "A", "value": "$(INSIGHT_INSTANCE)$(DB)"}]}},
        no_secret_to_expand,
    ),
    HarmlessEngine(
        "a script in a value",
        {"pods": {"extraEnv": [{"name": "A", "value": "$(cat /etc/passwd)\n; rm -rf /"}]}},
        no_secret_to_expand,
    ),
    HarmlessEngine(
        "a node by its label",
        {"scheduling": {"nodeSelector": {"kubernetes.io/hostname": "control-plane"}}},
        confined,
    ),
    HarmlessEngine(
        "a node of a role",
        {"scheduling": {"nodeSelector": {"node-role.kubernetes.io/control-plane": ""}}},
        confined,
    ),
    HarmlessEngine(
        "a lost node put up with",
        {
            "scheduling": {
                "tolerations": [
                    {
                        "key": "node.kubernetes.io/unreachable",
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "tolerationSeconds": 0,
                    }
                ]
            }
        },
        confined,
    ),
    HarmlessEngine("a low user", {"api": {"securityContext": {"runAsUser": 1}}}, confined),
    HarmlessEngine("the highest user", {"workers": {"securityContext": {"runAsUser": 2**31 - 1}}}, confined),
    HarmlessEngine(
        "a label that looks like ours",
        {"pods": {"labels": {"example.com/app": "vanna-api"}}},
        only_on_pods("example.com/app"),
    ),
    HarmlessEngine(
        "an annotation with a manifest",
        {"pods": {"annotations": {"example.com/a": "spec:\n  hostNetwork: true\n"}}},
        only_on_pods("example.com/a"),
    ),
    HarmlessEngine(
        "the most of annotations",
        {"pods": {"annotations": {f"example.com/{n}": "\u00e9" * 4096 for n in range(8)}}},
        confined,
    ),
    HarmlessEngine(
        "the longest key",
        {"pods": {"labels": {"a" * 63 + "." + "b" * 63 + "/" + "c" * 63: "d" * 63}}},
        confined,
    ),
    HarmlessEngine(
        "the most of memory",
        {
            "workers": {
                "resources": {
                    "limits": {"memory": "999999Ti", "cpu": "9999999m", "ephemeral-storage": "999999999999Mi"}
                }
            }
        },
        confined,
    ),
    HarmlessEngine(
        "the largest volume", {"database": {"managed": {"storage": {"size": "999999Ti"}}}}, confined
    ),
    HarmlessEngine(
        "a fraction of a byte", {"workers": {"resources": {"limits": {"memory": "1.001"}}}}, confined
    ),
    HarmlessEngine(
        "a source called database",
        sources({"name": "database"}, {"name": "tmp"}, {"name": "config"}),
        mounts_stay_below_their_folder,
    ),
    HarmlessEngine(
        "the most of sources",
        sources(*({"name": "s" * 38 + f"{n:02d}"} for n in range(32))),
        mounts_stay_below_their_folder,
    ),
    HarmlessEngine(
        "JSON in a column's name",
        sources(
            {"grants": [{"role": "viewer", "columns": [{"table": "public.t", "columns": [_EVIL_COLUMN]}]}]}
        ),
        configuration_says("sales"),
    ),
    HarmlessEngine(
        "odd letters in a column's name",
        sources(
            {
                "grants": [
                    {
                        "role": "viewer",
                        "columns": [
                            {"table": "public.t", "columns": ["\u202e\u0000"[:1], "${x}", "{{ x }}"]}
                        ],
                    }
                ]
            }
        ),
        configuration_says("sales"),
    ),
    HarmlessEngine(
        "an old version of ours",
        {"image": {"tag": "0.0.1"}},
        image_is("ghcr.io/insight-engine/insight-engine:0.0.1"),
    ),
    HarmlessEngine(
        "a digest of ours",
        {"image": {"digest": "sha256:" + "0" * 64}},
        image_is("ghcr.io/insight-engine/insight-engine@sha256:" + "0" * 64),
    ),
    HarmlessEngine(
        "an image of the engine as the database",
        {"database": {"managed": {"image": "ghcr.io/insight-engine/insight-engine:1"}}},
        confined,
    ),
    HarmlessEngine("a name that looks like a child", {}, confined, metadata={"name": "vanna-api"}),
    HarmlessEngine("the operator's name", {}, confined, metadata={"name": "insight-operator"}),
    HarmlessEngine("the longest name", {"dataSources": [source()]}, confined, metadata={"name": "a" * 40}),
    HarmlessEngine(
        "labels of its own on the resource",
        {},
        confined,
        metadata={"name": "labelled", "labels": {"app": "vanna-api", "insightengine.io/engine": "vanna"}},
    ),
    HarmlessEngine(
        "retained for another",
        {},
        confined,
        metadata={
            "name": "retained",
            "labels": {"insightengine.io/retained-for": "vanna"},
            "annotations": {"insightengine.io/retained-for": "vanna", "insightengine.io/adopt": "vanna"},
        },
    ),
    HarmlessEngine(
        "an annotation of another tool",
        {},
        confined,
        metadata={
            "name": "noted",
            "annotations": {
                "kopf.zalando.org/last-handled-configuration": "{}",
                "sidecar.istio.io/inject": "true",
            },
        },
    ),
)
