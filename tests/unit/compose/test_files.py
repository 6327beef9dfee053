"""What the Compose files, the settings beside them and the script for secrets must hold to."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.compose.deployments import FILES
from insight_engine.adapters.config.development import EXAMPLES, is_example, refuse_development_secrets
from insight_engine.adapters.identity.keyset import parse_keyset
from insight_engine.domain.errors import ConfigurationError
from insight_engine.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[3]
COMPOSE_FILES = ("docker-compose.yml", *FILES.values(), "examples/compose-source.yml")
ENGINE_SERVICES = ("migrate", "api", "celery_worker", "flower")
SETTINGS = {PREFIX + name.upper() for name in Settings.__dataclass_fields__}
# Fixed by the files, or by where they mount things.
FIXED = {
    f"{PREFIX}{name}"
    for name in (
        *("LOG_LEVEL", "API_PROCESSES", "WORKER_CONCURRENCY", "WORKER_EVENTS"),
        *("SECRETS_DIR", "SOURCES_FILE", "API_PORT", "INTERNAL_PORT", "TMP_DIR", "TERMINATION_LOG"),
    )
}
# A value right behind a name that says it is a secret.
LITERAL = re.compile(r"(?i)(?:passw(?:or)?d|secret|token|api_?key)[\"']?\s*[:=]\s*[\"']?([^\s\"'{}$/,]{6,})")


def loaded(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / name).read_text()))


def assigned(name: str) -> dict[str, str]:
    lines = (ROOT / "docker/env" / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_exactly_three_env_files_are_tracked() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = [name for name in listed.stdout.splitlines() if ".env" in name]
    assert found == ["docker/env/.env.dev", "docker/env/.env.example", "docker/env/.env.stage"]


@pytest.mark.parametrize(
    "name", ["docker/env/.env.prod", ".env", "docker/env/.env.local", "docker/secrets/prod/database-uri"]
)
def test_git_ignores_what_holds_real_values(name: str) -> None:
    assert subprocess.run(["git", "check-ignore", "--quiet", name], cwd=ROOT, check=False).returncode == 0


def test_there_is_no_second_base_file() -> None:
    assert not (ROOT / "docker/docker-compose.yml").exists()


@pytest.mark.parametrize("name", COMPOSE_FILES)
def test_every_setting_given_is_one_the_engine_reads(name: str) -> None:
    for service, body in loaded(name)["services"].items():
        given = {key for key in body.get("environment", {}) if key.startswith(PREFIX)}
        assert given <= SETTINGS, service


@pytest.mark.parametrize("name", [".env.dev", ".env.stage"])
def test_the_env_files_are_settings_that_can_be_read(name: str) -> None:
    given = assigned(name)
    assert set(given) <= SETTINGS
    Settings.from_env(given)


def test_the_example_names_every_setting_with_its_default() -> None:
    lines = (ROOT / "docker/env/.env.example").read_text().splitlines()
    shown = dict(line[1:].split("=", 1) for line in lines if line.startswith(f"#{PREFIX}"))
    assert set(shown) == SETTINGS - FIXED
    assert Settings.from_env(shown) == Settings()


@pytest.mark.parametrize("name", COMPOSE_FILES)
def test_no_secret_is_an_environment_variable(name: str) -> None:
    for service, body in loaded(name)["services"].items():
        for key in body.get("environment", {}):
            assert not re.search(r"(?i)passw|secret|token|key|uri", key), f"{service}: {key}"
    for secret, body in loaded(name).get("secrets", {}).items():
        assert set(body) == {"file"}, secret


def test_no_secret_looking_literal_is_in_these_files() -> None:
    files = [*COMPOSE_FILES, *(f"docker/env/{name}" for name in (".env.example", ".env.dev", ".env.stage"))]
    files += [
        str(path.relative_to(ROOT))
        for path in (ROOT / "docker").rglob("*.json")
        if "secrets" not in path.parts
    ]
    files += [str(path.relative_to(ROOT)) for path in (ROOT / "k8s").rglob("*.yaml")]
    found = [(name, match[0]) for name in files for match in LITERAL.finditer((ROOT / name).read_text())]
    assert found == []


@pytest.mark.parametrize(
    "text", ['password: "hunter2hunter2"', "DB_PASSWORD=abcdef123", "token: eyJabcdefgh"]
)
def test_a_secret_looking_literal_would_be_found(text: str) -> None:
    assert LITERAL.search(text)


def test_the_sample_is_that_of_kubernetes() -> None:
    documents = yaml.safe_load_all((ROOT / "examples/sample-source.yaml").read_text())
    config = next(document for document in documents if document["kind"] == "ConfigMap")
    assert (ROOT / "docker/postgres/sales.sql").read_text() == config["data"]["sales.sql"]


@pytest.mark.parametrize("name", ["dev", "stage", "prod"])
def test_every_secret_a_deployment_names_is_made(name: str, tmp_path: Path) -> None:
    folder = made(tmp_path, name)
    named = {Path(body["file"]).name for body in loaded(FILES[name])["secrets"].values()}
    assert named <= {path.name for path in folder.iterdir()}
    assert set(loaded("docker-compose.yml")["secrets"]) <= set(loaded(FILES[name])["secrets"])
    for body in loaded(FILES[name])["secrets"].values():
        assert body["file"].startswith(f"./docker/secrets/{name}/")


def made(tmp_path: Path, name: str) -> Path:
    """The folder of secrets that a copy of the script makes."""
    script = tmp_path / "docker/make-secrets.sh"
    script.parent.mkdir(exist_ok=True)
    script.write_text((ROOT / "docker/make-secrets.sh").read_text())
    done = subprocess.run(["sh", str(script), name], capture_output=True, text=True, check=True)
    folder = script.parent / "secrets" / name
    assert not [
        path
        for path in folder.iterdir()
        if path.name.endswith("password") and path.read_text() in done.stdout
    ]
    return folder


def test_secrets_are_random_kept_and_closed_to_others(tmp_path: Path) -> None:
    folder = made(tmp_path, "prod")
    before = {path.name: path.read_text() for path in folder.iterdir()}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}
    made(tmp_path, "prod")
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
    other = made(tmp_path, "stage")
    same = [name for name, text in before.items() if (other / name).read_text() == text]
    assert sorted(same) == ["admin-username", "flower-username"]
    assert len(parse_keyset(before["jwt-keyset.json"]).keys) == 1


def as_mounted(folder: Path, root: Path) -> Path:
    """The secret sets as docker-compose.yml mounts them for the migration."""
    for secret in loaded("docker-compose.yml")["services"]["migrate"]["secrets"]:
        target = root / Path(secret["target"]).relative_to("/var/run/insight")
        target.parent.mkdir(parents=True, exist_ok=True)
        source = folder / secret["source"].replace("_", "-")
        target.write_text((source if source.exists() else source.with_suffix(".json")).read_text())
    return root


def test_production_takes_its_own_secrets(tmp_path: Path) -> None:
    refuse_development_secrets(as_mounted(made(tmp_path, "prod"), tmp_path / "run"))


def test_each_secret_of_development_is_refused_in_production(tmp_path: Path) -> None:
    own = as_mounted(made(tmp_path, "prod"), tmp_path / "run")
    foreign = as_mounted(made(tmp_path, "dev"), tmp_path / "foreign")
    for file in sorted(path for path in own.rglob("*") if path.is_file() and path.name != "username"):
        kept = file.read_text()
        file.write_text((foreign / file.relative_to(own)).read_text())
        with pytest.raises(ConfigurationError, match=f"Secret set {file.parent.name}: {file.name} "):
            refuse_development_secrets(own)
        file.write_text(kept)


@pytest.mark.parametrize("secret", [*sorted(EXAMPLES), "Changeme", "development-1f"])
def test_known_examples_are_examples(secret: str) -> None:
    assert is_example(secret)
