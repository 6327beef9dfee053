"""Certificates and keys of a throw-away cluster: a CA, a leaf per component, a service-account key pair.

Made once per state folder, since a new service-account key would void every token the cluster has issued.
"""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dev.cluster import paths

_LIFETIME = dt.timedelta(days=365)
_CLOCK_SKEW = dt.timedelta(hours=1)
_SERVICE_ACCOUNT_KEY_BITS = 2048


@dataclass(frozen=True)
class Leaf:
    """A certificate to issue: file stem, common name, group, and the names a server is reached by."""

    stem: str
    common_name: str
    organization: str | None = None
    names: tuple[str, ...] = ()


def leaves(node_name: str, addresses: tuple[str, ...]) -> tuple[Leaf, ...]:
    """Return every certificate a cluster needs, its API server answering at `addresses`."""
    server = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", *addresses)
    return (
        Leaf("apiserver", "kube-apiserver", names=server),
        Leaf("admin", "admin", "system:masters"),
        Leaf("controller-manager", "system:kube-controller-manager"),
        Leaf("scheduler", "system:kube-scheduler"),
        Leaf("proxy", "system:kube-proxy"),
        Leaf("node", f"system:node:{node_name}", "system:nodes", (node_name, *addresses)),
        Leaf("front-proxy", "front-proxy"),
    )


def ensure(folder: Path, wanted: tuple[Leaf, ...], now: dt.datetime) -> None:
    """Make everything unless it is there: running components must keep trusting each other."""
    finished = folder / ".finished"
    if finished.exists():
        return
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("local-ca", None)
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    _write_certificate(folder / "ca.crt", authority)
    _write_key(folder / "ca.key", authority_key)
    for leaf in wanted:
        key = ec.generate_private_key(ec.SECP256R1())
        _write_certificate(folder / f"{leaf.stem}.crt", _issue(leaf, key, authority_key, now))
        _write_key(folder / f"{leaf.stem}.key", key)
    _write_service_account_pair(folder)
    finished.touch()


def _issue(
    leaf: Leaf,
    key: ec.EllipticCurvePrivateKey,
    authority_key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
) -> x509.Certificate:
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    builder = (
        _builder(_name(leaf.common_name, leaf.organization), _name("local-ca", None), key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    )
    if leaf.names:
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in leaf.names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(authority_key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
    )


def _name(common_name: str, organization: str | None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    paths.write_atomically(path, certificate.public_bytes(serialization.Encoding.PEM).decode())


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    paths.write_atomically(path, encoded.decode(), mode=0o600)


def _write_service_account_pair(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_SERVICE_ACCOUNT_KEY_BITS)
    _write_key(folder / "service-account.key", key)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    paths.write_atomically(folder / "service-account.pub", public.decode())
