"""Service-account tokens over HTTP: requests, what they are bound to, reviews, secrets, discovery."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kubelite.api import authn
from kubelite.controllers.accounttokens import AccountTokens
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.pki import Authority
from kubelite.registry.registry import Registry
from kubelite.tokens import ISSUER, TokenAuthority
from tests.unit.api.caller import CORE, Caller, pod
from tests.unit.conftest import Controllers, Recorded

REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
EXTRA = "authentication.kubernetes.io"


async def ask(call: Caller, **spec: Any) -> Any:
    return await call.post(f"{CORE}/serviceaccounts/default/token", {"spec": spec})


async def review(call: Caller, token: str, *audiences: str) -> Obj:
    answer = await call.post(REVIEWS, {"spec": {"token": token, "audiences": list(audiences)}})
    status: Obj = answer.json["status"]
    return status


def claims(token: str) -> Obj:
    return jwt.decode(token, options={"verify_signature": False})


async def test_a_request_is_answered_with_what_it_left_out(call: Caller) -> None:
    answer = (await ask(call)).json
    assert answer["metadata"]["name"] == "default"
    assert (answer["spec"]["audiences"], answer["spec"]["expirationSeconds"]) == ([ISSUER], 3600)
    told = claims(answer["status"]["token"])
    assert told["exp"] - told["iat"] == 3600
    assert told["jti"]


@pytest.mark.parametrize(
    ("ref", "code", "message"),
    [
        ({"kind": "Pod", "name": "none"}, 404, 'pods "none" not found'),
        ({"kind": "Pod", "name": "p", "uid": "other"}, 409, "does not match the UID in record"),
        ({"kind": "Pod", "name": "foreign"}, 400, "to pod running with different serviceaccount name."),
        ({"kind": "ConfigMap", "apiVersion": "v1", "name": "c"}, 400, "cannot bind token for serviceaccount to object"),
    ],
)
async def test_a_token_is_not_bound_to_anything(
    call: Caller, registry: Registry, ref: Obj, code: int, message: str
) -> None:
    registry.create("serviceaccounts", {"metadata": {"name": "other", "namespace": "default"}})
    for name, account in (("p", "default"), ("foreign", "other")):
        metadata = {"name": name, "namespace": "default"}
        registry.create("pods", {"metadata": metadata, "spec": {**pod()["spec"], "serviceAccountName": account}})
    answer = await ask(call, boundObjectRef=ref)
    assert answer.status == code
    assert message in answer.message


async def test_a_pods_token_tells_of_pod_and_node(call: Caller, registry: Registry) -> None:
    node = registry.create("nodes", {"metadata": {"name": "n"}})
    spec = {**pod()["spec"], "nodeName": "n"}
    made = registry.create("pods", {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    token = (await ask(call, boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "p"})).json["status"]["token"]
    private = claims(token)["kubernetes.io"]
    assert private["pod"] == {"name": "p", "uid": meta.uid(made)}
    assert private["node"] == {"name": "n", "uid": meta.uid(node)}
    extra = (await review(call, token))["user"]["extra"]
    assert extra[f"{EXTRA}/pod-name"] == ["p"]
    assert extra[f"{EXTRA}/node-uid"] == [meta.uid(node)]
    assert extra[f"{EXTRA}/credential-id"] == [f"JTI={claims(token)['jti']}"]
    registry.delete("pods", "default", "p", grace=0)
    assert (await review(call, token))["error"] == "invalid bearer token"


async def test_a_token_is_good_for_another_minute_where_its_pod_cannot_go(
    call: Caller, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = {"name": "p", "namespace": "default", "finalizers": ["example.com/held"]}
    registry.create("pods", {"metadata": metadata, "spec": pod()["spec"]})
    token = (await ask(call, boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "p"})).json["status"]["token"]
    registry.delete("pods", "default", "p", grace=0)
    deleted = meta.parse_time(registry.get("pods", "default", "p")["metadata"]["deletionTimestamp"])
    for seconds, good in ((59, True), (61, False)):
        monkeypatch.setattr(authn, "_now", lambda seconds=seconds: deleted + timedelta(seconds=seconds))
        assert bool((await review(call, token)).get("authenticated")) == good


async def test_a_pods_own_token_outlives_what_it_says(registry: Registry, tokens: TokenAuthority) -> None:
    made = registry.create("pods", {"metadata": {"name": "p", "namespace": "default"}, "spec": pod()["spec"]})
    told = claims(tokens.issue(registry.get("serviceaccounts", "default", "default"), bound_to=made).text)
    assert told["exp"] - told["iat"] == 365 * 24 * 3600
    assert told["kubernetes.io"]["warnafter"] - told["iat"] == 3607


async def test_a_token_for_somebody_else_is_good_there_alone(call: Caller) -> None:
    token = (await ask(call, audiences=["vault", "bank"])).json["status"]["token"]
    assert (await review(call, token, "bank", "shop"))["audiences"] == ["bank"]
    assert "error" in await review(call, token)
    assert (await call.get(f"{CORE}/pods", Authorization=f"Bearer {token}")).status == 401


async def test_anybody_can_check_a_token_by_the_published_key(call: Caller) -> None:
    found = await call.get("/.well-known/openid-configuration")
    assert found.json["issuer"] == ISSUER
    assert found.json["jwks_uri"] == "https://127.0.0.1:6443/openid/v1/jwks"
    assert (await call.anonymous("/openid/v1/jwks")).status == 401
    keys = jwt.PyJWKSet.from_dict((await call.get("/openid/v1/jwks")).json)
    token = (await ask(call, audiences=["me"])).json["status"]["token"]
    (key,) = keys.keys
    assert jwt.get_unverified_header(token)["kid"] == key.key_id
    assert jwt.decode(token, key.key, algorithms=["ES256"], audience="me")["iss"] == ISSUER


async def test_a_secret_gets_its_accounts_token(
    call: Caller, registry: Registry, tokens: TokenAuthority, recorded: Recorded
) -> None:
    controllers = Controllers(registry, AccountTokens(registry, recorded, "CA", tokens.issue_for_secret))
    metadata = {"namespace": "default", "annotations": {"kubernetes.io/service-account.name": "default"}}
    kind = "kubernetes.io/service-account-token"
    registry.create("secrets", {"metadata": metadata | {"name": "t"}, "type": kind})
    controllers.settle()
    secret = registry.get("secrets", "default", "t")
    account = registry.get("serviceaccounts", "default", "default")
    assert meta.annotations(secret)["kubernetes.io/service-account.uid"] == meta.uid(account)
    data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    assert (data["ca.crt"], data["namespace"]) == ("CA", "default")
    assert (await call.get(f"{CORE}/pods", Authorization=f"Bearer {data['token']}")).status == 200
    assert (await review(call, data["token"]))["user"]["username"] == "system:serviceaccount:default:default"
    registry.delete("secrets", "default", "t")
    assert (await review(call, data["token"]))["error"] == "invalid bearer token"


def test_a_token_secret_goes_with_its_account(registry: Registry, tokens: TokenAuthority, recorded: Recorded) -> None:
    controllers = Controllers(registry, AccountTokens(registry, recorded, "CA", tokens.issue_for_secret))
    for name in ("default", "nobody"):
        metadata = {"name": name, "namespace": "default", "annotations": {"kubernetes.io/service-account.name": name}}
        registry.create("secrets", {"metadata": metadata, "type": "kubernetes.io/service-account-token"})
    controllers.settle()
    assert [meta.name(secret) for secret in registry.list("secrets")] == ["default"]
    registry.delete("serviceaccounts", "default", "default")
    controllers.settle()
    assert registry.list("secrets") == []


def test_a_new_clusters_key_is_of_the_usual_kind_and_an_old_one_stays(registry: Registry, tmp_path: Path) -> None:
    account = registry.get("serviceaccounts", "default", "default")
    keys = Authority(tmp_path).service_account_key()
    made = TokenAuthority(keys)
    text = made.issue(account).text
    assert jwt.get_unverified_header(text)["alg"] == "RS256"
    (public,) = made.keys()["keys"]
    assert {"kty", "n", "e", "alg", "use", "kid"} == set(public)
    assert jwt.decode(text, jwt.PyJWK(public).key, algorithms=["RS256"], audience=ISSUER)["iss"] == ISSUER
    assert TokenAuthority(Authority(tmp_path).service_account_key()).verify(text) is not None
    old = ec.generate_private_key(ec.SECP256R1())
    pem = old.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "sa.key").write_bytes(pem)
    kept = TokenAuthority(Authority(tmp_path).service_account_key())
    assert jwt.get_unverified_header(kept.issue(account).text)["alg"] == "ES256"
