"""Which mounts and processes belong to a cluster: those under its own state folder, and no others."""

from pathlib import Path

from dev.cluster import node

STATE = Path("/state")


def test_mounts_are_listed_innermost_first() -> None:
    points = ["/", "/state/a", "/state/a/b", "/state/a/b/c"]
    assert node.mounts_under(points, STATE) == ["/state/a/b/c", "/state/a/b", "/state/a"]


def test_mount_of_a_folder_with_a_similar_name_is_left_alone() -> None:
    assert node.mounts_under(["/state-of-others/a"], STATE) == []


def test_escaped_blank_in_a_mount_point_is_read() -> None:
    assert node.mounts_under(["/state/a\\040b"], STATE) == ["/state/a b"]


def test_process_in_a_container_of_the_cluster_is_recognised() -> None:
    line = "1 2 0:3 / / rw - overlay overlay rw,lowerdir=/x,upperdir=/state/containerd/s/1/fs,workdir=/y"
    assert node.rooted_in(line, STATE / "containerd")


def test_process_in_a_container_of_somebody_else_is_not() -> None:
    line = "1 2 0:3 / / rw - overlay overlay rw,lowerdir=/x,upperdir=/var/lib/docker/1/fs,workdir=/y"
    assert not node.rooted_in(line, STATE / "containerd")


def test_process_of_the_machine_that_sees_the_clusters_mounts_is_not() -> None:
    lines = (
        "1 2 8:1 / / rw - ext4 /dev/vda rw\n3 1 0:3 / /state/r rw - overlay o upperdir=/state/containerd/1"
    )
    assert not node.rooted_in(lines, STATE / "containerd")
