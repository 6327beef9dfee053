"""`kubectl insight` without a cluster: what it shows, what it works out, and how it fails."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from insight_operator.plugin import planning, status
from insight_operator.plugin.__main__ import main
from insight_operator.plugin.planning import Planned
from support.bad_engines import Manifest, source
from support.manifests import IMAGES, resource

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SINCE = "2026-05-04T09:00:00Z"
PENDING = [
    {"component": "api", "revision": "aaa111", "reason": "OperatorChanged", "message": "The image changed."},
    {
        "component": "worker",
        "revision": "aaa111",
        "reason": "OperatorChanged",
        "message": "The image changed.",
    },
    {"component": "database", "revision": "bbb222", "reason": "OperatorChanged", "message": "It is new."},
]


def condition(kind: str, value: str, reason: str, message: str) -> Manifest:
    return {
        "type": kind,
        "status": value,
        "reason": reason,
        "message": message,
        "lastTransitionTime": SINCE,
        "observedGeneration": 1,
    }


def with_status(**more: Any) -> Manifest:
    made = {
        "observedGeneration": 1,
        "version": "0.1.0",
        "conditions": [
            condition("APIAvailable", "True", "MinimumAvailable", "All serve."),
            condition("Ready", "False", "WorkersUnavailable", "The worker's image cannot be pulled."),
        ],
        "components": {"api": {"desired": 2, "updated": 2, "ready": 2, "available": 1, "image": "x:1"}},
    }
    return resource() | {"status": made | more}


def planned(before: Manifest | None, after: Manifest, **state: Any) -> Planned:
    stored = None if before is None else resource(before) | {"status": state}
    return planning.planned(stored, resource(after), IMAGES, "0.1.0")


def test_the_status_says_first_whether_and_why() -> None:
    shown = list(status.lines(with_status(), NOW))
    assert shown[0] == "InsightEngine vanna in namespace insight"
    assert shown[1] == "Not ready: WorkersUnavailable. The worker's image cannot be pulled."
    text = "\n".join(shown)
    assert text.index("Ready   ") < text.index("APIAvailable")
    assert " 3h " in text
    assert "1/2" in text
    assert "PENDING" not in text
    assert "PLAN" not in text


def test_the_status_shows_what_waits_and_how_to_let_it_go() -> None:
    shown = "\n".join(status.lines(with_status(pendingRestart=PENDING), NOW))
    assert "aaa111" in shown
    assert "kubectl insight approve vanna --all" in shown


def test_the_status_shows_a_plan() -> None:
    change = {
        "object": "Deployment/vanna-api",
        "action": "change",
        "fields": ["spec.x"],
        "restartsPods": True,
    }
    shown = "\n".join(status.lines(with_status(plan={"changes": [change]}), NOW))
    assert "Deployment/vanna-api   restarts its pods" in shown
    assert "Nothing would change." in "\n".join(status.lines(with_status(plan={"changes": []}), NOW))


def test_a_status_of_an_earlier_generation_is_not_ready() -> None:
    fine = [condition("Ready", "True", "AllComponentsReady", "It serves.")]
    assert status.is_ready(with_status(conditions=fine))
    assert not status.is_ready(with_status(conditions=fine, observedGeneration=0))
    assert "generation 1" in "\n".join(status.lines(with_status(observedGeneration=0), NOW))
    assert "No operator" in "\n".join(status.lines(resource(), NOW))


@pytest.mark.parametrize(
    ("since", "shown"),
    [
        ("2026-05-04T11:59:50Z", "10s"),
        ("2026-05-04T11:57:00Z", "3m"),
        ("2026-05-01T12:00:00Z", "3d"),
        ("", ""),
        ("x", ""),
    ],
)
def test_an_age_is_in_its_largest_unit(since: str, shown: str) -> None:
    assert status.age(since, NOW) == shown


def test_a_change_of_size_restarts_nothing() -> None:
    found = planned({}, {"workers": {"replicas": 5}})
    assert found.fields == ("spec.workers",)
    assert [change.object for change in found.changes] == ["Deployment/vanna-worker"]
    assert found.changes[0].fields == ("spec.replicas",)
    assert found.restarts == {}


def test_a_change_of_a_pod_restarts_that_component() -> None:
    found = planned({"api": {"replicas": 3}}, {"api": {"replicas": 3, "logLevel": "DEBUG"}})
    assert found.restarts == {"Deployment/vanna-api": 3}
    assert all("template-hash" not in field for change in found.changes for field in change.fields)


def test_another_data_source_shows_the_new_configuration_and_both_restarts() -> None:
    found = planned({}, {"dataSources": [source()]})
    assert {"Deployment/vanna-api", "Deployment/vanna-worker"} == set(found.restarts)
    made = [change.action for change in found.changes if change.object.startswith("ConfigMap/")]
    assert made == ["create"]
    assert not [change for change in found.changes if change.action == "delete"]


def test_a_database_that_moves_out_shows_what_goes() -> None:
    outside = {"database": {"external": {"secretRef": {"name": "elsewhere"}}}}
    gone = [change.object for change in planned({}, outside).changes if change.action == "delete"]
    assert "StatefulSet/vanna-postgres" in gone


def test_nothing_changed_is_nothing_told() -> None:
    found = planned({"api": {"replicas": 3}}, {"api": {"replicas": 3}})
    assert (found.changes, found.fields, found.restarts) == ((), (), {})


def test_a_new_one_is_made_and_restarts_nothing() -> None:
    found = planned(None, {"image": {"repository": "any.example/engine", "tag": "1"}})
    assert not found.exists
    assert {change.action for change in found.changes} == {"create"}
    assert found.restarts == {}


def test_what_else_to_know_is_noted() -> None:
    after = {
        "api": {"logLevel": "DEBUG"},
        "mode": "Plan",
        "suspend": True,
        "upgrade": {"strategy": "Supervised"},
    }
    found = planned({}, after, pendingRestart=PENDING, operatorVersion="9.9.9")
    for words in ("mode is Plan", "suspend is true", "Supervised", "api, database, worker wait", "9.9.9"):
        assert any(words in note for note in found.notes), words


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that shows `engine.json` and writes down how it was called."""
    script = tmp_path / "kubectl"
    script.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >> {tmp_path}/calls\n'
        f"[ -f {tmp_path}/refusal ] && {{ cat {tmp_path}/refusal >&2; exit 1; }}\n"
        f"cat {tmp_path}/engine.json\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "engine.json").write_text(json.dumps(with_status(pendingRestart=PENDING)))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "approved"),
    [
        (["--all"], "aaa111,bbb222"),
        (["--only", "worker"], "aaa111"),
        (["--only=bbb222"], "bbb222"),
        (["--only=api", "--only=database"], "aaa111,bbb222"),
    ],
)
def test_an_approval_names_what_waits_now(kubectl: Path, words: list[str], approved: str) -> None:
    assert main(["approve", "vanna", "-n", "insight", *words]) == 0
    calls = (kubectl / "calls").read_text()
    assert "--namespace=insight" in calls
    assert json.dumps({"metadata": {"annotations": {"insightengine.io/approve": approved}}}) in calls


