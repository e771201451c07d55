"""A certificate for the proof, and the settings by which Dask uses it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def write_certificates(folder: Path) -> dict[str, str]:
    """Write a key and a certificate that vouches for itself, and return the environment of all processes."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a cluster for a proof")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "tls-key.pem").write_bytes(private)
    (folder / "tls-certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    place = {"key": str(folder / "tls-key.pem"), "cert": str(folder / "tls-certificate.pem")}
    settings = {"DASK_DISTRIBUTED__COMM__TLS__CA_FILE": place["cert"]}
    for role in ("CLIENT", "SCHEDULER", "WORKER"):
        for what, path in place.items():
            settings[f"DASK_DISTRIBUTED__COMM__TLS__{role}__{what.upper()}"] = path
    return settings
