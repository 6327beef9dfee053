"""Image names from inputs, wheels for the image's Python, and the archive of the cluster's own image."""

import json
import tarfile
from pathlib import Path

from dev.cluster import image_archive
from dev.images import build, rootfs, wheelhouse

LOCKED = """\
# made by a tool
always==1.0 \\
    --hash=sha256:aa
old-only==2.0 ; python_full_version < '3.11.3' \\
    --hash=sha256:bb
new-only==3.0 ; python_full_version >= '3.12' \\
    --hash=sha256:cc
    # via something
windows==4.0 ; sys_platform == 'win32' \\
    --hash=sha256:dd
"""


def test_only_requirements_of_the_images_python_are_kept() -> None:
    kept = wheelhouse.for_image(LOCKED)
    assert [line for line in kept.splitlines() if "==" in line] == ["always==1.0 \\", "old-only==2.0 \\"]


def test_hashes_of_dropped_requirements_are_dropped() -> None:
    assert [line.strip() for line in wheelhouse.for_image(LOCKED).splitlines() if "sha256" in line] == [
        "--hash=sha256:aa",
        "--hash=sha256:bb",
    ]


def test_newest_wheel_platform_comes_first() -> None:
    assert wheelhouse.platforms("x86_64")[0] == "manylinux_2_36_x86_64"


def test_image_tag_changes_with_an_inputs_content(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    source.write_text("1")
    before = build.input_key(rootfs.PYTHON, [source], tmp_path)
    source.write_text("2")
    assert build.input_key(rootfs.PYTHON, [source], tmp_path) != before


def test_image_tag_changes_with_an_inputs_name(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("same")
    keys = {build.input_key(rootfs.PYTHON, [tmp_path / name], tmp_path) for name in ("a.py", "b.py")}
    assert len(keys) == 2


def test_image_tag_does_not_depend_on_where_the_checkout_is(tmp_path: Path) -> None:
    keys = set()
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        (folder / "a.py").write_text("same")
        keys.add(build.input_key(rootfs.PYTHON, [folder / "a.py"], folder))
    assert len(keys) == 1


def test_image_archive_is_the_same_every_time(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"x")
    for name in ("one.tar", "two.tar"):
        image_archive.write(tmp_path / name, "localhost/x:1", {"bin/x": program}, {"bin/y": "x"})
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_image_archive_names_its_image(tmp_path: Path) -> None:
    image_archive.write(tmp_path / "a.tar", "localhost/x:1", {}, {})
    with tarfile.open(tmp_path / "a.tar") as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        assert json.load(manifest)[0]["RepoTags"] == ["localhost/x:1"]
