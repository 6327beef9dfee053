"""Whose an object is, and how a stranger's hold on our fields is taken over."""

from typing import Any

from insight_operator.cluster import kinds, ownership
from insight_operator.naming import ADOPT, RETAINED_FOR
from support.objects import ENGINE, OTHER, live

OURS = {"manager": "insight-operator", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}


def stranger(fields: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": fields, **more}


def template(fields: dict[str, Any]) -> dict[str, Any]:
    return {"f:spec": {"f:template": fields}}


def test_what_our_reference_controls_is_ours() -> None:
    assert ownership.is_ours(live(), ENGINE)


def test_what_nobody_controls_is_not_ours() -> None:
    assert not ownership.is_ours(live(owner=None), ENGINE)


def test_what_another_engine_controls_is_not_ours_even_if_handed_over() -> None:
    assert not ownership.is_ours(live(owner=OTHER, annotations={ADOPT: "vanna"}), ENGINE)


def test_what_is_handed_over_is_ours() -> None:
    assert ownership.is_ours(live(owner=None, annotations={ADOPT: "vanna"}), ENGINE)


def test_what_is_handed_over_to_another_is_not_ours() -> None:
    assert not ownership.is_ours(live(owner=None, annotations={ADOPT: "other"}), ENGINE)


def test_what_was_kept_for_an_engine_of_this_name_is_ours() -> None:
    assert ownership.is_ours(live("Secret", owner=None, labels={RETAINED_FOR: "vanna"}), ENGINE)


def test_a_child_of_an_earlier_engine_of_this_name_is_a_leftover() -> None:
    assert ownership.is_leftover(live(owner=OTHER), ENGINE)
    assert not ownership.is_leftover(live(owner=None), ENGINE)


def test_an_object_only_we_manage_is_not_shared() -> None:
    status = stranger({"f:status": {}}, subresource="status")
    assert not ownership.is_shared(live("Deployment", managed=[OURS, status]), kinds.DEPLOYMENT)


def test_a_strangers_container_makes_it_shared() -> None:
    entry = stranger(template({"f:spec": {"f:containers": {'k:{"name":"spy"}': {}}}}))
    assert ownership.is_shared(live("Deployment", managed=[OURS, entry]), kinds.DEPLOYMENT)


def test_our_own_creation_makes_it_shared_until_it_is_taken_over() -> None:
    created = {**OURS, "operation": "Update"}
    found = live(managed=[created])
    assert ownership.is_shared(found, kinds.CONFIG_MAP)
    assert ownership.absorbed(found, kinds.CONFIG_MAP) == [
        {
            "manager": "insight-operator",
            "operation": "Apply",
            "apiVersion": "v1",
            "fieldsType": "FieldsV1",
            "fieldsV1": OURS["fieldsV1"],
        }
    ]


def test_a_strangers_metadata_stays_theirs() -> None:
    entry = stranger({"f:metadata": {"f:annotations": {"f:team": {}}}})
    assert not ownership.is_shared(live("Deployment", managed=[OURS, entry]), kinds.DEPLOYMENT)


def test_a_taken_field_leaves_the_stranger_and_joins_ours() -> None:
    added: dict[str, Any] = {"f:spec": {"f:containers": {'k:{"name":"spy"}': {"f:image": {}}}}}
    entry = stranger({"f:metadata": {"f:labels": {"f:x": {}}}, **template(added)})
    ours, left = ownership.absorbed(live("Deployment", managed=[OURS, entry]), kinds.DEPLOYMENT)
    assert ours["fieldsV1"] == {"f:spec": {"f:replicas": {}, "f:template": added}}
    assert left["fieldsV1"] == {"f:metadata": {"f:labels": {"f:x": {}}}}


def test_a_restart_asked_for_by_kubectl_is_let_live() -> None:
    restarted: dict[str, Any] = {
        "f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}
    }
    found = live("Deployment", managed=[OURS, stranger(template(restarted))])
    assert not ownership.is_shared(found, kinds.DEPLOYMENT)


def test_a_restart_survives_the_taking_of_what_came_with_it() -> None:
    both = {
        "f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/restartedAt": {}}},
        "f:spec": {"f:hostNetwork": {}},
    }
    ours, left = ownership.absorbed(
        live("Deployment", managed=[OURS, stranger(template(both))]), kinds.DEPLOYMENT
    )
    assert ours["fieldsV1"]["f:spec"]["f:template"] == {"f:spec": {"f:hostNetwork": {}}}
    assert left["fieldsV1"] == template(
        {"f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/restartedAt": {}}}}
    )


def test_the_original_is_not_changed() -> None:
    entry = stranger(template({"f:spec": {"f:hostPID": {}}}))
    found = live("Deployment", managed=[OURS, entry])
    ownership.absorbed(found, kinds.DEPLOYMENT)
    assert found["metadata"]["managedFields"][1]["fieldsV1"] == template({"f:spec": {"f:hostPID": {}}})
