"""Logins are found in a fixed order, and tokens are read again."""

from pathlib import Path

import pytest
import yaml

from insight_operator.cluster.errors import LoginError
from insight_operator.cluster.login import TokenFile, find, from_kubeconfig


def kubeconfig(folder: Path, user: dict[str, object]) -> Path:
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "insight"}}],
        "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": user}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_kubeconfig_names_server_namespace_and_token(tmp_path: Path) -> None:
    login = from_kubeconfig(kubeconfig(tmp_path, {"token": "t"}))
    assert (login.server, login.namespace) == ("http://127.0.0.1:1", "insight")
    assert login.token is not None
    assert login.token() == "t"


def test_the_variable_goes_before_the_service_account(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("in-cluster")
    path = kubeconfig(tmp_path, {"token": "t"})
    login = find({"KUBECONFIG": str(path)}, service_account=tmp_path)
    assert login.token is not None
    assert login.token() == "t"


def test_a_kubeconfig_that_runs_a_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoginError, match="by a program"):
        from_kubeconfig(kubeconfig(tmp_path, {"exec": {"command": "x"}}))


def test_an_absent_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoginError, match="absent"):
        from_kubeconfig(tmp_path / "absent")


def test_no_login_at_all_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(LoginError, match="KUBECONFIG is not set"):
        find({}, service_account=tmp_path)


def test_a_token_is_read_again_when_it_is_old(tmp_path: Path) -> None:
    file, now = tmp_path / "token", [0.0]
    file.write_text("first\n")
    token = TokenFile(file, clock=lambda: now[0])
    assert token() == "first"
    file.write_text("second")
    assert token() == "first"
    now[0] = 61.0
    assert token() == "second"


def test_a_token_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoginError, match="token file"):
        TokenFile(tmp_path / "absent")()
