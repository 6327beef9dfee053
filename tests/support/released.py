"""What released versions left behind: their CRD, InsightEngines as they may be stored, their operator.

A version's folder is written once, when it is released, and never changed. `operator.zip` is the operator's
package as it was (`git archive --format=zip <tag>:operator`): Python runs it from there, so that neither a
history nor a registry is needed to start the earlier operator.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]
_FOLDER = Path(__file__).resolve().parents[1] / "golden" / "released"


@dataclass(frozen=True)
class Release:
    """One released version.

    Attributes:
        folder: where its files are.
    """

    folder: Path

    @property
    def version(self) -> str:
        """Its number."""
        return self.folder.name

    @property
    def operator(self) -> Path:
        """Its operator, to be put on PYTHONPATH."""
        return self.folder / "operator.zip"

    def definition(self) -> Manifest:
        """Return its CustomResourceDefinition."""
        found: Manifest = yaml.safe_load((self.folder / "crd.yaml").read_text(encoding="utf-8"))
        return found

    def engines(self) -> list[Manifest]:
        """Return InsightEngines that it accepted."""
        return list(yaml.safe_load_all((self.folder / "engines.yaml").read_text(encoding="utf-8")))


RELEASES = tuple(Release(folder) for folder in sorted(_FOLDER.iterdir()))
EVERY_ENTRY = (
    *("uri", "host", "port", "dbname", "username", "password"),
    *("endpoint", "bucket", "region", "access_key_id", "secret_access_key"),
)
GIVEN: Manifest = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "given", "labels": {"insightengine.io/use": "true"}},
    "type": "kubernetes.io/dockerconfigjson",
    "stringData": dict.fromkeys(EVERY_ENTRY, "x") | {".dockerconfigjson": '{"auths": {}}'},
}
"""The one Secret that the stored InsightEngines refer to."""
