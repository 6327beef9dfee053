"""Bridges, routes and packet filter of the local cluster; every one of them can be undone.

The guard comes first and goes last: routes that end the cluster's address ranges on this machine even while
no bridge exists, and a table that keeps pod traffic and the API port off every other interface.
"""

import json
import subprocess
from pathlib import Path

from dev.cluster import paths
from dev.cluster.errors import ClusterError
from dev.cluster.layout import Layout

_GUARD_METRIC = "9999"
_NODE_METRIC = "10"
SYSCTLS = {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"}
_KUBE_PROXY_TABLE = "kube-proxy"


def guard_up_commands(layout: Layout) -> list[list[str]]:
    """Return the commands that make both address ranges unreachable by any route but the cluster's own."""
    return [
        ["ip", "route", "replace", "unreachable", cidr, "metric", _GUARD_METRIC]
        for cidr in (layout.pod_cidr, layout.service_cidr)
    ]


def guard_down_commands(layout: Layout) -> list[list[str]]:
    """Return the commands that take the guard routes away, the very last step of `down`."""
    return [
        ["ip", "route", "del", "unreachable", cidr, "metric", _GUARD_METRIC]
        for cidr in (layout.pod_cidr, layout.service_cidr)
    ]


def bridge_commands(layout: Layout) -> list[list[str]]:
    """Return the commands that give the node its address, once the bridge exists."""
    bridge = layout.node_bridge
    return [
        ["ip", "addr", "replace", f"{layout.node_ip}/32", "dev", bridge],
        ["ip", "link", "set", bridge, "up"],
        ["ip", "route", "replace", layout.service_cidr, "dev", bridge, "metric", _NODE_METRIC],
    ]


def guard_table(layout: Layout) -> str:
    """Render the nftables table that lets pods and the API port talk to this machine only."""
    own = f'{{ "lo", "{layout.node_bridge}", "{layout.pod_bridge}" }}'
    inside = f"{{ {layout.pod_cidr}, {layout.service_cidr} }}"
    return f"""table inet {layout.guard_table} {{
  chain input {{
    type filter hook input priority -10; policy accept;
    tcp dport {layout.api_port} iifname != {own} drop
  }}
  chain forward {{
    type filter hook forward priority -10; policy accept;
    ip saddr {layout.pod_cidr} oifname != {own} reject
  }}
  chain output {{
    type filter hook output priority 10; policy accept;
    ip daddr {inside} oifname != {own} reject
  }}
}}
"""


def up(layout: Layout) -> None:
    """Bring guard, bridge and packet filter up; doing it twice changes nothing.

    Raises ClusterError naming the command that failed and what it said.
    """
    for command in guard_up_commands(layout):
        run(command)
    _set_sysctls(layout.root / "run" / "sysctls.json")
    if not link_exists(layout.node_bridge):
        run(["ip", "link", "add", layout.node_bridge, "type", "bridge"])
    for command in bridge_commands(layout):
        run(command)
    delete_table("inet", layout.guard_table)
    run(["nft", "-f", "-"], stdin=guard_table(layout))


def down(layout: Layout) -> None:
    """Remove bridges and tables, then the guard routes; what is already gone is fine."""
    for bridge in (layout.pod_bridge, layout.node_bridge):
        delete_link(bridge)
    for family in ("ip", "ip6"):
        delete_table(family, _KUBE_PROXY_TABLE)
    delete_table("inet", layout.guard_table)
    _restore_sysctls(layout.root / "run" / "sysctls.json")
    for command in guard_down_commands(layout):
        subprocess.run(command, capture_output=True, check=False)


def guarded(layout: Layout) -> bool:
    """Tell whether guard routes, bridge and packet filter are all in place."""
    routes = _output(["ip", "-json", "route"])
    present = {(route.get("type"), route["dst"]) for route in json.loads(routes or "[]")}
    guards = {("unreachable", layout.pod_cidr), ("unreachable", layout.service_cidr)}
    table = subprocess.run(
        ["nft", "list", "table", "inet", layout.guard_table], capture_output=True, check=False
    )
    return guards <= present and link_exists(layout.node_bridge) and table.returncode == 0


def link_exists(name: str) -> bool:
    """Tell whether the machine has a network interface of that name."""
    return (
        subprocess.run(["ip", "link", "show", "dev", name], capture_output=True, check=False).returncode == 0
    )


def delete_link(name: str) -> None:
    """Delete an interface if it is there."""
    if link_exists(name):
        run(["ip", "link", "del", name])


def delete_table(family: str, name: str) -> None:
    """Delete an nftables table if it is there."""
    subprocess.run(["nft", "delete", "table", family, name], capture_output=True, check=False)


def run(command: list[str], stdin: str | None = None) -> str:
    """Run a system command and return its output.

    Raises ClusterError with the command and its error output when it fails.
    """
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"`{' '.join(command)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _set_sysctls(record: Path) -> None:
    before: dict[str, str] = {}
    for name in SYSCTLS:
        path = Path("/proc/sys") / name
        if not path.exists():
            subprocess.run(["modprobe", "br_netfilter"], capture_output=True, check=False)
        if not path.exists():
            raise ClusterError(
                f"The kernel has no {path}; load the module br_netfilter (modprobe br_netfilter)."
            )
        before[name] = path.read_text().strip()
    if not record.exists():
        paths.write_atomically(record, json.dumps(before))
    for name, value in SYSCTLS.items():
        if before[name] != value:
            (Path("/proc/sys") / name).write_text(value)


def _restore_sysctls(record: Path) -> None:
    if record.exists():
        for name, value in json.loads(record.read_text()).items():
            (Path("/proc/sys") / name).write_text(value)
        record.unlink()
