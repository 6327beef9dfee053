"""Generated files are what their sources say, to the byte."""

from pathlib import Path

from dev import generate


def test_no_generated_file_differs_from_its_source() -> None:
    assert generate.differing() == []


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    assert sorted(generate.differing(tmp_path)) == sorted(generate.files())


def test_every_generated_file_names_its_command_on_line_one() -> None:
    for path, content in generate.files().items():
        assert generate.COMMAND in content.splitlines()[0], path


def test_every_golden_engine_has_a_rendering() -> None:
    assert len(generate.golden()) >= 3
