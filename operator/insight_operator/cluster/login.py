"""Where the API server is and how to log in there: a kubeconfig, or the pod's own service account.

Programs named by a kubeconfig (`exec`) are not run: the operator's image has none.
"""

import base64
import os
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from insight_operator.cluster.errors import LoginError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_AGE_S = 60.0  # the kubelet replaces a bound token long before it expires


@dataclass(frozen=True, slots=True)
class Login:
    """One API server and the way in.

    Attributes:
        server: its URL.
        tls: trust and client certificate; None for plain HTTP (a local proxy).
        token: gives the bearer token, read again when it is old; None when a certificate logs in.
        namespace: the namespace the login belongs to.
    """

    server: str
    tls: ssl.SSLContext | None
    token: Callable[[], str] | None
    namespace: str


class TokenFile:
    """A bearer token in a file that somebody else replaces in time."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._token = ""
        self._read_at = float("-inf")

    def __call__(self) -> str:
        """Return the token, read from the file at most a minute ago."""
        if self._clock() - self._read_at > _TOKEN_AGE_S:
            try:
                self._token = self._path.read_text().strip()
            except OSError as error:
                raise LoginError(f"Cannot read the token file {self._path}: {error.strerror}.") from error
            self._read_at = self._clock()
        return self._token

    def forget(self) -> None:
        """Read the file again for the next request: the API server refused what it held."""
        self._read_at = float("-inf")


def find(environment: Mapping[str, str] | None = None, service_account: Path = SERVICE_ACCOUNT) -> Login:
    """Return the login: KUBECONFIG when set, else the pod's service account, else the user's kubeconfig.

    Raises:
        LoginError: none of them is there, or the one found cannot be used.
    """
    given = os.environ if environment is None else environment
    if path := given.get("KUBECONFIG"):
        return from_kubeconfig(Path(path))
    if (service_account / "token").exists():
        return _in_cluster(given, service_account)
    default = Path.home() / ".kube" / "config"
    if default.exists():
        return from_kubeconfig(default)
    raise LoginError(
        f"No cluster to talk to: KUBECONFIG is not set, {service_account} and {default} are absent."
    )


def from_kubeconfig(path: Path) -> Login:
    """Return the login of a kubeconfig's current context. Raises LoginError when it cannot be used."""
    try:
        document = yaml.safe_load(path.read_text())
        context = _named(document, "contexts", document["current-context"])["context"]
        cluster = _named(document, "clusters", context["cluster"])["cluster"]
        user = _named(document, "users", context["user"])["user"]
        server = str(cluster["server"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise LoginError(f"Cannot use the kubeconfig {path}: {error!r}.") from error
    if "exec" in user or "auth-provider" in user:
        raise LoginError(f"The kubeconfig {path} logs in by a program; give one with a certificate or token.")
    token = _token(user, path.parent)
    tls = _tls(cluster, user, path.parent) if server.startswith("https:") else None
    return Login(server, tls, token, context.get("namespace") or "default")


def _in_cluster(given: Mapping[str, str], folder: Path) -> Login:
    host, port = given.get("KUBERNETES_SERVICE_HOST"), given.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise LoginError("KUBERNETES_SERVICE_HOST is not set, although a service account is mounted.")
    address = f"[{host}]" if ":" in host else host
    tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    namespace = (folder / "namespace").read_text().strip()
    return Login(f"https://{address}:{port}", tls, TokenFile(folder / "token"), namespace)


def _named(document: Any, section: str, name: str) -> Any:
    for entry in document[section]:
        if entry["name"] == name:
            return entry
    raise KeyError(f"{section}: {name}")


def _token(user: Mapping[str, str], folder: Path) -> Callable[[], str] | None:
    if file := user.get("tokenFile"):
        return TokenFile(folder / file)
    if token := user.get("token"):
        return lambda: token
    return None


def _tls(cluster: Mapping[str, Any], user: Mapping[str, str], folder: Path) -> ssl.SSLContext:
    authority = _pem(cluster, "certificate-authority", folder)
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = _pem(user, "client-certificate", folder), _pem(user, "client-key", folder)
    if certificate and key:
        with tempfile.NamedTemporaryFile() as pair:  # the ssl module takes a certificate from a file only
            pair.write(certificate + b"\n" + key)
            pair.flush()
            context.load_cert_chain(pair.name)
    return context


def _pem(section: Mapping[str, Any], name: str, folder: Path) -> bytes | None:
    if data := section.get(f"{name}-data"):
        return base64.b64decode(data)
    return (folder / section[name]).read_bytes() if section.get(name) else None
