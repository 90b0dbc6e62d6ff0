"""Requests for certificates, as tests make them."""

from __future__ import annotations

import base64
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kubelite.objects.meta import Obj

CLIENT = "kubernetes.io/kube-apiserver-client"


@cache
def request_pem(user: str = "eve", group: str = "g") -> bytes:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group), x509.NameAttribute(NameOID.COMMON_NAME, user)]
    alternative = x509.SubjectAlternativeName([x509.DNSName("eve.example.com")])
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    signed = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def signing_request(usage: str = "client auth", **spec: object) -> Obj:
    encoded = base64.b64encode(request_pem()).decode()
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "eve"},
        "spec": {"request": encoded, "signerName": CLIENT, "usages": ["digital signature", usage], **spec},
    }
