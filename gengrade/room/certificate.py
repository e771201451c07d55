"""Certificates for a server that other machines reach: one that is given, or one that is made and signed by itself."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gengrade.atomic import write_whole
from gengrade.paths import InputError, printable

_DAYS: Final = 90
_CHAIN, _KEY = "certificate.pem", "certificate-key.pem"


class CertificateError(InputError):
    """A certificate cannot be used."""

    def __str__(self) -> str:
        return f"{printable(str(self.path))}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate for TLS.

    chain, key: files in PEM format.
    names: the host names that it is for, without the wildcards.
    fingerprint: its SHA-256 in hexadecimal, by which people compare it with what their browser shows.
    made: whether it was signed by itself, so that browsers ask before they trust it.
    """

    chain: Path
    key: Path
    names: tuple[str, ...]
    fingerprint: str
    made: bool = False


def given(chain: Path, key: Path) -> Certificate:
    """Return a certificate from two files in PEM format. Raises CertificateError if they cannot be used."""
    for file in (chain, key):
        try:
            file.read_bytes()
        except OSError as error:
            raise CertificateError(file, f"it cannot be read ({error.strerror})") from None
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(chain, key, password=_no_password)
        found = x509.load_pem_x509_certificates(chain.read_bytes())[0]
    except (ssl.SSLError, ValueError) as error:
        reason = f"it is no certificate in PEM format for the key {printable(str(key))} ({error})"
        raise CertificateError(chain, reason) from None
    return Certificate(chain, key, _names(found), found.fingerprint(hashes.SHA256()).hex())


def made(folder: Path, hosts: Sequence[str]) -> Certificate:
    """Make a certificate that is signed by itself, valid for 90 days, in two files of a folder that others cannot read.

    hosts: the names and addresses that it is for.
    """
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gengrade marking room")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    chain, key = folder / _CHAIN, folder / _KEY
    encoding = serialization.Encoding.PEM
    private = secret.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(key, private, mode=0o600)
    write_whole(chain, certificate.public_bytes(encoding))
    return Certificate(chain, key, (), certificate.fingerprint(hashes.SHA256()).hex(), made=True)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(name for name in found.get_values_for_type(x509.DNSName) if "*" not in name)


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _no_password() -> str:
    raise ValueError("the key is protected by a password")
