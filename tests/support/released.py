"""What released versions left behind: their CRD, chart and operator, InsightEngines as they may be stored.

`python -m dev.release` writes a version's folder once, when it is released; it never changes. Python runs
the operator from `operator.zip` and helm installs `chart.tgz`: neither a history nor a registry is needed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dev.release import order

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

    @property
    def chart(self) -> Path:
        """Its chart, as helm takes it."""
        return self.folder / "chart.tgz"

    def definition(self) -> Manifest:
        """Return its CustomResourceDefinition."""
        found: Manifest = yaml.safe_load((self.folder / "crd.yaml").read_text(encoding="utf-8"))
        return found

    def engines(self) -> list[Manifest]:
        """Return InsightEngines that it accepted."""
        return list(yaml.safe_load_all((self.folder / "engines.yaml").read_text(encoding="utf-8")))


RELEASES = tuple(Release(folder) for folder in sorted(_FOLDER.iterdir(), key=order))
"""All of them, the newest last."""
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
