"""Keeps what a released version leaves behind in tests/golden/released, where upgrades from it are tested.

A folder `<version>-<commit>` holds the CustomResourceDefinition, the chart (chart.tgz), the operator's
package (operator.zip) and InsightEngines that the version accepts (engines.yaml), so that neither a history
nor a registry is needed later. It is written once and never changes. The InsightEngines are those of the
release before; give the fields that are new since then a value before you commit:
tests/unit/operator/test_old_engines.py tells whether some are missing.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import yaml

from dev.cluster.errors import ClusterError

REPOSITORY = Path(__file__).resolve().parents[1]
RELEASED = Path("tests/golden/released")
CHART = "charts/insight-operator"
ENGINES = "engines.yaml"


def git(repository: Path, *arguments: str) -> bytes:
    """Return what git prints. Raises ClusterError with its own words when it fails."""
    done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, check=False)
    if done.returncode:
        raise ClusterError(f"git {' '.join(arguments)} failed: {done.stderr.decode().strip()}")
    return done.stdout


def order(folder: Path) -> tuple[int, ...]:
    """Return what sorts release folders from the oldest version to the newest."""
    return tuple(int(number) for number in re.findall(r"\d+", folder.name.split("-")[0]))


def write(repository: Path, commit: str, engines: Path | None = None) -> Path:
    """Write the folder of the release that a commit is, and return it.

    `engines` is a file of InsightEngines; by default that of the newest release is copied. Raises
    ClusterError when git knows no such commit, the version has its folder already, or there are no
    InsightEngines to copy.
    """
    short = git(repository, "rev-parse", "--short=7", "--verify", f"{commit}^{{commit}}").decode().strip()
    version = str(yaml.safe_load(git(repository, "show", f"{short}:{CHART}/Chart.yaml"))["version"])
    known = sorted((repository / RELEASED).glob("*/"), key=order)
    if taken := [folder.name for folder in known if folder.name.split("-")[0] == version]:
        raise ClusterError(
            f"Version {version} is kept already, as {RELEASED / taken[0]}, and a release never changes; "
            f"raise `version` in {CHART}/Chart.yaml, commit, and name that commit."
        )
    engines = engines or (known[-1] / ENGINES if known else None)
    if engines is None or not engines.is_file():
        raise ClusterError("There are no InsightEngines to keep with it; name a file of them with --engines.")
    parts = {
        "crd.yaml": git(repository, "show", f"{short}:{CHART}/files/insightengine.yaml"),
        "chart.tgz": git(
            repository, "archive", "--format=tar.gz", "--prefix=insight-operator/", f"{short}:{CHART}"
        ),
        "operator.zip": git(repository, "archive", "--format=zip", f"{short}:operator"),
        ENGINES: engines.read_bytes(),
    }
    target = repository / RELEASED / f"{version}-{short}"
    target.mkdir(parents=True)
    for name, content in parts.items():
        (target / name).write_bytes(content)
    return target


def main(arguments: list[str] | None = None) -> int:
    """Write one release's folder; an error is one sentence on standard error and exit code 1."""
    parser = argparse.ArgumentParser(
        prog="python -m dev.release",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("commit", help="the commit that is released, such as a tag or HEAD")
    parser.add_argument("--engines", type=Path, help="file of InsightEngines instead of the last release's")
    options = parser.parse_args(arguments)
    try:
        print(write(REPOSITORY, options.commit, options.engines).relative_to(REPOSITORY))
    except ClusterError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
