"""Requests for certificates: who asks, who decides, and the certificate that is a user's from then on."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubelite.controllers.certificates import CertificateSigner
from kubelite.pki import Authority
from kubelite.registry.registry import Registry
from tests.unit.api.caller import Caller
from tests.unit.certificates import signing_request
from tests.unit.conftest import Controllers, Recorded

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
APPROVED = {"type": "Approved", "status": "True", "reason": "Test"}


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded, tmp_path: Path) -> Controllers:
    return Controllers(registry, CertificateSigner(registry, recorded, Authority(tmp_path / "pki").sign, registry.now))


async def decide(call: Caller, *conditions: Any) -> Any:
    return await call.patch(f"{REQUESTS}/eve/approval", {"status": {"conditions": list(conditions)}})


async def test_an_approved_request_gets_its_certificate(call: Caller, controllers: Controllers) -> None:
    asked = signing_request(expirationSeconds=3600)
    asked["spec"]["username"] = "somebody else"
    created = await call.post(REQUESTS, asked)
    assert created.json["spec"]["username"] == "system:serviceaccount:default:default"
    controllers.settle()
    assert "certificate" not in (await call.get(f"{REQUESTS}/eve")).json["status"]
    (approved,) = (await decide(call, APPROVED)).json["status"]["conditions"]
    assert approved["lastTransitionTime"] == approved["lastUpdateTime"]
    controllers.settle()
    status = (await call.get(f"{REQUESTS}/eve")).json["status"]
    certificate = x509.load_pem_x509_certificate(base64.b64decode(status["certificate"]))
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "eve"
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds() == 3900
    assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]


@pytest.mark.parametrize(
    ("asked", "condition"),
    [
        (signing_request(signerName="example.com/own"), "Approved"),
        (signing_request(), "Denied"),
        (signing_request(signerName="kubernetes.io/kubelet-serving"), "Approved"),
    ],
)
async def test_requests_that_get_none(call: Caller, controllers: Controllers, asked: Any, condition: str) -> None:
    await call.post(REQUESTS, asked)
    await decide(call, {**APPROVED, "type": condition})
    controllers.settle()
    assert "certificate" not in (await call.get(f"{REQUESTS}/eve")).json["status"]


async def test_what_was_asked_for_stays_and_only_approval_decides(call: Caller) -> None:
    await call.post(REQUESTS, signing_request(signerName="example.com/own"))
    changed = await call.patch(
        f"{REQUESTS}/eve", {"spec": {"signerName": "x.y/z"}, "status": {"conditions": [APPROVED]}}
    )
    assert (changed.json["spec"]["signerName"], changed.json["status"]) == ("example.com/own", {})
    of_status = await call.patch(
        f"{REQUESTS}/eve/status", {"status": {"conditions": [APPROVED], "certificate": "eA=="}}
    )
    assert of_status.json["status"] == {"certificate": "eA=="}
    of_approval = (await decide(call, APPROVED)).json["status"]
    assert (of_approval["certificate"], of_approval["conditions"][0]["type"]) == ("eA==", "Approved")
    both = await decide(call, APPROVED, {**APPROVED, "type": "Denied"})
    assert "Approved and Denied conditions are mutually exclusive" in both.message
    assert (await call.get(f"{REQUESTS}?fieldSelector=spec.signerName%3Dexample.com/own")).names == ["eve"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"request": "eA=="}, "PEM block type must be CERTIFICATE REQUEST"),
        ({"usages": []}, "spec.usages: Required value"),
        ({"usages": ["world peace"]}, 'spec.usages[0]: Unsupported value: "world peace"'),
        ({"usages": ["client auth", "client auth"]}, 'spec.usages[1]: Duplicate value: "client auth"'),
        ({"signerName": "own"}, 'must be a fully qualified domain and path of the form "example.com/signer-name"'),
        ({"expirationSeconds": 599}, "may not specify a duration less than 600 seconds (10 minutes)"),
    ],
)
async def test_requests_that_are_refused(call: Caller, spec: Any, message: str) -> None:
    answer = await call.post(REQUESTS, signing_request(**spec))
    assert (answer.status, message in answer.message) == (422, True)


async def test_usages_that_the_signer_does_not_sign_for_fail(call: Caller, controllers: Controllers) -> None:
    await call.post(REQUESTS, signing_request(usage="code signing"))
    await decide(call, APPROVED)
    controllers.settle()
    kinds = [one["type"] for one in (await call.get(f"{REQUESTS}/eve")).json["status"]["conditions"]]
    assert kinds == ["Approved", "Failed"]
