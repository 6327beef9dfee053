"""What a release stored stays valid: no field goes, no default changes, nothing allowed becomes refused."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from insight_operator.crd.manifest import custom_resource_definition
from insight_operator.snapshot import Manifest, SecretFacts
from insight_operator.validate import EVERY_KEY, problems, references, validate
from support.manifests import IMAGES
from support.released import GIVEN, RELEASES, Release

_LOW = ("minimum", "minLength", "minItems", "minProperties")
_HIGH = ("maximum", "maxLength", "maxItems", "maxProperties")
_SAME = (
    "type",
    "default",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
)
_BELOW = ("items", "additionalProperties")

# Version, field and keyword (both as patterns) → why it is narrower all the same. What comes after a version
# that somebody may run needs a line in CHANGELOG.md too.
_EARLY = "0.1.0-b8784fc"  # a state before the first release
_NEVER_WORKED = "the API server refused what the operator made of it, so nothing that ran is refused"
_MORE_RIGHTS = "it gave an author more rights than they have"
NARROWED: dict[tuple[str, str, str], str] = {
    (_EARLY, r".*(secretRef|pullSecrets\[\])\.name|.*ClassName", "pattern"): _NEVER_WORKED,
    (_EARLY, r".*\.(memory|ephemeral-storage)", "pattern"): "more than 64 bits of bytes",
    (_EARLY, r".*image(\.repository)?", "pattern"): _NEVER_WORKED,
    (_EARLY, r"spec\.(results\.ttl|auth\.accessTokenTTL)", "pattern"): "a rule refused these already",
    (_EARLY, r"spec\.scheduling\.tolerations\[\]\.key", "pattern|maxLength"): _NEVER_WORKED,
    (_EARLY, r"spec\.scheduling(\.tolerations\[\])?", "rule"): f"{_NEVER_WORKED}, or {_MORE_RIGHTS}",
    (_EARLY, r"spec\.pods(\.extraEnv\[\])?", "rule"): f"{_NEVER_WORKED}, or {_MORE_RIGHTS}",
    (
        _EARLY,
        r"status",
        "default",
    ): "tells an InsightEngine that no operator has seen yet; nothing is refused",
}


def schema(definition: Manifest) -> Manifest:
    """Return the schema of a definition's only version."""
    (version,) = definition["spec"]["versions"]
    found: Manifest = version["schema"]["openAPIV3Schema"]
    return found


NEW = schema(custom_resource_definition())


