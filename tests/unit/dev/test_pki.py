"""The throw-away certificate authority: who may log in as what, and what a second run leaves alone."""

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dev.cluster import pki

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LEAVES = pki.leaves("node1", ("127.0.0.1", "10.96.0.1"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pki.ensure(tmp_path, LEAVES, NOW)
    return tmp_path


def certificate(folder: Path, stem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{stem}.crt").read_bytes())


@pytest.mark.parametrize("stem", [leaf.stem for leaf in LEAVES])
def test_every_leaf_is_signed_by_the_authority(folder: Path, stem: str) -> None:
    authority = certificate(folder, "ca").public_key()
    assert isinstance(authority, ec.EllipticCurvePublicKey)
    certificate(folder, stem).verify_directly_issued_by(certificate(folder, "ca"))


def test_admin_is_in_the_group_that_may_do_everything(folder: Path) -> None:
    groups = certificate(folder, "admin").subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [group.value for group in groups] == ["system:masters"]


def test_server_certificate_names_every_address_it_answers_at(folder: Path) -> None:
    extension = certificate(folder, "apiserver").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    addresses = [str(address) for address in extension.value.get_values_for_type(x509.IPAddress)]
    assert addresses == ["127.0.0.1", "10.96.0.1"]


def test_private_keys_are_readable_by_their_owner_only(folder: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*.key")} == {0o600}


def test_second_run_changes_no_file(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    pki.ensure(folder, LEAVES, NOW)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_interrupted_run_is_done_again_whole(folder: Path) -> None:
    (folder / ".finished").unlink()
    (folder / "admin.crt").unlink()
    pki.ensure(folder, LEAVES, NOW)
    certificate(folder, "admin").verify_directly_issued_by(certificate(folder, "ca"))
