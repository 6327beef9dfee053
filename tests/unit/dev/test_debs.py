"""Reading apt's answer, and keeping unpacked packages of different releases apart."""

from dev.cluster import debs


def test_packages_apt_would_install_are_read() -> None:
    said = "Remv docker-ce [1]\nInst runc (1.1 Debian:12 [amd64])\nConf runc (1.1)\nInst nftables (1)\n"
    assert debs.missing_packages(said) == ["runc", "nftables"]


def test_each_release_has_its_own_folder() -> None:
    assert debs.folder_key("ID=debian\nVERSION_ID=12") != debs.folder_key("ID=ubuntu\nVERSION_ID=24.04")