def narrowings(old: Manifest, new: Manifest, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield field, keyword and what happened, for whatever could break an object stored under `old`."""
    for keyword in _SAME:
        if old.get(keyword) != new.get(keyword):
            yield path, keyword, f"{old.get(keyword)!r} became {new.get(keyword)!r}"
    yield from _bounds(old, new, path)
    known = [rule["rule"] for rule in old.get("x-kubernetes-validations", ())]
    for rule in new.get("x-kubernetes-validations", ()):
        if rule["rule"] not in known:
            yield path, "rule", rule["message"]
    for name, part in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{path}.{name}".lstrip("."), "field", "is gone"
        else:
            yield from narrowings(part, new["properties"][name], f"{path}.{name}".lstrip("."))
    for keyword in _BELOW:
        if keyword in old:
            yield from narrowings(old[keyword], new.get(keyword, {}), f"{path}[]")


def _bounds(old: Manifest, new: Manifest, path: str) -> Iterator[tuple[str, str, str]]:
    for keyword in (*_LOW, *_HIGH):
        was, now = old.get(keyword), new.get(keyword)
        narrower = now is not None and (was is None or (now > was if keyword in _LOW else now < was))
        if narrower:
            yield path, keyword, f"{was} became {now}"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield path, "pattern", f"{old.get('pattern')} became {new['pattern']}"
    if gone := set(old.get("enum", ())) - set(new.get("enum") or old.get("enum", ())):
        yield path, "enum", f"{sorted(gone)} is gone"
    if "enum" in new and "enum" not in old:
        yield path, "enum", "is new"
    if more := set(new.get("required", ())) - set(old.get("required", ())):
        yield path, "required", f"{sorted(more)} is new"


def stored() -> Iterator[Any]:
    for release in RELEASES:
        for resource in release.engines():
            yield pytest.param(resource, id=f"{release.version}-{resource['metadata']['name']}")


def test_there_is_a_release_with_enough_engines() -> None:
    assert RELEASES
    assert all(len(release.engines()) >= 20 for release in RELEASES)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
def test_nothing_of_a_release_is_gone_changed_or_narrower(release: Release) -> None:
    used = set()
    unexplained = []
    for field, keyword, what in narrowings(schema(release.definition()), NEW):
        known = [
            entry
            for entry in NARROWED
            if entry[0] == release.version
            and re.fullmatch(entry[1], field)
            and re.fullmatch(entry[2], keyword)
        ]
        used.update(known)
        if not known:
            unexplained.append((field, keyword, what))
    assert unexplained == []
    assert not {entry for entry in NARROWED if entry[0] == release.version} - used, "needless entries"


@pytest.mark.parametrize("resource", list(stored()))
def test_an_engine_of_a_release_is_still_good(resource: Manifest) -> None:
    assert problems(resource) == ()
    facts = SecretFacts(GIVEN["metadata"]["labels"], EVERY_KEY)
    validate(resource, dict.fromkeys(references(resource), facts), IMAGES)


def test_the_engines_of_a_release_say_something_about_every_field_it_had() -> None:
    for release in RELEASES:
        said = {path for resource in release.engines() for path in _said(resource["spec"])}
        silent = {
            path for path in _leaves(schema(release.definition())["properties"]["spec"]) if path not in said
        }
        assert silent <= {
            "database.managed.storage.storageClassName",
            "broker.managed.storage.storageClassName",
        } | {path for path in silent if ".resources." in path}


def _said(value: Any, path: str = "") -> Iterator[str]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _said(item, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from _said(item, f"{path}[]")


def _leaves(part: Manifest, path: str = "") -> Iterator[str]:
    below = [(f"{path}.{name}".lstrip("."), field) for name, field in part.get("properties", {}).items()]
    if "properties" in part.get("items", {}):
        below.append((f"{path}[]", part["items"]))
    if not below:
        yield path
    for name, field in below:
        yield from _leaves(field, name)


@pytest.mark.parametrize(
    ("path", "keyword", "value"),
    [
        (("spec", "suspend"), "default", True),
        (("spec", "api", "properties", "replicas"), "maximum", 49),
        (("spec", "workers", "properties", "replicas"), "minimum", 2),
        (("spec", "api", "properties", "logLevel"), "enum", ["INFO"]),
        (("spec", "results", "properties", "ttl"), "pattern", "^[0-9]+s$"),
        (("spec", "image"), "required", ["tag"]),
        (("spec", "mode"), "type", "integer"),
    ],
)
def test_the_comparison_sees_a_narrowing(path: tuple[str, ...], keyword: str, value: Any) -> None:
    changed = copy.deepcopy(NEW)
    part = changed["properties"]
    for step in path[:1]:
        part = part[step]["properties"]
    for step in path[1:]:
        part = part[step]
    part[keyword] = value
    assert [found[1] for found in narrowings(NEW, changed)] == [keyword]


def test_the_comparison_sees_a_field_that_goes_and_a_rule_that_comes() -> None:
    changed = copy.deepcopy(NEW)
    del changed["properties"]["spec"]["properties"]["suspend"]
    changed["properties"]["spec"]["x-kubernetes-validations"] = [
        {"rule": "self.mode != ''", "message": "new"}
    ]
    assert [(found[0], found[1]) for found in narrowings(NEW, changed)] == [
        ("spec", "rule"),
        ("spec.suspend", "field"),
    ]
    assert list(narrowings(NEW, copy.deepcopy(NEW))) == []
