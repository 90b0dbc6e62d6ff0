"""The cluster's certificates and kubeconfig: one CA per cluster, a server and client certificates signed by it.

Called when a cluster comes up; everything is written once and kept, private files with mode 0600. The server's
certificate is made anew when the addresses it must name have changed.
"""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_YEARS = timedelta(days=3650)
_PEM = serialization.Encoding.PEM
_BACKDATED = timedelta(minutes=5)  # of certificates that were asked for
_EXTENDED = {"client auth": ExtendedKeyUsageOID.CLIENT_AUTH, "server auth": ExtendedKeyUsageOID.SERVER_AUTH}

Key = ec.EllipticCurvePrivateKey
K = TypeVar("K", ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)
SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def write_private(path: Path, content: str | bytes) -> None:
    """Write atomically, readable by the owner alone."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)


class Authority:
    """The CA of one cluster, kept in `directory` (`ca.crt`, `ca.key`, `sa.key`, `<name>.crt/.key`)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key = self._load_key("ca")
        self.certificate = self._load_certificate()

    def _load_key(self, name: str) -> Key:
        path = self.directory / f"{name}.key"
        if path.exists():
            key = _read_key(path)
            assert isinstance(key, Key)
            return key
        return _written(path, ec.generate_private_key(ec.SECP256R1()))

    def _load_certificate(self) -> x509.Certificate:
        path = self.directory / "ca.crt"
        if path.exists():
            return x509.load_pem_x509_certificate(path.read_bytes())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubelite-ca")])
        certificate = (
            _builder(name, self._key, issuer=name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        write_private(path, certificate.public_bytes(_PEM))
        return certificate

    @property
    def ca_file(self) -> Path:
        return self.directory / "ca.crt"

    @property
    def ca_pem(self) -> str:
        return self.ca_file.read_text()

    def service_account_key(self) -> SigningKey:
        """Tokens are checked by others, too, who often expect an RSA key: most clusters have one."""
        path = self.directory / "sa.key"
        return _read_key(path) if path.exists() else _written(path, rsa.generate_private_key(65537, 2048))

    def server_certificate(self, names: Sequence[str]) -> tuple[Path, Path]:
        """(certificate, key) files of the API server for these DNS names and addresses."""
        path = self.directory / "server.crt"
        wanted = set(names)
        if not path.exists() or not wanted <= _names_of(x509.load_pem_x509_certificate(path.read_bytes())):
            self._issue("server", "kubelite", (), sorted(wanted), ExtendedKeyUsageOID.SERVER_AUTH)
        return path, self.directory / "server.key"

    def client_certificate(self, name: str, user: str, groups: Iterable[str]) -> tuple[Path, Path]:
        """(certificate, key) files of a client: user is the common name, groups the organisations."""
        path = self.directory / f"{name}.crt"
        if not path.exists():
            self._issue(name, user, groups, (), ExtendedKeyUsageOID.CLIENT_AUTH)
        return path, self.directory / f"{name}.key"

    def sign(self, request: bytes, usages: Sequence[str], seconds: int) -> bytes:
        """The certificate that a PEM request asks for; ValueError for a request that can't be honoured."""
        asked, now = x509.load_pem_x509_csr(request), datetime.now(UTC)
        if not asked.is_signature_valid:
            raise ValueError("the request's signature is not valid")
        end = min(now + timedelta(seconds=seconds), self.certificate.not_valid_after_utc)
        extended = [_EXTENDED[usage] for usage in usages if usage in _EXTENDED]
        builder = (
            _unsigned(asked.subject, asked.public_key(), self.certificate.subject, now - _BACKDATED, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(sign=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(extended), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for extension in asked.extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                builder = builder.add_extension(extension.value, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM)

    def _issue(
        self, name: str, user: str, groups: Iterable[str], names: Iterable[str], usage: x509.ObjectIdentifier
    ) -> None:
        key = self._load_key(name)
        subject = x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
            + [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        )
        builder = (
            _builder(subject, key, issuer=self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(sign=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        alternatives = [_alternative(text) for text in names]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        write_private(self.directory / f"{name}.crt", certificate.public_bytes(_PEM))


def _read_key(path: Path) -> SigningKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, SigningKey)
    return key


def _written(path: Path, key: K) -> K:
    write_private(path, key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return key


def _builder(subject: x509.Name, key: Key, *, issuer: x509.Name) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return _unsigned(subject, key.public_key(), issuer, now - timedelta(hours=1), now + _YEARS)


def _unsigned(
    subject: x509.Name, key: CertificatePublicKeyTypes, issuer: x509.Name, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _key_usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not sign,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _names_of(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def kubeconfig(name: str, server: str, ca_pem: str, certificate: Path, key: Path) -> dict[str, Any]:
    """A kubeconfig with one cluster, one user and one context, all called `name`, credentials inside."""

    def embedded(content: bytes) -> str:
        return base64.b64encode(content).decode()

    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": server, "certificate-authority-data": embedded(ca_pem.encode())}}
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": embedded(certificate.read_bytes()),
                    "client-key-data": embedded(key.read_bytes()),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def write_kubeconfig(path: Path, content: dict[str, Any]) -> None:
    write_private(path, yaml.safe_dump(content, sort_keys=False))
