"""kubeconform, kube-score and checkov over everything the overlays bring to a cluster: nothing failed.

What a scanner asks for and is not done stands in EXCEPTIONS with its reason; one that is needed no longer
fails too.
"""

from fnmatch import fnmatch

import pytest

from dev.cluster import paths
from dev.scanners.run import SCANNERS, Finding, checkov
from support.k8s_overlays import OVERLAYS, children, kustomized

_HIGH_UID = "existing policies expect user 1000; the product's own default is 10001"
_PUBLIC_UID = "999 is the user of the public image, whose files belong to it"
_BURST = "an engine at rest needs a tenth of what a query needs: memory is reserved, processor time is shared"
_TAGS = "tags are never moved; who wants digests sets them in the chart's values, and the operator pins them"
_PULL = "tags are never moved, and a node that has the image must be able to start a pod without a registry"

EXCEPTIONS = {
    ("kube-score", "*", "container-cpu-requests-equal-limits"): _BURST,
    ("kube-score", "*", "container-resource-requests-equal-limits"): _BURST,
    ("kube-score", "*", "container-image-pull-policy"): _PULL,
    ("kube-score", "*/vanna-[amw]*", "container-security-context-user-group-id"): _HIGH_UID,
    ("kube-score", "StatefulSet/*", "container-security-context-user-group-id"): _PUBLIC_UID,
    (
        "kube-score",
        "StatefulSet/*",
        "statefulset-has-servicename",
    ): "one pod each, reached by a Service with an "
    "address: a client that has resolved it once finds the next pod too",
    ("checkov", "*", "CKV_K8S_15"): _PULL,
    ("checkov", "*/vanna-[amw]*", "CKV_K8S_40"): _HIGH_UID,
    ("checkov", "StatefulSet/*", "CKV_K8S_40"): _PUBLIC_UID,
    ("checkov", "*", "CKV_K8S_43"): _TAGS,
}
# kubeconform judges objects, the others each rule for each object.
AT_LEAST = {"kubeconform": 30, "kube-score": 100, "checkov": 300}


def excepted(scanner: str, finding: Finding) -> list[tuple[str, str, str]]:
    return [
        row
        for row in EXCEPTIONS
        if row[0] == scanner and row[2] == finding.check and fnmatch(finding.thing, row[1])
    ]


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("scanner", list(SCANNERS))
def test_nothing_fails_but_what_has_a_reason(scanner: str, overlay: str) -> None:
    report = SCANNERS[scanner](f"{kustomized(overlay)}---\n{children(overlay)}")
    assert report.looked_at >= AT_LEAST[scanner]
    assert [finding for finding in report.findings if not excepted(scanner, finding)] == []
    needed = {row for finding in report.findings for row in excepted(scanner, finding)}
    assert needed == {row for row in EXCEPTIONS if row[0] == scanner}, "an exception is no longer needed"


@pytest.mark.parametrize(
    ("scanner", "manifest"),
    [
        (
            "kubeconform",
            "apiVersion: insightengine.io/v1alpha1\nkind: InsightEngine\nmetadata: {name: x}\nspec: {a: 1}",
        ),
        ("kubeconform", "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {prots: []}"),
        (
            "kube-score",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: a, image: a}]}",
        ),
        (
            "checkov",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {hostNetwork: true, containers: []}",
        ),
    ],
)
def test_each_scanner_finds_what_is_wrong(scanner: str, manifest: str) -> None:
    assert SCANNERS[scanner](manifest).findings


def test_no_file_of_the_deployments_holds_what_looks_like_a_secret() -> None:
    files = [
        *paths.REPOSITORY.glob("docker-compose*.yml"),
        *(path for path in (paths.REPOSITORY / "docker").rglob("*") if "secrets" not in path.parts),
        *(paths.REPOSITORY / "k8s").rglob("*.yaml"),
        *(paths.REPOSITORY / "examples").glob("*"),
    ]
    text = "\n".join(path.read_text() for path in files if path.is_file())
    assert checkov(text, framework="secrets").findings == []


def test_the_search_for_secrets_finds_one() -> None:
    key = "AKIA" + "IOSFODNN7" + "ABCDEFG"
    assert checkov(f'aws_access_key_id = "{key}"\n', framework="secrets").findings
