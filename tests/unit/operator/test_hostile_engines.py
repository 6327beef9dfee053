"""A hostile InsightEngine is refused by the field's name, or what is made of it does no harm."""

import re
from pathlib import Path

import pytest
import yaml

from insight_operator import naming
from insight_operator.cli import render
from insight_operator.cluster import ownership
from insight_operator.crd.pods import RESERVED_ENV, RESERVED_KEY
from insight_operator.desired.plan import key
from insight_operator.errors import InvalidReference, InvalidSpec
from insight_operator.snapshot import SecretFacts
from insight_operator.validate import problems, validate
from support.bad_engines import BadEngine, Judge, Manifest
from support.foreign_secrets import FOREIGN, ForeignSecret
from support.harmless_engines import HARMLESS, HarmlessEngine
from support.hostile_engines import REFUSED
from support.manifests import IMAGES, USABLE, everything, resource, validated

_BY_ITSELF = [hostile for hostile in REFUSED if hostile.judge is Judge.BOTH]
_BY_SETTINGS = [hostile for hostile in REFUSED if hostile.judge is Judge.OPERATOR]


def test_there_are_enough_hostile_engines() -> None:
    named = [one.name for one in REFUSED] + [one.name for one in FOREIGN] + [one.name for one in HARMLESS]
    assert len(set(named)) == len(named) >= 120


@pytest.mark.parametrize("hostile", _BY_ITSELF, ids=lambda hostile: hostile.name)
def test_it_is_refused_by_the_fields_name(hostile: BadEngine) -> None:
    found = problems(hostile.resource())
    assert any(problem.field.startswith(hostile.field) for problem in found), found
    assert all(len(str(problem)) < 1024 for problem in found)


@pytest.mark.parametrize("hostile", _BY_SETTINGS, ids=lambda hostile: hostile.name)
def test_what_the_schema_lets_pass_is_refused_by_the_operator(hostile: BadEngine) -> None:
    with pytest.raises(InvalidSpec) as refused:
        validate(hostile.resource(), {}, IMAGES)
    assert refused.value.field == hostile.field


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda foreign: foreign.name)
def test_a_secret_of_somebody_else_is_not_used(foreign: ForeignSecret) -> None:
    facts = {foreign.secret: SecretFacts(foreign.labels, frozenset(foreign.entries))}
    with pytest.raises(InvalidReference) as refused:
        validate(resource(foreign.spec, name="own"), facts, IMAGES)
    assert refused.value.field == foreign.field


@pytest.mark.parametrize("odd", HARMLESS, ids=lambda odd: odd.name)
def test_what_is_made_of_it_does_no_harm(odd: HarmlessEngine) -> None:
    odd.proof(everything(validated(odd.spec, **odd.resource()["metadata"])))


@pytest.mark.parametrize("odd", HARMLESS, ids=lambda odd: odd.name)
def test_every_child_is_its_own(odd: HarmlessEngine) -> None:
    engine = validated(odd.spec, **odd.resource()["metadata"])
    for child in everything(engine):
        labels = child["metadata"]["labels"]
        assert child["metadata"]["namespace"] == engine.namespace
        assert labels[naming.ENGINE_LABEL] == labels[naming.PART_OF_LABEL] == engine.name
        assert labels[naming.MANAGED_BY_LABEL] == naming.MANAGED_BY
        assert labels.get(naming.RETAINED_FOR, engine.name) == engine.name
        assert naming.ADOPT not in child["metadata"]["annotations"]
        template = child.get("spec", {}).get("template")
        if template and "selector" in child["spec"]:
            assert child["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()


def test_two_engines_share_no_child_but_what_the_second_is_refused() -> None:
    first = validated({}, name="vanna", uid="first")
    parts = {name.removeprefix("vanna-") for _, name in map(key, everything(first))}
    shared: dict[str, set[str]] = {}
    for part in parts:
        second = validated({}, name=f"vanna-{part}"[: naming_limit()], uid="second")
        mine = {key(child): child for child in everything(first)}
        for child in everything(second):
            if (live := mine.get(key(child))) is not None:
                shared.setdefault(second.name, set()).add(key(child)[1])
                assert not ownership.is_ours(live, second)
                assert not ownership.is_ours(child, first)
    assert shared == {
        "vanna-broker": {"vanna-broker-admin"},
        "vanna-database": {"vanna-database-admin"},
    }


def naming_limit() -> int:
    """Return how long the name of an InsightEngine may be."""
    from insight_operator.crd.models import NAME_LIMIT

    return NAME_LIMIT


def test_the_reserved_patterns_mean_the_same_to_go_and_python() -> None:
    for pattern in (RESERVED_KEY, RESERVED_ENV):
        assert "\\" not in pattern  # it stands in a CEL string
        assert "'" not in pattern
        assert not re.search(r"\(\?[^:]", pattern)  # no look-around, which RE2 lacks


def test_the_reserved_keys_leave_ordinary_ones_alone() -> None:
    for ordinary in (
        "team",
        "cost-center",
        "environment",
        "example.com/owner",
        "prometheus.io/scrape",
        "owner",
    ):
        assert not re.search(RESERVED_KEY, ordinary), ordinary
    for ordinary in ("TZ", "LANG", "LC_ALL", "OMP_NUM_THREADS", "OTEL_RESOURCE_ATTRIBUTES", "MY_SETTING"):
        assert not re.search(RESERVED_ENV, ordinary), ordinary


def test_a_secret_that_belongs_to_an_engine_is_refused_even_when_opened_up() -> None:
    facts = SecretFacts({**USABLE.labels, naming.ENGINE_LABEL: "other"}, USABLE.keys)
    asked = resource({"database": {"external": {"secretRef": {"name": "other-database"}}}})
    with pytest.raises(InvalidReference, match="never lent"):
        validate(asked, {"other-database": facts}, IMAGES)


@pytest.mark.parametrize(
    "spec",
    [
        "{image: {tag: 2024-01-01}}",
        "{api: {replicas: .nan}}",
        "{api: {replicas: .inf}}",
        "{pods: {labels: {1: 2}}}",
        "{pods: {labels: {null: x}}}",
        "{pods: {labels: {2024-01-01: x}}}",
        "{api: !!binary aGk=}",
        "{api: !!set {a, b}}",
        '{pods: {labels: {team: "\\ud800"}}}',
        "[]",
        "x",
        "{api: " + "[" * 900 + "]" * 900 + "}",
    ],
)
def test_odd_yaml_is_refused_or_rendered_but_never_a_traceback(
    spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "engine.yaml"
    file.write_text(
        f"apiVersion: {naming.API_VERSION}\nkind: {naming.KIND}\nmetadata: {{name: vanna}}\nspec: {spec}\n"
    )
    code = render.command(str(file))
    shown = capsys.readouterr()
    assert code in {0, 1}
    assert bool(shown.err) == (code == 1)
    if code == 0:
        assert list(yaml.safe_load_all(shown.out))


def test_a_status_that_a_user_wrote_is_no_part_of_what_is_made() -> None:
    forged: Manifest = {"migration": {"job": "x", "outcome": "succeeded"}, "replicas": 9}
    plain, other = resource(), resource() | {"status": forged}
    assert everything(validate(plain, {}, IMAGES)) == everything(validate(other, {}, IMAGES))
