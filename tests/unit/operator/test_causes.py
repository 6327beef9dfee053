"""The cause of a rendering is what the user gave, no more and no less; test_leaves.py goes field by field."""

from insight_operator.desired.causes import GROUPS, cause
from support.bad_engines import source
from support.history import History
from support.manifests import validated


def test_another_secret_of_an_external_server_is_a_cause() -> None:
    one, other = ({"database": {"external": {"secretRef": {"name": name}}}} for name in ("one", "other"))
    assert cause(validated(one), "engine") != cause(validated(other), "engine")


def test_a_default_that_is_written_out_is_no_cause() -> None:
    said = {"database": {"managed": {"resources": {}}}, "api": {"logLevel": "INFO"}, "pods": {"labels": {}}}
    for group in GROUPS:
        assert cause(validated(said), group) == cause(validated(), group)


def test_the_operators_settings_are_no_cause() -> None:
    history = History()
    before = {group: cause(history.engine, group) for group in GROUPS}
    history.upgrade(engine="ghcr.io/insight-engine/insight-engine:0.2.0", postgres="pg:19", redis="redis:8")
    assert {group: cause(history.engine, group) for group in GROUPS} == before


def test_causes_are_the_same_in_every_release() -> None:
    """A digest that changes with a release lets every InsightEngine roll at the operator's upgrade."""
    given = {
        "dataSources": [source(schemas=["public"])],
        "database": {"managed": {"resources": {"limits": {"memory": "3Gi"}}, "storage": {"size": "20Gi"}}},
        "image": {"tag": "0.1.0", "pullSecrets": [{"name": "registry"}]},
        "scheduling": {"nodeSelector": {"disk": "ssd"}},
        "workers": {"concurrency": 8, "replicas": 5},
    }
    assert {group: cause(validated(given), group) for group in GROUPS} == {
        "engine": "7b2f8787",
        "postgres": "b63977ed",
        "redis": "c12ae5e6",
    }
