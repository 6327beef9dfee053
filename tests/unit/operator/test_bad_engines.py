"""The operator refuses every bad InsightEngine by the field's name, and no good one."""

import pytest

from insight_operator.errors import InvalidReference, InvalidSpec, OperatorError
from insight_operator.images import ImageSettings
from insight_operator.validate import problems, validate
from support.bad_engines import BAD, GOOD, BadEngine, Judge, Manifest

IMAGES = ImageSettings(
    engine="ghcr.io/insight-engine/insight-engine:0.1.0",
    postgres="docker.io/library/postgres:18",
    redis="docker.io/library/redis:7",
    allowlist=frozenset({"ghcr.io/insight-engine/insight-engine"}),
)


def _of(judge: Judge) -> list[BadEngine]:
    return [bad for bad in BAD if bad.judge is judge]


def test_there_are_enough_bad_engines_for_each_judge() -> None:
    assert len(BAD) >= 60
    assert len(_of(Judge.BOTH)) >= 50
    assert _of(Judge.SERVER)
    assert _of(Judge.OPERATOR)


@pytest.mark.parametrize("bad", _of(Judge.BOTH), ids=lambda bad: bad.name)
def test_a_bad_engine_is_refused_by_its_fields_name(bad: BadEngine) -> None:
    fields = [problem.field for problem in problems(bad.resource())]
    assert any(field.startswith(bad.field) for field in fields), fields


@pytest.mark.parametrize("bad", _of(Judge.SERVER), ids=lambda bad: bad.name)
def test_a_bad_change_ends_in_a_spec_that_is_good_by_itself(bad: BadEngine) -> None:
    assert problems(bad.resource()) == ()


@pytest.mark.parametrize("bad", _of(Judge.OPERATOR), ids=lambda bad: bad.name)
def test_what_only_the_world_can_tell_is_refused_by_its_fields_name(bad: BadEngine) -> None:
    with pytest.raises((InvalidSpec, InvalidReference)) as refused:
        validate(bad.resource(), {}, IMAGES)
    assert refused.value.field == bad.field


@pytest.mark.parametrize("resource", GOOD.values(), ids=GOOD.keys())
def test_a_good_engine_is_accepted(resource: Manifest) -> None:
    assert problems(resource) == ()


def test_a_refusal_never_repeats_a_value() -> None:
    spec = {"pods": {"extraEnv": [{"name": "DB_PASSWORD", "value": "hunter2"}]}, "suspend": "hunter2"}
    for problem in problems({"metadata": {"name": "vanna"}, "spec": spec}):
        assert "hunter2" not in str(problem)


def test_an_error_reads_field_first_and_cure_second() -> None:
    error: OperatorError = InvalidSpec("spec.api.replicas", "must be at least 1")
    assert str(error) == "spec.api.replicas: must be at least 1"
