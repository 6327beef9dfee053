"""InsightEngines that must be refused, and ones that must not: one table, judged by every judge there is.

Each entry names the field the refusal must name. `Judge.BOTH` is refused by the API server and by the
operator alike; `Judge.SERVER` is a change that only the server can see; `Judge.OPERATOR` hangs on the world
outside the spec.
"""

import copy
import dataclasses
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

Manifest = dict[str, Any]


class Judge(Enum):
    """Who can tell that an entry is bad."""

    BOTH = auto()
    SERVER = auto()
    OPERATOR = auto()


@dataclass(frozen=True)
class BadEngine:
    """One thing to refuse.

    Attributes:
        name: what is wrong, in words.
        spec: the spec, laid over the quickstart's.
        field: path that the refusal must name.
        judge: who refuses.
        metadata: laid over the metadata.
        before: the spec it is a change of, for laws over changes.
    """

    name: str
    spec: Manifest
    field: str
    judge: Judge = Judge.BOTH
    metadata: Manifest = dataclasses.field(default_factory=dict)
    before: Manifest | None = None

    def resource(self) -> Manifest:
        """Return the InsightEngine to refuse."""
        made = engine(self.spec)
        made["metadata"] |= self.metadata
        return made


def engine(spec: Manifest | None = None, name: str = "vanna") -> Manifest:
    """Return an InsightEngine as a user writes it."""
    return {
        "apiVersion": "insightengine.io/v1alpha1",
        "kind": "InsightEngine",
        "metadata": {"name": name},
        "spec": copy.deepcopy(spec or {}),
    }


def source(**changes: Any) -> Manifest:
    """Return a data source, with changes."""
    return {"name": "sales", "dialect": "postgres", "secretRef": {"name": "sales-readonly"}} | changes


def sources(*changes: Manifest) -> Manifest:
    """Return a spec with one data source for each set of changes."""
    return {"dataSources": [source(**change) for change in changes]}


def _grants(*changes: Manifest) -> Manifest:
    return sources({"grants": [{"role": "analyst"} | change for change in changes]})


def _env(name: str, value: str = "x") -> Manifest:
    return {"pods": {"extraEnv": [{"name": name, "value": value}]}}


def _api_limits(**limits: Any) -> Manifest:
    return {"api": {"resources": {"limits": limits}}}


def _window(**changes: Any) -> Manifest:
    return {"upgrade": {"window": {"days": ["Sun"], "start": "02:00", "duration": "3h"} | changes}}


EXTERNAL = {"external": {"secretRef": {"name": "elsewhere"}}}

