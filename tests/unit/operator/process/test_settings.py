"""The operator's settings: defaults that work, and a sentence for a value that does not."""

import pytest

from insight_operator.settings import SettingsError, from_environment


def test_nothing_needs_to_be_set() -> None:
    settings = from_environment({})
    assert settings.resync_s == 30
    assert settings.listen == ("0.0.0.0", 9090)
    assert settings.images.postgres == "docker.io/library/postgres:18"


def test_the_default_namespace_is_the_pods() -> None:
    assert from_environment({"POD_NAMESPACE": "insight"}).namespaces == ("insight",)


def test_namespaces_are_a_comma_list() -> None:
    given = {"INSIGHT_OPERATOR_NAMESPACES": "a, b,,a", "POD_NAMESPACE": "c"}
    assert from_environment(given).namespaces == ("a", "b")


def test_a_star_alone_is_all_namespaces() -> None:
    assert from_environment({"INSIGHT_OPERATOR_NAMESPACES": "*"}).namespaces == ("*",)


def test_a_star_beside_names_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"INSIGHT_OPERATOR_NAMESPACES: is 'a,\*'; use names, or"):
        from_environment({"INSIGHT_OPERATOR_NAMESPACES": "a,*"})


def test_only_the_engines_own_repository_is_allowed_by_default() -> None:
    images = from_environment({"INSIGHT_OPERATOR_ENGINE_IMAGE": "localhost:5000/engine:1@sha256:ab"}).images
    assert images.allowlist == {"localhost:5000/engine"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INSIGHT_OPERATOR_LOG_LEVEL", "loud"),
        ("INSIGHT_OPERATOR_RESYNC_S", "soon"),
        ("INSIGHT_OPERATOR_RESYNC_S", "0"),
        ("INSIGHT_OPERATOR_LISTEN", "9090"),
        ("INSIGHT_OPERATOR_CONCURRENCY", "-1"),
    ],
)
def test_a_wrong_value_is_named_with_its_cure(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: is '{value}'; use "):
        from_environment({name: value})
