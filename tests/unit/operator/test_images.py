"""Image references are put together from spec and settings, and only allowed repositories get through."""

import pytest

from insight_operator.images import allowed, split, version
from support.manifests import IMAGES, validated

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("redis", ("redis", "", "")),
        ("redis:7", ("redis", "7", "")),
        ("localhost:5000/a/b", ("localhost:5000/a/b", "", "")),
        ("localhost:5000/a/b:1@" + DIGEST, ("localhost:5000/a/b", "1", DIGEST)),
    ],
)
def test_a_reference_comes_apart(reference: str, parts: tuple[str, str, str]) -> None:
    assert split(reference) == parts


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, IMAGES.engine),
        ({"tag": "2"}, "ghcr.io/insight-engine/insight-engine:2"),
        ({"digest": DIGEST}, f"ghcr.io/insight-engine/insight-engine@{DIGEST}"),
        ({"tag": "2", "digest": DIGEST}, f"ghcr.io/insight-engine/insight-engine:2@{DIGEST}"),
    ],
)
def test_what_the_spec_leaves_out_comes_from_the_settings(image: dict[str, str], reference: str) -> None:
    assert validated({"image": image}).image == reference


@pytest.mark.parametrize(
    "reference",
    ["ghcr.io/insight-engine/insight-engine-evil:1", "ghcr.io/insight-engine:1", "evil.example/redis:7"],
)
def test_a_repository_is_compared_whole(reference: str) -> None:
    assert not allowed(reference, IMAGES)


@pytest.mark.parametrize(
    ("reference", "label"),
    [("a:1.2", "1.2"), (f"a@{DIGEST}", "0" * 12), ("a", "latest"), ("a:" + "x" * 80, "x" * 63)],
)
def test_a_version_fits_a_label(reference: str, label: str) -> None:
    assert version(reference) == label
