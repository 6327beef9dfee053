"""Killed after any write of the first reconcile, the operator ends as if it had not been."""

import os
from pathlib import Path

import pytest

from dev.cluster.controlplane import ControlPlane
from support import space as spaces
from support.intruder import Intruder, kubeconfig_through
from support.kube_api import KubeApi
from support.operator_process import OperatorProcess
from support.space import Space

# `make chaos` kills after each of the first 36 writes, CI after some of them.
FULL_SIZE = os.environ.get("INSIGHT_CAMPAIGN") == "full"
MOMENTS = range(1, 37) if FULL_SIZE else (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 26)


@pytest.fixture(scope="module")
def undisturbed(
    admin: KubeApi, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> set[tuple[str, str]]:
    """The children of an InsightEngine whose operator nobody killed."""
    made = spaces.prepare(admin, tmp_path_factory.mktemp("undisturbed"), control_plane.audit_log)
    made.operator.start()
    made.create_engine()
    made.wait_for("Ready")
    made.operator.kill()
    return set(made.children())


def killed_at(space: Space, folder: Path, moment: int) -> None:
    """Let the operator work on a new InsightEngine until its write number `moment`, then kill it."""
    victim: list[OperatorProcess] = []

    def kill() -> None:
        victim[0].kill()

    intruder = Intruder(folder / "operator.kubeconfig", moment, kill)
    with intruder.serve() as url:
        through = kubeconfig_through(url, folder / "operator.kubeconfig", folder / "through.kubeconfig")
        victim.append(OperatorProcess(through, space.namespace, folder / "victim.log"))
        victim[0].start()
        space.create_engine()
        assert intruder.struck.wait(30), (folder / "victim.log").read_text()
        assert not victim[0].running


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_after_any_write_changes_nothing_in_the_end(
    space: Space, tmp_path: Path, moment: int, undisturbed: set[tuple[str, str]]
) -> None:
    killed_at(space, tmp_path, moment)
    before = space.passwords()
    space.operator.start()
    space.wait_for("Ready")
    after = space.passwords()
    assert {name: after[name] for name in before} == before
    assert space.children().keys() == undisturbed
