"""An administrator's overlays add to pods and take nothing from the operator, and never leave the profile."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from insight_operator import naming
from insight_operator.__main__ import main
from insight_operator.desired.overlays import OverlaysRefused, checked
from insight_operator.desired.plan import plan
from insight_operator.overlays import NO_OVERLAYS
from insight_operator.overlays.models import PodSpec
from insight_operator.settings import SettingsError, from_environment
from insight_operator.validate import ValidatedEngine, references, validate
from support.bad_engines import engine, source
from support.hostile_overlays import HOSTILE, SCRATCH, Hostile, Manifest, sidecar
from support.manifests import IMAGES, USABLE, containers, pod_templates, resource

ROOT = Path(__file__).resolve().parents[3]
SPEC = {"dataSources": [source()], "pods": {"extraEnv": [{"name": "SITE", "value": "spec"}]}}


def built(overlays: Manifest, spec: Manifest | None = None) -> ValidatedEngine:
    """Return an engine as an operator with these overlays builds it."""
    made = resource(SPEC if spec is None else spec)
    return validate(made, dict.fromkeys(references(made), USABLE), IMAGES, checked(overlays))


def template(overlays: Manifest, part: str = "api") -> Manifest:
    """Return the pod template of one component."""
    return next(found for name, found in pod_templates(built(overlays)) if name.startswith(f"vanna-{part}"))


def entry(items: list[Manifest], name: str) -> Manifest:
    return next(item for item in items if item["name"] == name)


def refused(overlays: object) -> list[str]:
    with pytest.raises(OverlaysRefused) as refusal:
        checked(overlays)
    return [problem.field for problem in refusal.value.problems]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_what_is_hostile_is_refused_by_its_field(hostile: Hostile) -> None:
    overlay = copy.deepcopy(hostile.overlay)
    spec = overlay.get("spec", {})
    if "containers" in spec and "volumes" not in spec:
        spec["volumes"] = [SCRATCH]
    wanted = ".".join(part for part in ("podOverlays", hostile.component, hostile.field) if part)
    assert wanted in refused({hostile.component: overlay})


@pytest.mark.parametrize("overlays", [None, {}, {"api": None}, {"api": {}}, {"api": {"spec": {}}}])
def test_an_empty_overlay_changes_no_hash(overlays: Any) -> None:
    made = resource(SPEC)
    bare = validate(made, dict.fromkeys(references(made), USABLE), IMAGES, NO_OVERLAYS)
    assert plan(built(overlays)) == plan(bare)


def test_an_overlay_changes_only_its_own_component() -> None:
    bare, laid = (
        {manifest["metadata"]["name"]: manifest for manifest in plan(built(overlays))}
        for overlays in ({}, {"worker": {"spec": {"runtimeClassName": "gvisor"}}})
    )
    assert {name for name in bare if bare[name] != laid[name]} == {"vanna-worker"}


def test_an_overlay_changes_the_hash_of_its_template() -> None:
    key = naming.TEMPLATE_HASH
    bare, laid = template({}), template({"api": {"metadata": {"labels": {"team": "x"}}}})
    assert bare["metadata"]["annotations"][key] != laid["metadata"]["annotations"][key]


def test_a_migration_with_another_environment_is_another_job() -> None:
    env = {"containers": [{"name": "migrate", "env": [{"name": "HTTPS_PROXY", "value": "http://p"}]}]}
    names = {
        next(item["metadata"]["name"] for item in plan(built(overlays)) if item["kind"] == "Job")
        for overlays in ({}, {"migrate": {"spec": env}})
    }
    assert len(names) == 2


def test_a_sidecar_comes_after_ours_and_as_closed_as_ours() -> None:
    made = containers(template({"api": {"spec": {"containers": [sidecar()]}}}))
    assert [container["name"] for container in made] == ["api", "sidecar"]
    assert made[1]["securityContext"] == made[0]["securityContext"]


def test_a_sidecar_may_run_as_another_user_and_write() -> None:
    context = {
        "runAsUser": 2000,
        "readOnlyRootFilesystem": False,
        "capabilities": {"add": ["NET_BIND_SERVICE"]},
    }
    made = template({"api": {"spec": {"containers": [sidecar(securityContext=context)]}}})
    shown = entry(made["spec"]["containers"], "sidecar")["securityContext"]
    assert (shown["runAsUser"], shown["runAsGroup"], shown["readOnlyRootFilesystem"]) == (2000, 2000, False)
    assert shown["capabilities"] == {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}
    assert shown["allowPrivilegeEscalation"] is False


def test_what_fetches_things_runs_before_our_own_steps() -> None:
    made = template({"database": {"spec": {"initContainers": [sidecar(restartPolicy="Always")]}}}, "postgres")
    assert [container["name"] for container in made["spec"]["initContainers"]] == ["sidecar", "initialise"]


def test_a_volume_can_be_mounted_into_our_container() -> None:
    mount = {"name": "site-ca", "mountPath": "/etc/site-ca", "readOnly": True}
    spec = {
        "volumes": [{"name": "site-ca", "configMap": {"name": "site-ca"}}],
        "containers": [
            {"name": "api", "volumeMounts": [mount], "env": [{"name": "HTTPS_PROXY", "value": "http://p"}]}
        ],
    }
    bare, laid = template({})["spec"], template({"api": {"spec": spec}})["spec"]
    assert laid["volumes"] == [
        *bare["volumes"],
        {"name": "site-ca", "configMap": {"name": "site-ca", "defaultMode": 0o440}},
    ]
    ours, theirs = bare["containers"][0], laid["containers"][0]
    assert theirs["volumeMounts"] == [*ours["volumeMounts"], mount]
    assert theirs["env"] == [*ours["env"], {"name": "HTTPS_PROXY", "value": "http://p"}]
    assert {key: value for key, value in theirs.items() if key not in {"env", "volumeMounts"}} == {
        key: value for key, value in ours.items() if key not in {"env", "volumeMounts"}
    }


def test_the_administrator_wins_over_the_spec() -> None:
    overlay = {"spec": {"containers": [{"name": "api", "env": [{"name": "SITE", "value": "administrator"}]}]}}
    env = template({"api": overlay})["spec"]["containers"][0]["env"]
    assert [item["value"] for item in env if item["name"] == "SITE"] == ["administrator"]


def test_where_pods_run_is_added_to_what_the_spec_says() -> None:
    scheduling = {"nodeSelector": {"disk": "fast", "zone": "a"}, "tolerations": [{"key": "spec"}]}
    terms = [{"matchExpressions": [{"key": "x", "operator": "Exists"}]}]
    affinity = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    }
    overlay = {
        "nodeSelector": {"zone": "b"},
        "tolerations": [{"key": "site", "operator": "Exists"}],
        "affinity": affinity,
        "topologySpreadConstraints": [
            {"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"},
        ],
    }
    made = built({"api": {"spec": overlay}}, {"scheduling": scheduling})
    spec = dict(pod_templates(made))["vanna-api"]["spec"]
    assert spec["nodeSelector"] == {"disk": "fast", "zone": "b"}
    assert [toleration["key"] for toleration in spec["tolerations"]] == ["spec", "site"]
    assert spec["affinity"].keys() == {"nodeAffinity", "podAntiAffinity"}
    spread = {item["topologyKey"]: item["labelSelector"] for item in spec["topologySpreadConstraints"]}
    assert spread.keys() == {"topology.kubernetes.io/zone", "rack"}
    assert all(selector == {"matchLabels": {"app": "vanna-api"}} for selector in spread.values())


EVERYTHING = {
    "metadata": {"labels": {"team": "x"}, "annotations": {"sidecar.istio.io/inject": "false"}},
    "spec": {
        "containers": [sidecar(volumeMounts=[{"name": "scratch", "mountPath": "/tmp"}])],
        "initContainers": [sidecar(name="early", restartPolicy="Always", command=["sleep", "infinity"])],
        "volumes": [
            SCRATCH,
            {"name": "given", "secret": {"secretName": "given"}},
            {"name": "mixed", "projected": {"sources": [{"configMap": {"name": "x"}}]}},
        ],
        "imagePullSecrets": [{"name": "site"}],
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}],
        "hostUsers": False,
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
        "priorityClassName": "site",
        "securityContext": {
            "supplementalGroups": [5],
            "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}],
        },
    },
}


def everything(component: str) -> Manifest:
    made: Manifest = copy.deepcopy(EVERYTHING)
    if component == "migrate":
        del made["spec"]["containers"]
    return made


@pytest.mark.parametrize("component", ["api", "worker", "database", "broker", "migrate"])
def test_every_component_takes_an_overlay_and_stays_restricted(component: str) -> None:
    part = {"database": "postgres", "broker": "redis"}.get(component, component)
    made = template({component: everything(component)}, part)
    assert made["metadata"]["labels"]["team"] == "x"
    assert "early" in {container["name"] for container in containers(made)}
    for container in containers(made):
        context = container["securityContext"]
        assert (context["allowPrivilegeEscalation"], context["runAsNonRoot"]) == (False, True)
        assert (context["capabilities"]["drop"], context["privileged"]) == (["ALL"], False)
        assert context["runAsUser"] > 0
        assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    spec = made["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["serviceAccountName"] == f"vanna-{part}"
    kinds = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
    assert {source for volume in spec["volumes"] for source in volume} <= kinds | {"name"}
    assert {volume["secret"]["defaultMode"] for volume in spec["volumes"] if "secret" in volume} == {0o440}


def test_no_name_is_there_twice() -> None:
    made = template({"api": everything("api")})
    for items in (containers(made), made["spec"]["volumes"]):
        names = [item["name"] for item in items]
        assert len(names) == len(set(names))


def test_an_administrator_may_say_what_an_author_may_not() -> None:
    overlay = {
        "metadata": {
            "labels": {"sidecar.istio.io/inject": "true", "azure.workload.identity/use": "true"},
            "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"},
        },
        "spec": {"tolerations": [{"operator": "Exists"}, {"key": "node-role.kubernetes.io/control-plane"}]},
    }
    assert checked({"api": overlay}) == {"api": overlay}


def test_every_mistake_is_told_at_once() -> None:
    spec = {"containers": [sidecar(securityContext={"privileged": True}), {"name": "api", "command": ["x"]}]}
    assert refused({"api": {"spec": spec}, "worker": {"metadata": {"labels": {"app": "x"}}}}) == [
        "podOverlays.api.spec.containers[1].command",
        "podOverlays.api.spec.containers[0].securityContext.privileged",
        "podOverlays.worker.metadata.labels.app",
    ]


@pytest.mark.parametrize(
    "document", [3, "api", [], [{"api": {}}], {"api": 3}, {"api": {"spec": []}}, {1: {}}]
)
def test_what_is_no_overlay_at_all_is_refused(document: object) -> None:
    if document == []:
        assert checked(document) == {}
    else:
        assert refused(document)


def test_render_shows_the_overlay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cr, file = tmp_path / "cr.yaml", tmp_path / "overlays.yaml"
    cr.write_text(yaml.safe_dump(engine()))
    file.write_text(yaml.safe_dump({"api": {"spec": {"containers": [sidecar()]}}}))
    assert main(["render", "-f", str(cr), "--pod-overlays", str(file)]) == 0
    shown = {item["metadata"]["name"]: item for item in yaml.safe_load_all(capsys.readouterr().out)}
    made = shown["vanna-api"]["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in made] == ["api", "sidecar"]


def test_render_shows_what_the_operators_environment_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cr, file = tmp_path / "cr.yaml", tmp_path / "overlays.yaml"
    cr.write_text(yaml.safe_dump(engine()))
    file.write_text("worker: {metadata: {labels: {team: site-team}}}")
    monkeypatch.setenv("INSIGHT_OPERATOR_POD_OVERLAYS", str(file))
    assert main(["render", "-f", str(cr)]) == 0
    assert "site-team" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("api: {spec: {hostNetwork: true}}", "podOverlays.api.spec.hostNetwork: may not be set: "),
        ("api: [", "--pod-overlays: "),
        ("- api", "podOverlays: must be a map"),
        ("api: {metadata: {annotations: {since: 2026-01-01}}}", "podOverlays: "),
    ],
)
def test_a_bad_file_is_a_line_for_each_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    file = tmp_path / "overlays.yaml"
    file.write_text(text)
    assert main(["render", "-f", "/nowhere", "--pod-overlays", str(file)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line[: len(told)] for line in shown.err.splitlines()] == [told]


def test_the_operator_does_not_start_with_a_bad_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "overlays.yaml"
    file.write_text("api: {spec: {hostPID: true, hostIPC: true}}")
    monkeypatch.setenv("INSIGHT_OPERATOR_POD_OVERLAYS", str(file))
    assert main(["run"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "podOverlays.api.spec.hostPID",
        "podOverlays.api.spec.hostIPC",
    ]


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(
        SettingsError, match="INSIGHT_OPERATOR_POD_OVERLAYS: /nowhere cannot be read: No such"
    ):
        from_environment({"INSIGHT_OPERATOR_POD_OVERLAYS": "/nowhere"})


def test_the_charts_schema_knows_the_same_fields() -> None:
    schema = json.loads((ROOT / "charts" / "insight-operator" / "values.schema.json").read_text())
    told = schema["$defs"]["podOverlay"]["properties"]["spec"]["properties"]
    assert set(told) == {field.alias or name for name, field in PodSpec.model_fields.items()}
    assert set(schema["properties"]["podOverlays"]["properties"]) == {
        "api",
        "worker",
        "database",
        "broker",
        "migrate",
    }
