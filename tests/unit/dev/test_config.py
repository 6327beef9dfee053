"""Rendered settings: what keeps the cluster on this machine and its leftovers under the state folder."""

import json
from pathlib import Path

import pytest
import yaml

from dev.cluster import addons, commands, config
from dev.cluster.layout import Layout

LAYOUT = Layout(Path("/state"), Path("/cache/registry"))


def spec(node_ip: str | None) -> commands.ControlPlaneSpec:
    root = Path("/state")
    return commands.ControlPlaneSpec(
        root / "pki", root / "config", root / "etcd", root / "audit.log", 6443, 2379, 2380, "10.96.0.0/16",
        node_ip, durable=node_ip is not None,
    )  # fmt: skip


BINARIES = {name: Path("/bin") / name for name in ("etcd", "kube-apiserver", "kube-scheduler")}


def test_administrators_kubeconfig_points_at_loopback() -> None:
    document = yaml.safe_load(config.kubeconfig(LAYOUT.server_url, LAYOUT.pki, "admin"))
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"


def test_pods_are_not_masqueraded_to_the_outside() -> None:
    assert json.loads(config.cni(LAYOUT))["plugins"][0]["ipMasq"] is False


def test_pod_addresses_are_booked_under_the_state_folder() -> None:
    assert json.loads(config.cni(LAYOUT))["plugins"][0]["ipam"]["dataDir"].startswith("/state/")


def test_registry_listens_on_loopback_only() -> None:
    assert yaml.safe_load(config.registry(LAYOUT))["http"]["addr"] == "127.0.0.1:5000"


def test_audit_policy_ends_with_a_rule_that_records_everybody_else() -> None:
    assert yaml.safe_load(config.audit_policy())["rules"][-1] == {"level": "Metadata"}


def test_throw_away_api_server_listens_on_loopback_only() -> None:
    assert "--bind-address=127.0.0.1" in commands.api_server(BINARIES, spec(None))


def test_throw_away_etcd_does_not_wait_for_the_disk() -> None:
    assert "--unsafe-no-fsync" in commands.etcd(BINARIES, spec(None))


def test_local_etcd_survives_a_hard_stop() -> None:
    assert "--unsafe-no-fsync" not in commands.etcd(BINARIES, spec("10.244.255.1"))


@pytest.mark.parametrize(
    "manifest", addons.render(LAYOUT, "localhost/x:1"), ids=lambda each: str(each["kind"])
)
def test_no_placeholder_is_left_in_an_addon(manifest: dict[str, object]) -> None:
    assert "$(" not in json.dumps(manifest)


def test_standard_is_the_default_storage_class() -> None:
    classes = [each for each in addons.render(LAYOUT, "x") if each["kind"] == "StorageClass"]
    annotation = "storageclass.kubernetes.io/is-default-class"
    assert [(each["metadata"]["name"], each["metadata"]["annotations"][annotation]) for each in classes] == [
        ("standard", "true")
    ]