BAD: tuple[BadEngine, ...] = (
    BadEngine("name too long", {}, "metadata.name", metadata={"name": "a" * 41}),
    BadEngine("name starts with a digit", {}, "metadata.name", metadata={"name": "1st"}),
    BadEngine("name with a dot", {}, "metadata.name", metadata={"name": "a.b"}),
    BadEngine("unknown field", {"databse": {}}, "spec.databse"),
    BadEngine("unknown nested field", {"api": {"replica": 3}}, "spec.api.replica"),
    BadEngine("no API pod", {"api": {"replicas": 0}}, "spec.api.replicas"),
    BadEngine("too many API pods", {"api": {"replicas": 51}}, "spec.api.replicas"),
    BadEngine("replicas as text", {"api": {"replicas": "2"}}, "spec.api.replicas"),
    BadEngine("replicas as a boolean", {"workers": {"replicas": True}}, "spec.workers.replicas"),
    BadEngine("negative workers", {"workers": {"replicas": -1}}, "spec.workers.replicas"),
    BadEngine("no concurrency", {"workers": {"concurrency": 0}}, "spec.workers.concurrency"),
    BadEngine("too many processes", {"api": {"processes": 17}}, "spec.api.processes"),
    BadEngine(
        "grace period too short",
        {"workers": {"terminationGracePeriodSeconds": 5}},
        "spec.workers.terminationGracePeriodSeconds",
    ),
    BadEngine("unknown log level", {"api": {"logLevel": "LOUD"}}, "spec.api.logLevel"),
    BadEngine("root", {"api": {"securityContext": {"runAsUser": 0}}}, "spec.api.securityContext.runAsUser"),
    BadEngine(
        "more of the security context",
        {"api": {"securityContext": {"privileged": True}}},
        "spec.api.securityContext.privileged",
    ),
    BadEngine(
        "budget of zero",
        {"api": {"disruptionBudget": {"maxUnavailable": 0}}},
        "spec.api.disruptionBudget.maxUnavailable",
    ),
    BadEngine(
        "liveness success above 1",
        {"api": {"livenessProbe": {"successThreshold": 2}}},
        "spec.api.livenessProbe",
    ),
    BadEngine("probe path", {"api": {"readinessProbe": {"path": "/x"}}}, "spec.api.readinessProbe.path"),
    BadEngine("neither managed nor external", {"database": {}}, "spec.database"),
    BadEngine("managed and external", {"database": {"managed": {}} | EXTERNAL}, "spec.database"),
    BadEngine("broker managed and external", {"broker": {"managed": {}} | EXTERNAL}, "spec.broker"),
    BadEngine(
        "storage without a unit",
        {"database": {"managed": {"storage": {"size": "10"}}}},
        "spec.database.managed.storage.size",
    ),
    BadEngine(
        "negative storage",
        {"broker": {"managed": {"storage": {"size": "-1Gi"}}}},
        "spec.broker.managed.storage.size",
    ),
    BadEngine(
        "reference with a namespace",
        {"database": {"external": {"secretRef": {"name": "x", "namespace": "other"}}}},
        "spec.database.external.secretRef.namespace",
    ),
    BadEngine(
        "reference without a name", {"broker": {"external": {"secretRef": {}}}}, "spec.broker.external"
    ),
    BadEngine("memory is no quantity", _api_limits(memory="lots"), "spec.api.resources.limits.memory"),
    BadEngine("cpu limit of nothing", _api_limits(cpu="0") | {}, "spec.api.resources"),
    BadEngine(
        "request above the limit",
        {"api": {"resources": {"requests": {"memory": "2Gi"}}}},
        "spec.api.resources",
    ),
    BadEngine(
        "cpu request above the limit",
        {"workers": {"resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}}},
        "spec.workers.resources",
    ),
    BadEngine("dialect nobody speaks", sources({"dialect": "oracle"}), "spec.dataSources[0].dialect"),
    BadEngine(
        "source without a Secret",
        {"dataSources": [{"name": "a", "dialect": "postgres"}]},
        "spec.dataSources[0]",
    ),
    BadEngine("source with a bad name", sources({"name": "Sales!"}), "spec.dataSources[0].name"),
    BadEngine("two sources of one name", sources({}, {}), "spec.dataSources"),
    BadEngine("no schema", sources({"schemas": []}), "spec.dataSources[0].schemas"),
    BadEngine("a schema twice", sources({"schemas": ["a", "a"]}), "spec.dataSources[0].schemas"),
    BadEngine("a schema with a quote", sources({"schemas": ['a"b']}), "spec.dataSources[0].schemas[0]"),
    BadEngine("role nobody has", sources({"roles": ["root"]}), "spec.dataSources[0].roles[0]"),
    BadEngine("MySQL without its databases", sources({"dialect": "mysql"}), "spec.dataSources[0].schemas"),
    BadEngine("a role granted twice", _grants({}, {}), "spec.dataSources[0].grants"),
    BadEngine("a grant to nobody", _grants({"role": "root"}), "spec.dataSources[0].grants[0].role"),
    BadEngine(
        "a table without its schema",
        _grants({"tables": ["orders"]}),
        "spec.dataSources[0].grants[0].tables[0]",
    ),
    BadEngine(
        "a table of no columns",
        _grants({"columns": [{"table": "public.orders", "columns": []}]}),
        "spec.dataSources[0].grants[0].columns[0].columns",
    ),
    BadEngine("a cost of nothing", _grants({"maxCost": 0}), "spec.dataSources[0].grants[0].maxCost"),
    BadEngine(
        "no connection to a source",
        sources({"maxConnections": 0}),
        "spec.dataSources[0].maxConnections",
    ),
    BadEngine("results kept too long", {"results": {"ttl": "169h"}}, "spec.results.ttl"),
    BadEngine("results kept for no time", {"results": {"ttl": "0s"}}, "spec.results.ttl"),
    BadEngine("no history", {"results": {"historyDays": 0}}, "spec.results.historyDays"),
    BadEngine("a bucket without its Secret", {"results": {"s3": {}}}, "spec.results.s3"),
    BadEngine(
        "too many sources",
        {"dataSources": [source(name=f"s{index}") for index in range(33)]},
        "spec.dataSources",
    ),
    BadEngine("token life in days", {"auth": {"accessTokenTTL": "1d"}}, "spec.auth.accessTokenTTL"),
    BadEngine("token life too short", {"auth": {"accessTokenTTL": "59s"}}, "spec.auth.accessTokenTTL"),
    BadEngine("token life too long", {"auth": {"accessTokenTTL": "721h"}}, "spec.auth.accessTokenTTL"),
    BadEngine("unknown upgrade strategy", {"upgrade": {"strategy": "Manual"}}, "spec.upgrade.strategy"),
    BadEngine("window without a day", _window(days=[]), "spec.upgrade.window.days"),
    BadEngine("window on the same day twice", _window(days=["Mon", "Mon"]), "spec.upgrade.window.days"),
    BadEngine("window on a day in full", _window(days=["Monday"]), "spec.upgrade.window.days"),
    BadEngine("window at 24:00", _window(start="24:00"), "spec.upgrade.window.start"),
    BadEngine("window too short", _window(duration="9m"), "spec.upgrade.window.duration"),
    BadEngine("window too long", _window(duration="25h"), "spec.upgrade.window.duration"),
    BadEngine("window in no zone", _window(timeZone="Europe/Berln"), "spec.upgrade.window"),
    BadEngine("window in a path", _window(timeZone="../../etc/passwd"), "spec.upgrade.window.timeZone"),
    BadEngine(
        "repository without a tag",
        {"image": {"repository": "ghcr.io/insight-engine/insight-engine"}},
        "spec.image",
    ),
    BadEngine("digest cut short", {"image": {"digest": "sha256:abc"}}, "spec.image.digest"),
    BadEngine("pull policy", {"image": {"pullPolicy": "Sometimes"}}, "spec.image.pullPolicy"),
    BadEngine("preloaded library", _env("LD_PRELOAD"), "spec.pods.extraEnv[0].name"),
    BadEngine("python path", _env("PYTHONPATH"), "spec.pods.extraEnv[0].name"),
    BadEngine("operator's own variable", _env("INSIGHT_INSTANCE"), "spec.pods.extraEnv[0].name"),
    BadEngine("proxy in small letters", _env("https_proxy"), "spec.pods.extraEnv[0].name"),
    BadEngine("secret in the environment", _env("API_TOKEN"), "spec.pods.extraEnv[0].name"),
    BadEngine(
        "environment without a value", {"pods": {"extraEnv": [{"name": "A"}]}}, "spec.pods.extraEnv[0]"
    ),
    BadEngine("reserved label", {"pods": {"labels": {"app": "other"}}}, "spec.pods.labels"),
    BadEngine("operator's label", {"pods": {"labels": {"insightengine.io/engine": "x"}}}, "spec.pods.labels"),
    BadEngine("label that is no name", {"pods": {"labels": {"a b": "x"}}}, "spec.pods.labels"),
    BadEngine("label value", {"pods": {"labels": {"team": "a b"}}}, "spec.pods.labels.team"),
    BadEngine(
        "reserved annotation",
        {"pods": {"annotations": {"container.apparmor.security.beta.kubernetes.io/api": "unconfined"}}},
        "spec.pods.annotations",
    ),
    BadEngine(
        "toleration with a needless value",
        {"scheduling": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}},
        "spec.scheduling.tolerations[0].value",
    ),
    BadEngine("deletion policy", {"deletionPolicy": "Maybe"}, "spec.deletionPolicy"),
    BadEngine("suspend as text", {"suspend": "yes"}, "spec.suspend"),
    BadEngine(
        "storage shrinks",
        {"database": {"managed": {"storage": {"size": "5Gi"}}}},
        "spec.database.managed.storage.size",
        Judge.SERVER,
        before={"database": {"managed": {"storage": {"size": "10Gi"}}}},
    ),
    BadEngine(
        "storage class changes",
        {"broker": {"managed": {"storage": {"storageClassName": "fast"}}}},
        "spec.broker.managed.storage",
        Judge.SERVER,
        before={},
    ),
    BadEngine(
        "database moves out",
        {"database": EXTERNAL},
        "spec.database",
        Judge.SERVER,
        before={"database": {"managed": {}}},
    ),
    BadEngine(
        "broker moves in",
        {"broker": {"managed": {}}},
        "spec.broker",
        Judge.SERVER,
        before={"broker": EXTERNAL},
    ),
    BadEngine(
        "absent Secret", {"database": EXTERNAL}, "spec.database.external.secretRef.name", Judge.OPERATOR
    ),
    BadEngine("absent source Secret", sources({}), "spec.dataSources[0].secretRef.name", Judge.OPERATOR),
    BadEngine(
        "absent Secret of the bucket",
        {"results": {"s3": {"secretRef": {"name": "bucket"}}}},
        "spec.results.s3.secretRef.name",
        Judge.OPERATOR,
    ),
    BadEngine(
        "image of a stranger",
        {"image": {"repository": "evil.example/miner", "tag": "1"}},
        "spec.image.repository",
        Judge.OPERATOR,
    ),
    BadEngine(
        "database image of a stranger",
        {"database": {"managed": {"image": "evil.example/postgres:18"}}},
        "spec.database.managed.image",
        Judge.OPERATOR,
    ),
)

GOOD: dict[str, Manifest] = {
    "nothing said": engine(),
    "longest name": engine(name="a" * 40),
    "external servers": engine({"database": EXTERNAL, "broker": EXTERNAL}),
    "sources": engine(sources({}, {"name": "hr", "schemas": ["hr", "public"], "roles": ["viewer"]})),
    "grants": engine(
        _grants(
            {"tables": ["public.orders"], "columns": [{"table": "public.customers", "columns": ["id"]}]},
            {"role": "viewer", "schemas": ["public"], "maxCost": 1000},
        )
    ),
    "MySQL": engine(sources({"dialect": "mysql", "schemas": ["shop"], "maxConnections": 64})),
    "results in a bucket": engine(
        {"results": {"ttl": "168h", "historyDays": 3650, "s3": {"secretRef": {"name": "bucket"}}}}
    ),
    "whole cores as a number": engine(_api_limits(cpu=2, memory="1Gi")),
    "largest sizes": engine({"api": {"replicas": 50}, "workers": {"replicas": 200, "concurrency": 64}}),
    "window": engine(_window(days=["Mon", "Sun"], duration="24h", timeZone="America/Argentina/Buenos_Aires")),
    "window in UTC": engine(_window(duration="10m", timeZone="UTC")),
    "shortest token": engine({"auth": {"accessTokenTTL": "60s"}}),
    "longest token": engine({"auth": {"accessTokenTTL": "720h"}}),
    "labels and environment": engine(
        {
            "pods": {
                "labels": {"team": "data", "example.com/tier": ""},
                "extraEnv": [{"name": "TZ", "value": "UTC"}],
            }
        }
    ),
    "user of the overlays": engine({"api": {"securityContext": {"runAsUser": 1000}}}),
    "tolerations": engine(
        {
            "scheduling": {
                "nodeSelector": {"kubernetes.io/os": "linux"},
                "tolerations": [{"key": "dedicated", "value": "insight", "effect": "NoSchedule"}],
            }
        }
    ),
}
