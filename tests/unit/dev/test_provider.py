"""Which cluster a machine gets: the first of given, kind, local, simulated that it allows."""

from dataclasses import replace
from pathlib import Path

import pytest

from dev.cluster import provider
from dev.cluster.errors import ClusterError
from dev.cluster.provider import Machine

EVERYTHING = Machine(
    "/some/kubeconfig", has_kind=True, docker_answers=True, local_refusal=None, platform="linux"
)


@pytest.mark.parametrize(
    ("machine", "kind"),
    [
        (EVERYTHING, "given"),
        (replace(EVERYTHING, given_kubeconfig=None), "kind"),
        (replace(EVERYTHING, given_kubeconfig=None, docker_answers=False), "local"),
        (replace(EVERYTHING, given_kubeconfig=None, has_kind=False), "local"),
        (replace(EVERYTHING, given_kubeconfig=None, has_kind=False, local_refusal="no root"), "simulated"),
    ],
)
def test_first_possible_kind_is_chosen(machine: Machine, kind: str) -> None:
    assert provider.choose(machine) == kind


def test_machine_without_any_way_is_told_each_way() -> None:
    machine = Machine(None, has_kind=False, docker_answers=False, local_refusal="no root", platform="darwin")
    with pytest.raises(ClusterError, match=r"INSIGHT_KUBECONFIG.*kind and Docker.*Linux"):
        provider.choose(machine)


def test_given_kubeconfig_that_is_no_file_is_refused_by_name() -> None:
    with pytest.raises(ClusterError, match="/no/such/file"):
        provider.GivenCluster(Path("/no/such/file"))
