"""The commands that keep the cluster's traffic on this machine. Runs none of them."""

from pathlib import Path

import pytest

from dev.cluster import network
from dev.cluster.layout import Layout

LAYOUT = Layout(Path("/state"), Path("/cache/registry"))


@pytest.mark.parametrize("cidr", [LAYOUT.pod_cidr, LAYOUT.service_cidr])
def test_guard_makes_each_address_range_unreachable_at_the_worst_metric(cidr: str) -> None:
    assert ["ip", "route", "replace", "unreachable", cidr, "metric", "9999"] in network.guard_up_commands(
        LAYOUT
    )


def test_every_guard_route_that_goes_up_comes_down() -> None:
    up = [command[3:] for command in network.guard_up_commands(LAYOUT)]
    down = [command[3:] for command in network.guard_down_commands(LAYOUT)]
    assert up == down


def test_cluster_route_wins_over_the_guard() -> None:
    route = next(command for command in network.bridge_commands(LAYOUT) if command[1] == "route")
    assert int(route[-1]) < 9999


def test_guard_table_refuses_pod_traffic_that_would_leave_the_machine() -> None:
    table = network.guard_table(LAYOUT)
    assert 'ip saddr 10.244.0.0/16 oifname != { "lo", "node0", "cni0" } reject' in table


def test_guard_table_keeps_other_interfaces_off_the_api_port() -> None:
    assert 'tcp dport 6443 iifname != { "lo", "node0", "cni0" } drop' in network.guard_table(LAYOUT)
