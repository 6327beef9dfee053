"""JSON schemas for kubeconform, made of what Kubernetes and we publish: nothing is fetched from the internet.

Kubernetes' own come from the OpenAPI document in its Go module, ours from the generated resource definition.
"""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from dev.cluster import gotools, paths
from dev.cluster.errors import ClusterError

MODULE = "k8s.io/kubernetes"
_CRD = paths.REPOSITORY / "crds" / "insightengine.yaml"
_INT_OR_STRING = {"oneOf": [{"type": "string"}, {"type": "integer"}]}
_QUANTITY = {"oneOf": [{"type": "string"}, {"type": "number"}]}
_QUANTITY_NAME = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def folder() -> Path:
    """Return a folder with a schema for each kind, as `<kind>-<group>-<version>.json`, made at first use.

    Raises ClusterError with Go's words when the module cannot be had.
    """
    key = hashlib.sha256(
        gotools.KUBERNETES_VERSION.encode() + _CRD.read_bytes() + Path(__file__).read_bytes()
    ).hexdigest()[:12]
    target = paths.cache_folder() / "schemas" / key
    with paths.exclusive("schemas"):
        if not target.exists():
            draft = target.with_name(f".{key}")
            draft.mkdir(parents=True, exist_ok=True)
            _write(draft, target)
            draft.replace(target)
    return target


def _write(draft: Path, target: Path) -> None:
    document = json.loads((_module() / "api/openapi-spec/swagger.json").read_text())
    definitions = {name: strict(schema, name) for name, schema in document["definitions"].items()}
    (draft / "definitions.json").write_text(json.dumps({"definitions": definitions}))
    for name, schema in definitions.items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            reference = {"$ref": f"file://{target}/definitions.json#/definitions/{name}"}
            (draft / file_name(kind["group"], kind["version"], kind["kind"])).write_text(
                json.dumps(reference)
            )
    crd = yaml.safe_load(_CRD.read_text())["spec"]
    for version in crd["versions"]:
        schema = strict(version["schema"]["openAPIV3Schema"], "")
        schema["properties"] |= {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
        }
        (draft / file_name(crd["group"], version["name"], crd["names"]["kind"])).write_text(
            json.dumps(schema)
        )


def file_name(group: str, version: str, kind: str) -> str:
    """Return the name under which kubeconform looks for a kind: the group up to its first dot. Pure."""
    return "-".join(part for part in (kind.lower(), group.partition(".")[0], version) if part) + ".json"


def strict(schema: Any, name: str = "") -> Any:
    """Return a schema that refuses fields it does not name. Pure."""
    if name == _QUANTITY_NAME:
        return dict(_QUANTITY)
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string") is True:
        return dict(_INT_OR_STRING)
    made = {key: strict(value) for key, value in schema.items()}
    made.pop("format", None)
    if "properties" in made and "additionalProperties" not in made:
        made["additionalProperties"] = False
    return made


def _module() -> Path:
    command = [str(gotools.go_command({"kubernetes"})), "mod", "download", "-json", MODULE]
    done = subprocess.run(
        command, cwd=paths.TOOLS / "kubernetes", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ClusterError(f"Go could not fetch {MODULE}: {done.stderr.strip() or done.stdout.strip()}")
    return Path(json.loads(done.stdout)["Dir"])
