"""The operator's rights are what the table needs and nothing an attacker would want."""

from insight_operator.cluster import kinds

FORBIDDEN = {"pods/exec", "pods/attach", "serviceaccounts/token", "roles", "rolebindings", "namespaces"}


def rights() -> dict[str, set[str]]:
    return {rule["resources"][0]: set(rule["verbs"]) for rule in kinds.rules()}


def test_no_rule_has_a_wildcard() -> None:
    assert not [
        rule for rule in kinds.rules() if "*" in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
    ]


def test_secrets_can_be_neither_listed_nor_watched_nor_deleted() -> None:
    assert rights()["secrets"] == {"get", "create", "patch"}


def test_volumes_cannot_be_deleted() -> None:
    assert "delete" not in rights()["persistentvolumeclaims"]


def test_nothing_that_leads_to_more_rights() -> None:
    assert not FORBIDDEN & rights().keys()


def test_the_spec_of_the_resource_can_only_be_read() -> None:
    assert rights()["insightengines"] == {"list", "watch"}
    assert rights()["insightengines/status"] == {"patch"}


def test_every_watched_kind_may_be_listed_and_watched() -> None:
    for kind in kinds.WATCHED:
        assert {"list", "watch"} <= rights()[kind.plural]


def test_only_prunable_kinds_may_be_deleted() -> None:
    deletable = {kind.kind for kind in kinds.TABLE if "delete" in kind.verbs}
    bookkeeping = {kinds.CONTROLLER_REVISION.kind}
    assert deletable == {kind.kind for kind in kinds.TABLE if kind.prunable} | bookkeeping


def test_paths_follow_the_group() -> None:
    assert kinds.SECRET.path("insight", "a") == "/api/v1/namespaces/insight/secrets/a"
    assert kinds.ENGINE.path("insight", "a", "status").endswith("/insightengines/a/status")
    assert kinds.DEPLOYMENT.path("insight") == "/apis/apps/v1/namespaces/insight/deployments"
    assert kinds.DEPLOYMENT.path("") == "/apis/apps/v1/deployments"
