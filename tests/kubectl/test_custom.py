"""Kinds that are declared at run time, and certificates that are asked for."""

from __future__ import annotations

import base64
import json

from tests.kubectl.shell import Shell
from tests.unit.certificates import signing_request
from tests.unit.customresources import SCALE, crontab, definition, version

COLUMNS = [
    {"name": "Cron", "type": "string", "jsonPath": ".spec.cron"},
    {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
]


def test_a_custom_kind_from_its_declaration_to_its_end(shell: Shell) -> None:
    group = f"{shell.view.namespace}.example.com"
    declared = version(subresources={"status": {}, "scale": SCALE}, additionalPrinterColumns=COLUMNS)
    resource = f"crontabs.{group}"
    shell.ok(f"create -f {shell.file('definition.json', json.dumps(definition(declared, group=group)))}")
    shell.ok(f"wait --for=condition=Established crd/{resource} --timeout=20s")
    one = {**crontab(cron="0 * * * *"), "apiVersion": f"{group}/v1"}
    manifest = shell.file("one.json", json.dumps(one))
    assert shell.ok(f"apply -f {manifest}") == f"crontab.{group}/one created\n"
    assert shell.ok(f"apply -f {manifest}") == f"crontab.{group}/one unchanged\n"
    assert shell.ok(f"get {resource}").splitlines() == ["NAME   CRON        REPLICAS", "one    0 * * * *   1"]
    assert "scaled" in shell.ok(f"scale {resource} one --replicas=3")
    assert shell.ok(f"get {resource} one -o jsonpath={{.spec.replicas}}") == "3"
    assert "replicas" in shell.ok(f"explain crontabs.spec --api-version={group}/v1")
    wrong = shell.fails(f"""patch {resource} one --type=merge -p '{{"spec":{{"replicas":"many"}}}}'""")
    assert 'spec.replicas in body must be of type integer: "string"' in wrong
    assert "deleted" in shell.ok(f"delete crd {resource}")
    assert "NotFound" in shell.fails(f"get crd {resource}")


def test_a_certificate_is_asked_for_approved_and_issued(shell: Shell) -> None:
    name = f"{shell.view.namespace}-eve"
    asked = signing_request() | {"metadata": {"name": name}}
    shell.ok(f"create -f {shell.file('request.json', json.dumps(asked))}")
    assert shell.rows(f"get csr {name}")[0][-1] == "Pending"
    shell.ok(f"certificate approve {name}")
    shell.eventually(lambda: shell.rows(f"get csr {name}")[0][-1] == "Approved,Issued")
    issued = base64.b64decode(shell.ok(f"get csr {name} -o jsonpath={{.status.certificate}}"))
    assert issued.startswith(b"-----BEGIN CERTIFICATE-----")
    shell.ok(f"delete csr {name}")
