"""Judges the administrator's overlays before any InsightEngine is built with them. Pure.

Each is laid over a rendering that has everything an InsightEngine can have: what the operator owns there may
not be touched, and what comes out must meet the restricted profile.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from pydantic import ValidationError

from insight_operator import naming
from insight_operator.crd.base import RULE_ERROR
from insight_operator.crd.pods import SECRET_ENV
from insight_operator.desired.plan import plan
from insight_operator.errors import InvalidSpec
from insight_operator.images import ImageSettings
from insight_operator.overlays import PodOverlays
from insight_operator.overlays.merging import overlaid
from insight_operator.overlays.models import FIELDS_REFUSED, OverlayFile
from insight_operator.overlays.profile import Path, violations
from insight_operator.snapshot import Manifest, SecretFacts
from insight_operator.validate import EVERY_KEY, references, validate

ROOT: Final = "podOverlays"
PARTS: Final = {
    "api": naming.API,
    "worker": naming.WORKER,
    "database": naming.POSTGRES,
    "broker": naming.REDIS,
    "migrate": naming.MIGRATE,
}
"""The component as an administrator names it, and the part whose pods are meant."""

_MAY_BE_ADDED: Final = {"name", "env", "volumeMounts"}
_LISTS: Final = ("containers", "initContainers")
_SOURCE_PREFIX: Final = "source-"  # a volume for each data source
_RESERVED_ENV: Final = re.compile(r"^(LD_|PYTHON|INSIGHT_|GUNICORN_|CELERY_|PG|OPENSSL_|PATH$|HOME$)")
# Fewer than an InsightEngine may not set: what mesh, scanner or cluster read is the administrator's to say.
_RESERVED_LABEL: Final = re.compile(
    r"^(app|pod-template-hash|controller-revision-hash|job-name|controller-uid)$"
    r"|^(app|apps|batch|statefulset)\.kubernetes\.io/|insightengine\.io/"
)
_RESERVED_ANNOTATION: Final = re.compile(r"insightengine\.io/|^kubectl\.kubernetes\.io/restartedAt$")
_PROGRAMS: Final = (
    *("/bin", "/dev", "/lib", "/lib64", "/opt/insight", "/proc", "/sbin", "/sys"),
    *("/usr/bin", "/usr/lib", "/usr/local/bin", "/usr/local/lib", "/usr/sbin"),
)
_ALWAYS: Final = "Always"


class OverlaysRefused(Exception):  # noqa: N818 - reads as what happened
    """Overlays that cannot be used. Attributes: problems: every reason, each with its field."""

    def __init__(self, problems: Sequence[InvalidSpec]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def checked(document: object) -> PodOverlays:
    """Return the overlays by part. Raises OverlaysRefused with every mistake."""
    found = _without_nulls(document) or {}
    if not isinstance(found, dict):
        raise OverlaysRefused([InvalidSpec(ROOT, f"must be a map of components: {', '.join(PARTS)}")])
    misshapen = [*_shape(found)]
    if misshapen:
        raise OverlaysRefused(misshapen)
    problems = [
        problem for component, overlay in found.items() for problem in _Judge(component, overlay).problems()
    ]
    if problems:
        raise OverlaysRefused(problems)
    return {PARTS[component]: overlay for component, overlay in found.items()}


class _Judge:
    """One component's overlay against what the operator renders there."""

    def __init__(self, component: str, overlay: Manifest) -> None:
        self._at = f"{ROOT}.{component}"
        self._overlay = overlay
        self._spec: Manifest = overlay.get("spec", {})
        self._part = PARTS[component]
        self._template = _templates()[self._part]
        self._own: Manifest = self._template["spec"]

    def problems(self) -> Iterator[InvalidSpec]:
        """Yield every mistake."""
        yield from self._metadata()
        yield from self._volumes()
        for name in _LISTS:
            for index, container in enumerate(self._spec.get(name, ())):
                yield from self._container(f"{self._at}.spec.{name}[{index}]", name, container)
        yield from self._profile()

    def _metadata(self) -> Iterator[InvalidSpec]:
        metadata = self._overlay.get("metadata", {})
        for key in metadata.get("labels", ()):
            if _RESERVED_LABEL.search(key) or key in self._template["metadata"]["labels"]:
                yield InvalidSpec(f"{self._at}.metadata.labels.{key}", "is reserved: use another prefix")
        for key in metadata.get("annotations", ()):
            if _RESERVED_ANNOTATION.search(key):
                yield InvalidSpec(f"{self._at}.metadata.annotations.{key}", "is reserved: use another prefix")

    def _volumes(self) -> Iterator[InvalidSpec]:
        own = {volume["name"] for volume in self._own["volumes"]}
        for index, volume in enumerate(self._spec.get("volumes", ())):
            if volume["name"] in own or volume["name"].startswith(_SOURCE_PREFIX):
                yield InvalidSpec(
                    f"{self._at}.spec.volumes[{index}].name",
                    f"the operator owns the volume {volume['name']}: use another name",
                )

    def _container(self, at: str, where: str, container: Manifest) -> Iterator[InvalidSpec]:
        owner = next((name for name in _LISTS if self._named(name, container["name"])), None)
        yield from self._mounts(at, container)
        if owner == where:
            yield from self._addition(at, container, self._named(where, container["name"]))
        elif owner is not None:
            yield InvalidSpec(
                f"{at}.name", f"the operator has a container of this name in {owner}: use another"
            )
        else:
            yield from self._sidecar(at, where, container)

    def _named(self, where: str, name: str) -> Manifest:
        return next((item for item in self._own.get(where, ()) if item["name"] == name), {})

    def _mounts(self, at: str, container: Manifest) -> Iterator[InvalidSpec]:
        volumes = {volume["name"] for volume in self._spec.get("volumes", ())}
        paths: set[str] = set()
        for index, mount in enumerate(container.get("volumeMounts", ())):
            if mount["name"] not in volumes:
                yield InvalidSpec(
                    f"{at}.volumeMounts[{index}].name",
                    f"the overlay declares no volume {mount['name']}: add it to spec.volumes; "
                    "the operator's own volumes may not be mounted elsewhere",
                )
            if mount["mountPath"] in paths:
                yield InvalidSpec(
                    f"{at}.volumeMounts[{index}].mountPath", "something is mounted there already"
                )
            paths.add(mount["mountPath"])

    def _addition(self, at: str, container: Manifest, own: Manifest) -> Iterator[InvalidSpec]:
        """Yield what may not be laid over a container of the operator's."""
        for field in sorted(container.keys() - _MAY_BE_ADDED):
            yield InvalidSpec(
                f"{at}.{field}",
                f"the operator owns the container {own['name']}: env and volumeMounts may be added to it",
            )
        names = {variable["name"] for variable in own.get("env", ())}
        for index, variable in enumerate(container.get("env", ())):
            name = variable["name"]
            if name in names or _RESERVED_ENV.search(name.upper()):
                yield InvalidSpec(f"{at}.env[{index}].name", f"the operator owns {name}: it may not be set")
            elif "value" in variable and re.search(SECRET_ENV, name.upper()):
                yield InvalidSpec(
                    f"{at}.env[{index}].name",
                    "secrets do not belong into the environment: mount a volume of the Secret",
                )
        taken = [mount["mountPath"] for mount in own["volumeMounts"]]
        for index, mount in enumerate(container.get("volumeMounts", ())):
            for path in (*taken, *_PROGRAMS):
                if _overlap(mount["mountPath"], path):
                    yield InvalidSpec(
                        f"{at}.volumeMounts[{index}].mountPath",
                        f"would hide or change {path}, which the operator owns",
                    )
                    break

    def _sidecar(self, at: str, where: str, container: Manifest) -> Iterator[InvalidSpec]:
        """Yield what an added container lacks or may not have."""
        if "image" not in container:
            yield InvalidSpec(
                f"{at}.image", f"is required: the operator has no container {container['name']} here"
            )
        if "resources" not in container:
            yield InvalidSpec(f"{at}.resources.limits", "is required: cpu, memory and ephemeral-storage")
        restart = container.get("restartPolicy", _ALWAYS)
        if restart != _ALWAYS:
            yield InvalidSpec(f"{at}.restartPolicy", f"must be {_ALWAYS} or absent")
        if where == "containers" and self._part == naming.MIGRATE:
            yield InvalidSpec(
                at,
                "a Job does not end while a sidecar runs: put it into spec.initContainers "
                "with restartPolicy: Always",
            )
        own = [port for name in _LISTS for each in self._own.get(name, ()) for port in each.get("ports", ())]
        taken = {port["containerPort"] for port in own} | {port["name"] for port in own}
        for index, port in enumerate(container.get("ports", ())):
            for field in ("containerPort", "name"):
                if port.get(field) in taken:
                    yield InvalidSpec(
                        f"{at}.ports[{index}].{field}", f"{port[field]} is a port of the operator's own"
                    )

    def _profile(self) -> Iterator[InvalidSpec]:
        merged = overlaid(self._template, self._overlay, {})
        for path, message in violations(merged):
            yield InvalidSpec(
                self._at + _written(self._placed(merged, path)),
                f"{message} (the restricted profile of Pod Security)",
            )

    def _placed(self, merged: Manifest, path: Path) -> Path:
        """Return the path in the overlay for one in the merged template: the same name at its own index."""
        if len(path) <= 2 or not isinstance(path[2], int):  # noqa: PLR2004 - spec, list, index
            return path
        _, where, index, *rest = path
        name = merged["spec"][where][index]["name"]
        given = [item["name"] for item in self._spec.get(str(where), ())]
        return ("spec", where, given.index(name) if name in given else index, *rest)


