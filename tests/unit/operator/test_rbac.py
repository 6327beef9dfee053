"""What `insight-operator rbac` prints can be applied as it is, and gives no more than the operator uses."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from insight_operator.__main__ import main
from insight_operator.cluster import kinds

Manifest = dict[str, Any]
NEVER = {
    *("pods/exec", "pods/attach", "pods/ephemeralcontainers", "nodes/proxy", "serviceaccounts/token"),
    *("roles", "rolebindings", "clusterroles", "clusterrolebindings", "namespaces"),
    *("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
}


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[Manifest]:
    assert main(["rbac", *arguments]) == 0
    text = capsys.readouterr().out
    assert "&id" not in text
    return list(yaml.safe_load_all(text))


def rights(role: Manifest) -> dict[str, set[str]]:
    return {resource: set(rule["verbs"]) for rule in role["rules"] for resource in rule["resources"]}


GUIDE = Path(__file__).resolve().parents[3] / "docs" / "installing.md"


def test_the_guide_names_every_right() -> None:
    rows = re.findall(r"^\| `([a-z/]+)` \| ([a-z, ]+) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {resource: set(verbs.split(", ")) for resource, verbs in rows}
    assert told == rights({"rules": kinds.rules()})


FORMS: tuple[list[str], ...] = ([], ["--namespace", "a"], ["--cluster"], ["--cluster", "--namespace", "a"])


@pytest.mark.parametrize("arguments", FORMS, ids=" ".join)
def test_no_form_gives_what_an_attacker_would_want(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    for manifest in printed(capsys, *arguments):
        for rule in manifest.get("rules", ()):
            assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
            assert not {"escalate", "bind", "impersonate", "deletecollection"} & set(rule["verbs"])
            assert not NEVER & set(rule["resources"])
            if "secrets" in rule["resources"]:
                assert set(rule["verbs"]) == {"create", "get", "patch"}


def test_for_a_namespace_everything_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    role, binding = printed(capsys, "--namespace", "team-a")
    assert (role["kind"], binding["kind"]) == ("Role", "RoleBinding")
    assert role["metadata"] == binding["metadata"] == {"name": "insight-operator", "namespace": "team-a"}
    assert role["rules"] == kinds.rules()


def test_several_namespaces_get_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    made = printed(capsys, "--namespace", "team-a", "--namespace", "team-b")
    assert [item["metadata"]["namespace"] for item in made] == ["team-a", "team-a", "team-b", "team-b"]


def test_without_a_namespace_it_is_the_operators_own(capsys: pytest.CaptureFixture[str]) -> None:
    made = printed(capsys, "--service-account", "sys/op")
    assert {item["metadata"]["namespace"] for item in made} == {"sys"}


def test_cluster_wide_gives_no_right_to_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    role, binding = printed(capsys, "--cluster")
    assert (role["kind"], binding["kind"]) == ("ClusterRole", "ClusterRoleBinding")
    assert "namespace" not in role["metadata"]
    assert "secrets" not in rights(role)


def test_a_namespace_opts_in_by_its_secrets_alone(capsys: pytest.CaptureFixture[str]) -> None:
    role, _ = printed(capsys, "--cluster", "--namespace", "team-a")
    assert role["metadata"] == {"name": "insight-operator-secrets", "namespace": "team-a"}
    assert rights(role).keys() == {"secrets"}


def test_both_halves_of_a_cluster_wide_install_are_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    wide, _ = printed(capsys, "--cluster")
    own, _ = printed(capsys, "--cluster", "--namespace", "a")
    whole, _ = printed(capsys, "--namespace", "a")
    assert rights(wide) | rights(own) == rights(whole)
    assert len(wide["rules"]) + len(own["rules"]) == len(whole["rules"])


@pytest.mark.parametrize("arguments", FORMS, ids=" ".join)
def test_every_role_is_bound_to_the_operators_account(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    made = printed(capsys, *arguments, "--service-account", "sys/op", "--name", "mine")
    for role, binding in zip(made[::2], made[1::2], strict=True):
        assert binding["roleRef"]["kind"] == role["kind"]
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "op", "namespace": "sys"}]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--namespace", "Team_A"],
        ["--namespace", "a; kubectl delete"],
        ["--service-account", "no-slash"],
        ["--service-account", "a/b/c"],
        ["--name", "-"],
        ["--cluster=yes"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_and_prints_nothing(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["rbac", *arguments])
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert f"argument {arguments[0].partition('=')[0]}: " in told.err


@pytest.mark.parametrize("command", ["run", "crd", "render", "rbac"])
def test_every_command_explains_itself_with_an_example(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "example" in told
    assert "exit codes: " in told
    assert any(f"insight-operator {command}" in line for line in told.splitlines() if line.startswith("  "))