def test_an_approval_of_nothing_in_particular_says_what_waits(
    kubectl: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["approve", "vanna"]) == 2
    assert "database (bbb222)" in capsys.readouterr().err
    assert main(["approve", "vanna", "--only=redis"]) == 2
    assert "redis does not wait" in capsys.readouterr().err
    assert "patch" not in (kubectl / "calls").read_text()


def test_the_only_revision_that_waits_needs_no_naming(kubectl: Path) -> None:
    (kubectl / "engine.json").write_text(json.dumps(with_status(pendingRestart=PENDING[:2])))
    assert main(["approve", "vanna"]) == 0
    assert '"insightengine.io/approve": "aaa111"' in (kubectl / "calls").read_text()


def test_nothing_to_approve_is_fine(kubectl: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (kubectl / "engine.json").write_text(json.dumps(with_status()))
    assert main(["approve", "vanna", "--all"]) == 0
    assert "Nothing of vanna waits" in capsys.readouterr().out


def test_a_refusal_is_kubectls_own_words_and_no_traceback(
    kubectl: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (kubectl / "refusal").write_text(
        'Warning: old\nError from server (NotFound): insightengines.insightengine.io "vanna" not found\n'
    )
    assert main(["status", "vanna"]) == 1
    said = capsys.readouterr().err
    assert said == 'kubectl insight: insightengines.insightengine.io "vanna" not found\n'


def test_without_kubectl_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert main(["suspend", "vanna"]) == 1
    assert "kubectl is not on the PATH" in capsys.readouterr().err


def test_a_file_without_an_engine_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("kind: Secret\n")
    assert main(["plan", "-f", str(file)]) == 2
    assert "holds no InsightEngine" in capsys.readouterr().err
    file.write_text("a: [")
    assert main(["plan", "-f", str(file)]) == 2
    assert main(["plan", "-f", str(tmp_path / "absent")]) == 2
