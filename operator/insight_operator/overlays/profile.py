"""The restricted profile of the Pod Security Standards, judged on a pod template to be applied. Pure.

The API server judges the same again, but only in namespaces that enforce it, and only when a pod is made.
"""

import re
from collections.abc import Iterator
from typing import Final

from insight_operator.snapshot import Manifest

Path = tuple[str | int, ...]
Violation = tuple[Path, str]
"""Where in the template, and what is wrong there."""

CONTAINER_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
_VOLUME_SOURCES: Final = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_SE_LINUX_TYPES: Final = {
    None,
    "",
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
}
_SYSCTLS: Final = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
_CONFINED: Final = {"RuntimeDefault", "Localhost"}
_APP_ARMOR_ANNOTATION: Final = "container.apparmor.security.beta.kubernetes.io/"
_UNCONFINED: Final = re.compile(r"^(unconfined|)$")


def violations(template: Manifest) -> Iterator[Violation]:
    """Yield everything the restricted profile forbids in a pod template."""
    for key, value in (template.get("metadata", {}).get("annotations") or {}).items():
        if key.startswith(_APP_ARMOR_ANNOTATION) and _UNCONFINED.match(value):
            yield ("metadata", "annotations", key), "must not switch AppArmor off"
    spec = template["spec"]
    yield from _within(("spec",), _pod(spec))
    for name in CONTAINER_LISTS:
        for index, container in enumerate(spec.get(name) or ()):
            yield from _within(
                ("spec", name, index), _container(container, spec.get("securityContext") or {})
            )
    for index, volume in enumerate(spec.get("volumes") or ()):
        for source in sorted(volume.keys() - {"name"} - _VOLUME_SOURCES):
            yield ("spec", "volumes", index, source), "this kind of volume reaches the node or its network"


def _pod(spec: Manifest) -> Iterator[Violation]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield (field,), "must not share the node's"
    context = spec.get("securityContext") or {}
    yield from _within(("securityContext",), _context(context))
    for index, setting in enumerate(context.get("sysctls") or ()):
        if setting.get("name") not in _SYSCTLS:
            yield ("securityContext", "sysctls", index, "name"), "is not one of the safe kernel settings"


def _container(container: Manifest, pod: Manifest) -> Iterator[Violation]:
    context = container.get("securityContext") or {}
    yield from _within(("securityContext",), _context(context))
    yield from _within(("securityContext",), _raised(context, pod))
    for index, port in enumerate(container.get("ports") or ()):
        if port.get("hostPort"):
            yield ("ports", index, "hostPort"), "must not take a port of the node"
    handlers = [
        ((probe,), container.get(probe)) for probe in ("livenessProbe", "readinessProbe", "startupProbe")
    ]
    hooks = container.get("lifecycle") or {}
    handlers += [(("lifecycle", hook), hooks.get(hook)) for hook in ("postStart", "preStop")]  # type: ignore[misc]
    for where, handler in handlers:
        for action in ("httpGet", "tcpSocket"):
            if ((handler or {}).get(action) or {}).get("host"):
                yield (*where, action, "host"), "must not ask another host"


def _raised(context: Manifest, pod: Manifest) -> Iterator[Violation]:
    """Yield what gives a container more rights than a process of its user has."""
    if context.get("privileged"):
        yield ("privileged",), "must not be true"
    if context.get("allowPrivilegeEscalation") is not False:
        yield ("allowPrivilegeEscalation",), "must be false"
    if context.get("procMount", "Default") != "Default":
        yield ("procMount",), "must be Default"
    capabilities = context.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield ("capabilities", "drop"), "must name ALL"
    for index, name in enumerate(capabilities.get("add") or ()):
        if name != "NET_BIND_SERVICE":
            yield ("capabilities", "add", index), "only NET_BIND_SERVICE may be added"
    if context.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield ("runAsNonRoot",), "must be true"
    if not context.get("seccompProfile") and not pod.get("seccompProfile"):
        yield ("seccompProfile",), "must be set"


def _context(context: Manifest) -> Iterator[Violation]:
    """Yield what neither a pod's nor a container's security context may say."""
    if context.get("runAsUser") == 0:
        yield ("runAsUser",), "must not be 0, root"
    if context.get("runAsNonRoot") is False:
        yield ("runAsNonRoot",), "must be true"
    for field in ("seccompProfile", "appArmorProfile"):
        profile = context.get(field)
        if profile is not None and profile.get("type") not in _CONFINED:
            yield (field, "type"), "must be RuntimeDefault or Localhost"
    labels = context.get("seLinuxOptions") or {}
    if labels.get("type") not in _SE_LINUX_TYPES:
        yield ("seLinuxOptions", "type"), "must be one of the container types"
    for field in ("user", "role"):
        if labels.get(field):
            yield ("seLinuxOptions", field), "must not be set"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield ("windowsOptions", "hostProcess"), "must not be true"


def _within(prefix: Path, found: Iterator[Violation]) -> Iterator[Violation]:
    for path, message in found:
        yield (*prefix, *path), message
