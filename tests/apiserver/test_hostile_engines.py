"""A hostile InsightEngine gets nothing: not by its spec, not by its name, not by what others own."""

from collections.abc import Iterator

import pytest

from insight_operator import naming
from insight_operator.desired.plan import plan
from support.bad_engines import Judge, engine
from support.foreign_secrets import FOREIGN
from support.harmless_engines import HARMLESS, HarmlessEngine
from support.hostile_engines import REFUSED
from support.kube_api import KubeApi, Manifest, Refusal
from support.manifests import validated
from support.space import NAME, Space
from support.waiting import eventually

_TRIED = "fieldValidation=Strict&dryRun=All"
# What a server could refuse for what is in a spec; accounts and Services carry nothing of it.
_TELLING = {"ConfigMap", "PersistentVolumeClaim", "StatefulSet", "Job", "Deployment"}
VICTIM, INTRUDER = "vanna-database-admin", "vanna-database"


@pytest.fixture(scope="module")
def drawer(admin: KubeApi) -> KubeApi:
    """A namespace where everything is only tried."""
    admin.request("POST", "/api/v1/namespaces", {"metadata": {"name": "hostile"}})
    return admin.within("hostile")


def tried(kube: KubeApi, manifest: Manifest) -> str:
    """Return why the server would refuse an object; empty when it would take it."""
    body = manifest | {"metadata": manifest["metadata"] | {"namespace": kube.namespace}}
    try:
        kube.request("POST", f"{kube.path(manifest['kind'])}?{_TRIED}", body)
    except Refusal as refusal:
        return refusal.message
    return ""


def children(odd: HarmlessEngine) -> Iterator[Manifest]:
    """Yield what is made of it and could be refused."""
    made = odd.resource()
    for child in plan(validated(odd.spec, **made["metadata"])):
        if child["kind"] in _TELLING:
            yield child


def test_the_server_refuses_what_it_can_judge_and_takes_all_that_is_made(drawer: KubeApi) -> None:
    taken, refused = {}, {}
    for hostile in REFUSED:
        message = tried(drawer, hostile.resource()) if hostile.judge is Judge.BOTH else hostile.field
        if hostile.field.replace("[0]", "") not in message.replace("[0]", ""):
            taken[hostile.name] = message
    for odd in HARMLESS:
        for manifest in (odd.resource(), *children(odd)):
            if message := tried(drawer, manifest):
                refused[f"{odd.name}: {manifest['kind']}"] = message
    assert not taken
    assert not refused


def stalls(space: Space, name: str, field: str, reason: str) -> None:
    """Wait until an InsightEngine is refused in its status, by the field's name."""
    refused = space.wait_for("Stalled", reason=reason, name=name)
    assert field in refused["message"], (name, refused["message"])


def test_the_operator_gives_nothing_that_is_not_the_authors(space: Space) -> None:
    kube = space.kube
    space.operator.start()
    expected = {}
    for number, foreign in enumerate(FOREIGN):
        kube.create(foreign.manifest())
        kube.create(engine(foreign.spec, name=f"foreign-{number}"))
        expected[f"foreign-{number}"] = (foreign.field, "InvalidReference")
    for number, stranger in enumerate(REFUSED):
        if stranger.judge is Judge.OPERATOR and not stranger.metadata:
            kube.create(engine(stranger.spec, name=f"stranger-{number}"))
            expected[f"stranger-{number}"] = (stranger.field, "InvalidSpec")
    forged = {"conditions": [], "migration": {"job": "x", "outcome": "succeeded"}, "version": "forged"}
    made = kube.create(engine(name=NAME) | {"status": forged})
    assert "version" not in made.get("status", {})
    victim = eventually("the victim's Secret", lambda: kube.get("Secret", VICTIM), 60)
    kube.create(engine(name=INTRUDER))
    for name, (field, reason) in expected.items():
        stalls(space, name, field, reason)
    stalls(space, INTRUDER, VICTIM, "Conflict")

    assert (kube.get("Secret", VICTIM) or {})["data"] == victim["data"]
    owners = {child["metadata"]["labels"][naming.ENGINE_LABEL] for child in space.children().values()}
    workloads = {
        child["metadata"]["labels"][naming.ENGINE_LABEL]
        for (kind, _), child in space.children().items()
        if kind in {"StatefulSet", "Deployment", "Job"}
    }
    assert owners & expected.keys() <= {
        f"foreign-{n}" for n, one in enumerate(FOREIGN) if "engine" in str(one.labels)
    }
    assert INTRUDER not in workloads
    forgery = {"conditions": [{**space.condition("Ready", "foreign-0"), "status": "True"}]}
    path = f"{kube.path(naming.KIND, 'foreign-0')}/status"
    kube.request("PATCH", path, {"status": forgery}, "application/merge-patch+json")
    eventually(
        "the forged status is put right",
        lambda: (
            space.condition("Ready", "foreign-0").get("status") == "False"
            and space.condition("Stalled", "foreign-0").get("status") == "True"
        ),
        60,
    )
    assert "Traceback" not in space.operator.log.read_text()
