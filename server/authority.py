"""The deployment's own certificate authority, and the server certificates that it signs."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from penchant.errors import BadInput

_CLOCK_SKEW: Final = timedelta(minutes=5)
_AUTHORITY_DAYS: Final = 3650


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA certificate and the key that signs with it. The key is needed to issue, never to serve."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls, name: str, *, now: datetime | None = None) -> "Authority":
        """A self-signed authority that may sign servers, and no further authority."""
        key = ec.generate_private_key(ec.SECP384R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} authority")])
        start = now or datetime.now(UTC)
        builder = _builder(subject, subject, key, start, start + timedelta(days=_AUTHORITY_DAYS))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs=True), critical=True)
        return cls(builder.sign(key, hashes.SHA384()), key)

    @classmethod
    def read(cls, certificate: bytes, key: bytes, *, passphrase: str) -> "Authority":
        """Raises: BadInput where the passphrase does not open the key."""
        try:
            secret = serialization.load_pem_private_key(key, passphrase.encode())
        except (ValueError, TypeError) as error:
            raise BadInput("the passphrase does not open the authority's key") from error
        assert isinstance(secret, ec.EllipticCurvePrivateKey)
        return cls(x509.load_pem_x509_certificate(certificate), secret)

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self, *, passphrase: str) -> bytes:
        """The secret, encrypted."""
        return _pem(self.key, serialization.BestAvailableEncryption(passphrase.encode()))

    def issue(self, names: Sequence[str], *, days: int, now: datetime | None = None) -> tuple[bytes, bytes]:
        """A server's certificate and its key, PEM, for the host names and addresses `names`.

        The key is not encrypted: a server that restarts on its own must read it. Keep it readable by its owner alone.
        Raises: BadInput without a name, or for a name that is neither a host name nor an address.
        """
        if not names:
            raise BadInput("a server certificate needs at least one name or address that clients will use")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
        start = now or datetime.now(UTC)
        builder = _builder(subject, self.certificate.subject, key, start, start + timedelta(days=days))
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs=False), critical=True)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_name(name) for name in names]), critical=False
        )
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        certificate = builder.sign(self.key, hashes.SHA384())
        return certificate.public_bytes(serialization.Encoding.PEM), _pem(key, serialization.NoEncryption())


def days_left(certificate: bytes, *, now: datetime | None = None) -> float:
    """Days until a certificate (PEM) ends; negative when it has ended."""
    end = x509.load_pem_x509_certificate(certificate).not_valid_after_utc
    return (end - (now or datetime.now(UTC))) / timedelta(days=1)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=start - _CLOCK_SKEW,
        not_valid_after=end,
    )
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        return x509.DNSName(text)
    except ValueError as error:
        raise BadInput(f"{text!r}: neither a host name nor an address") from error


def _pem(key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
