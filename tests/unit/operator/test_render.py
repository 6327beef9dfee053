"""`insight-operator render` shows, offline, what an InsightEngine would become or what is wrong with it."""

from pathlib import Path

import pytest
import yaml

from insight_operator.__main__ import main
from insight_operator.cli.render import PLACEHOLDER
from support.bad_engines import EXTERNAL, Manifest, engine


def _render(folder: Path, *documents: Manifest | str) -> int:
    file = folder / "engine.yaml"
    texts = [item if isinstance(item, str) else yaml.safe_dump(item) for item in documents]
    file.write_text("---\n".join(texts))
    return main(["render", "-f", str(file)])


def test_every_child_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _render(tmp_path, engine()) == 0
    kinds = [item["kind"] for item in yaml.safe_load_all(capsys.readouterr().out)]
    assert kinds.count("Secret") == 7
    assert kinds.count("Deployment") == kinds.count("StatefulSet") == 2
    assert kinds[-1] == "Deployment"


def test_generated_values_are_placeholders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _render(tmp_path, engine()) == 0
    for item in yaml.safe_load_all(capsys.readouterr().out):
        if item["kind"] == "Secret":
            assert "data" not in item
            assert PLACEHOLDER in item["stringData"].values()


def test_every_mistake_of_a_bad_engine_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _render(tmp_path, engine({"api": {"replicas": 0}, "databse": {}})) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.split(": ")[0] for line in told.err.splitlines()] == ["spec.api.replicas", "spec.databse"]


def test_one_bad_engine_of_two_is_named_and_nothing_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _render(tmp_path, engine(name="good"), engine({"suspend": 1}, name="bad")) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("spec.suspend: ")
    assert told.err.endswith("(in bad)\n")


def test_a_secret_in_the_same_file_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = {"kind": "Secret", "metadata": {"name": "elsewhere"}, "stringData": {"uri": "x"}}
    assert _render(tmp_path, secret, engine({"database": EXTERNAL})) == 1
    assert "kubectl label secret elsewhere insightengine.io/use=true" in capsys.readouterr().err


def test_a_secret_that_lacks_a_key_is_told_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = {"insightengine.io/use": "true"}
    secret = {
        "kind": "Secret",
        "metadata": {"name": "elsewhere", "labels": labels},
        "stringData": {"host": "x"},
    }
    assert _render(tmp_path, secret, engine({"database": EXTERNAL})) == 1
    told = capsys.readouterr().err
    assert told.startswith(
        "spec.database.external.secretRef.name: the Secret elsewhere lacks dbname, password"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "cannot be read as YAML"),
        ("kind: ConfigMap", "holds no InsightEngine"),
        ("kind: InsightEngine", "apiVersion: must be insightengine.io/v1alpha1"),
        (
            "{kind: InsightEngine, apiVersion: insightengine.io/v1alpha1, metadata: {name: a}, spec: 3}",
            "spec: is required",
        ),
        (
            "{kind: InsightEngine, apiVersion: insightengine.io/v1alpha1, metadata: {name: 1}, spec: {}}",
            "metadata.name: ",
        ),
    ],
)
def test_a_file_that_makes_no_sense_gets_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    assert _render(tmp_path, text) == 1
    assert told in capsys.readouterr().err


def test_a_file_that_is_not_there_gets_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "-f", "/nowhere/engine.yaml"]) == 1
    assert "/nowhere/engine.yaml" in capsys.readouterr().err


def test_the_definition_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crd"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["metadata"]["name"] == "insightengines.insightengine.io"
