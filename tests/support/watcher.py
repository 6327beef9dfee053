"""Remembers every condition that any InsightEngine of a namespace ever showed, from a watch of its own."""

import json
import threading
import urllib.request

from insight_operator import naming
from insight_operator.cluster import login
from support.kube_api import KubeApi

Answer = tuple[str, str, str]
"""Type, status and reason of a condition."""


class Watcher:
    """Watches in a thread of its own until the server ends the watch."""

    def __init__(self, kube: KubeApi, for_s: int) -> None:
        self._seen: set[Answer] = set()
        self._kube = kube
        self._since = kube.request("GET", kube.path(naming.KIND))["metadata"]["resourceVersion"]
        self._thread = threading.Thread(target=self._watch, args=(for_s,), daemon=True)
        self._thread.start()

    @property
    def seen(self) -> set[Answer]:
        """What was shown up to now."""
        return set(self._seen)

    def _watch(self, for_s: int) -> None:
        found = login.from_kubeconfig(self._kube.kubeconfig)
        query = f"?watch=true&resourceVersion={self._since}&timeoutSeconds={for_s}"
        url = found.server + self._kube.path(naming.KIND) + query
        try:
            with urllib.request.urlopen(url, timeout=for_s, context=found.tls) as answer:
                for line in answer:
                    self._note(line)
        except OSError:
            return  # the server ended first; what was seen stays

    def _note(self, line: bytes) -> None:
        for item in json.loads(line)["object"].get("status", {}).get("conditions", ()):
            self._seen.add((item["type"], item["status"], item["reason"]))
