"""Certificates that TLS itself accepts and refuses: whatever is claimed here, OpenSSL is asked."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from penchant.errors import BadInput
from penchant.server.authority import Authority, days_left


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.new("films")


def shaken(authority: Authority, certificate: bytes, key: bytes, name: str, folder: Path) -> None:
    """A TLS handshake in memory. Raises: ssl.SSLError where a client that trusts `authority` refuses."""
    (folder / "ca.pem").write_bytes(authority.certificate_pem)
    (folder / "server.pem").write_bytes(certificate)
    (folder / "server.key").write_bytes(key)
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ours.load_cert_chain(folder / "server.pem", folder / "server.key")
    theirs.load_verify_locations(folder / "ca.pem")
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = ours.wrap_bio(up, down, server_side=True)
    client = theirs.wrap_bio(down, up, server_hostname=name)
    for _ in range(4):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("name", ["films.example.org", "127.0.0.1"])
def test_a_client_that_trusts_the_authority_accepts_every_name(
    authority: Authority, tmp_path: Path, name: str
) -> None:
    certificate, key = authority.issue(["films.example.org", "127.0.0.1"], days=10)
    shaken(authority, certificate, key, name, tmp_path)
    assert 9.9 < days_left(certificate) < 10.1


def test_another_name_is_refused(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue(["films.example.org"], days=10)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shaken(authority, certificate, key, "elsewhere.example.org", tmp_path)


def test_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    certificate, key = Authority.new("films").issue(["localhost"], days=10)
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(authority, certificate, key, "localhost", tmp_path)


def test_an_expired_certificate_is_refused(authority: Authority, tmp_path: Path) -> None:
    past = datetime.now(UTC) - timedelta(days=30)
    certificate, key = authority.issue(["localhost"], days=10, now=past)
    assert days_left(certificate) < 0
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shaken(authority, certificate, key, "localhost", tmp_path)


def test_a_server_certificate_signs_nobody(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue(["localhost"], days=10)
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    secret = serialization.load_pem_private_key(key, None)
    forged = Authority(x509.load_pem_x509_certificate(certificate), secret)  # type: ignore[arg-type]
    leaf, leaf_key = forged.issue(["localhost"], days=10)
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(authority, leaf + certificate, leaf_key, "localhost", tmp_path)


def test_the_authority_s_key_opens_with_its_passphrase_alone(authority: Authority) -> None:
    sealed = authority.key_pem(passphrase="correct horse")
    assert b"ENCRYPTED" in sealed
    assert Authority.read(authority.certificate_pem, sealed, passphrase="correct horse").issue(["a"], days=1)
    with pytest.raises(BadInput, match="passphrase"):
        Authority.read(authority.certificate_pem, sealed, passphrase="wrong horse")


@pytest.mark.parametrize("names", [[], ["münchen.example"]])
def test_names_that_cannot_be_certified_are_refused(authority: Authority, names: list[str]) -> None:
    with pytest.raises(BadInput):
        authority.issue(names, days=1)
