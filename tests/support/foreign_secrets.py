"""Secrets that an InsightEngine may not use although they are there and hold what it asks for."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from support.bad_engines import Manifest, sources

_SECRET = "spec.dataSources[0].secretRef"


def _secret_name(name: str) -> Manifest:
    return sources({"secretRef": {"name": name}})


@dataclass(frozen=True)
class ForeignSecret:
    """A Secret that an InsightEngine may not use although it is there.

    Attributes:
        name: whose it is, in words.
        spec: the spec that asks for it.
        field: path that the refusal must name.
        secret: the Secret's name.
        entries: what it holds.
        labels: its labels.
        type: its type.
    """

    name: str
    spec: Manifest
    field: str
    secret: str
    entries: Sequence[str]
    labels: Manifest = dataclasses.field(default_factory=dict)
    type: str = "Opaque"

    def manifest(self) -> Manifest:
        """Return the Secret."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self.secret, "labels": self.labels},
            "type": self.type,
            "stringData": dict.fromkeys(self.entries, '{"auths": {}}'),
        }


_LOGIN = ("host", "port", "dbname", "username", "password")
_USE = {"insightengine.io/use": "true"}


def _child_of(engine: str) -> Manifest:
    """Return the labels of a Secret that the operator made, opened up by somebody who may label it."""
    return {"insightengine.io/engine": engine, "app.kubernetes.io/managed-by": "insight-operator"} | _USE


def _outside(part: str, secret: str) -> Manifest:
    return {part: {"external": {"secretRef": {"name": secret}}}}


FOREIGN: tuple[ForeignSecret, ...] = (
    ForeignSecret("somebody's database", _secret_name("payroll"), f"{_SECRET}.name", "payroll", _LOGIN),
    ForeignSecret(
        "a label that says no",
        _secret_name("no"),
        f"{_SECRET}.name",
        "no",
        _LOGIN,
        {"insightengine.io/use": "false"},
    ),
    ForeignSecret(
        "a label in capitals",
        _secret_name("caps"),
        f"{_SECRET}.name",
        "caps",
        _LOGIN,
        {"insightengine.io/use": "True"},
    ),
    ForeignSecret(
        "another engine's database",
        _secret_name("other-database"),
        f"{_SECRET}.name",
        "other-database",
        _LOGIN,
        _child_of("other"),
    ),
    ForeignSecret(
        "another engine's superuser",
        _secret_name("other-database-admin"),
        f"{_SECRET}.name",
        "other-database-admin",
        _LOGIN,
        _child_of("other"),
    ),
    ForeignSecret(
        "its own superuser",
        _secret_name("own-database-admin"),
        f"{_SECRET}.name",
        "own-database-admin",
        _LOGIN,
        _child_of("own"),
    ),
    ForeignSecret(
        "another engine's database as its own",
        _outside("database", "third-database"),
        "spec.database.external.secretRef.name",
        "third-database",
        _LOGIN,
        _child_of("third"),
    ),
    ForeignSecret(
        "another engine's broker as its own",
        _outside("broker", "other-broker"),
        "spec.broker.external.secretRef.name",
        "other-broker",
        _LOGIN,
        _child_of("other"),
    ),
    ForeignSecret(
        "another engine's administrator",
        {"auth": {"bootstrapAdmin": {"secretRef": {"name": "other-admin"}}}},
        "spec.auth.bootstrapAdmin.secretRef.name",
        "other-admin",
        _LOGIN,
        _child_of("other"),
    ),
    ForeignSecret(
        "another engine's signing keys",
        _secret_name("other-jwt"),
        f"{_SECRET}.name",
        "other-jwt",
        ("keyset.json",),
        _USE,
    ),
    ForeignSecret(
        "a token, opened up",
        _secret_name("token"),
        f"{_SECRET}.name",
        "token",
        ("token", "ca.crt", "namespace"),
        _USE,
    ),
    ForeignSecret(
        "a Helm release", _secret_name("release"), f"{_SECRET}.name", "release", ("release",), _USE
    ),
    ForeignSecret(
        "somebody's registry",
        {"image": {"pullSecrets": [{"name": "registry"}]}},
        "spec.image.pullSecrets[0].name",
        "registry",
        (".dockerconfigjson",),
        type="kubernetes.io/dockerconfigjson",
    ),
    ForeignSecret(
        "somebody's bucket",
        {"results": {"s3": {"secretRef": {"name": "backups"}}}},
        "spec.results.s3.secretRef.name",
        "backups",
        ("endpoint", "bucket", "region", "access_key_id", "secret_access_key"),
    ),
)