def _shape(document: Manifest) -> Iterator[InvalidSpec]:
    try:
        OverlayFile.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as refused:
        for detail in refused.errors(include_url=False, include_input=False):
            yield _misshapen(detail)
    except (TypeError, ValueError) as error:  # a date or a set, which YAML knows and JSON does not
        yield InvalidSpec(ROOT, f"holds what is neither text, number, list nor map: {error}")


def _misshapen(detail: Any) -> InvalidSpec:
    path = tuple(part for part in detail["loc"] if part != "[key]")
    field = ROOT + _written(path)
    if detail["type"] == "extra_forbidden":
        if reason := FIELDS_REFUSED.get(str(path[-1])):
            return InvalidSpec(field, f"may not be set: {reason}")
        return InvalidSpec(field, "there is no such field in an overlay: check its spelling and indentation")
    if detail["type"] == RULE_ERROR:
        return InvalidSpec(field, detail["ctx"]["message"])
    return InvalidSpec(field, "is required" if detail["type"] == "missing" else detail["msg"])


def _written(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".replace("//", "/").startswith(f"{other}/") or f"{other}/".startswith(
        f"{one}/".replace("//", "/")
    )


def _without_nulls(value: Any) -> Any:
    """Return the value without what a null leaves out, as the API server would read it."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


@cache
def _templates() -> dict[str, Manifest]:
    """Return the pod template of every part of an InsightEngine that uses all there is."""
    reference = {"secretRef": {"name": "given"}}
    spec = {
        "dataSources": [
            {"name": "any", "dialect": "postgres", "schemas": ["public"], "roles": ["analyst"], **reference}
        ],
        "results": {"s3": reference},
        "auth": {"bootstrapAdmin": reference},
    }
    resource = {"metadata": {"name": "any"}, "spec": spec}
    usable = SecretFacts({naming.USE_LABEL: "true"}, EVERY_KEY)
    images = ImageSettings("engine:any", "postgres:any", "redis:any", frozenset())
    engine = validate(resource, dict.fromkeys(references(resource), usable), images)
    return {
        manifest["metadata"]["labels"][naming.COMPONENT_LABEL]: manifest["spec"]["template"]
        for manifest in plan(engine)
        if "template" in manifest.get("spec", {})
    }
