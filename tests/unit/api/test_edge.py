"""What comes before any resource: paths, methods, forms of answers, who asks, health."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
import yaml
from aiohttp.test_utils import make_mocked_request

from kubelite.api.authn import Authenticator
from kubelite.api.health import report
from kubelite.registry.registry import Registry
from kubelite.tokens import TokenAuthority
from tests.unit.api.caller import CORE, Caller, config_map

MAPS = f"{CORE}/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    "path",
    [
        "/apis/apps/v1/namespaces/default/configmaps",
        f"{CORE}/widgets",
        f"{CORE}/nodes",
        "/api/v2/pods",
        "/apis/example.com/v1/pods",
        "/apis/example.com",
        "/apis/apps/v2",
        "/api/v2",
        f"{MAPS}/a/nothing",
        "/api/v1/configmaps/a",
        "/nothing",
    ],
)
async def test_paths_that_nobody_serves(call: Caller, path: str) -> None:
    answer = await call.get(path)
    assert (answer.status, answer.json["reason"]) == (404, "NotFound")
    assert answer.message == "the server could not find the requested resource"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", MAPS),
        ("PATCH", MAPS),
        ("POST", f"{MAPS}/a"),
        ("OPTIONS", MAPS),
        ("DELETE", f"{CORE}/pods/a/log"),
        ("GET", f"{CORE}/pods/a/binding"),
    ],
)
async def test_methods_that_a_path_does_not_know(call: Caller, method: str, path: str) -> None:
    answer = await call(method, path)
    assert (answer.status, answer.json["reason"]) == (405, "MethodNotAllowed")
    assert answer.message == "the server does not allow this method on the requested resource"


async def test_head_is_a_read_without_its_body(call: Caller) -> None:
    await call.post(MAPS, config_map())
    answer = await call("HEAD", f"{MAPS}/a")
    assert (answer.status, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "ConfigMap"),
        ("*/*", "ConfigMap"),
        ("application/json, */*", "ConfigMap"),
        ("application/vnd.kubernetes.protobuf,application/json", "ConfigMap"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "ConfigMap"),
        (f"{TABLE},application/json", "Table"),
        (f"application/json;q=0.5,{TABLE}", "Table"),
        (f"{TABLE};q=0.5,application/json", "ConfigMap"),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", "ConfigMap"),
        ("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "PartialObjectMetadata"),
    ],
)
async def test_the_best_form_that_is_served(call: Caller, accept: str, kind: str) -> None:
    await call.post(MAPS, config_map())
    assert (await call.get(f"{MAPS}/a", Accept=accept)).json["kind"] == kind


@pytest.mark.parametrize("accept", ["text/html", "application/json;as=Thing;v=v1;g=x", "application/cbor"])
async def test_forms_that_are_not_served(call: Caller, accept: str) -> None:
    answer = await call.get(MAPS, Accept=accept)
    assert (answer.status, answer.json["reason"]) == (406, "NotAcceptable")
    assert answer.message.startswith("only the following media types are accepted: application/json, application/yaml")


async def test_yaml_for_who_wants_it(call: Caller) -> None:
    await call.post(MAPS, config_map())
    answer = await call.get(f"{MAPS}/a", Accept="application/yaml")
    assert answer.headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(answer.content)["data"] == {"k": "v"}
    assert yaml.safe_load((await call.get(MAPS, Accept="application/yaml")).content)["kind"] == "ConfigMapList"


@pytest.mark.parametrize(
    ("include", "present"), [("", {"kind", "apiVersion", "metadata"}), ("Object", {"data"}), ("None", set())]
)
async def test_rows_carry_what_was_asked_for(call: Caller, include: str, present: set[str]) -> None:
    await call.post(MAPS, config_map())
    for path in (MAPS, f"{MAPS}/a"):
        answer = (await call.get(f"{path}?includeObject={include}", Accept=TABLE)).json
        assert (answer["kind"], answer["apiVersion"]) == ("Table", "meta.k8s.io/v1")
        (row,) = answer["rows"]
        assert row["cells"][:2] == ["a", 1]
        assert present <= set(row.get("object", {}))
        assert ("object" in row) is (include != "None")


async def test_metadata_of_a_list(call: Caller) -> None:
    await call.post(MAPS, config_map())
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    answer = (await call.get(MAPS, Accept=accept)).json
    assert (answer["kind"], answer["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert [set(item) for item in answer["items"]] == [{"kind", "apiVersion", "metadata"}]


async def test_created_and_changed_objects_as_tables(call: Caller) -> None:
    assert (await call.post(MAPS, config_map(), Accept=TABLE)).json["rows"][0]["cells"][0] == "a"
    assert (await call.patch(f"{MAPS}/a", {"data": {"n": "w"}}, Accept=TABLE)).json["rows"][0]["cells"][1] == 2


async def test_nobody_is_refused(call: Caller) -> None:
    for path in (MAPS, "/api", "/apis", "/openapi/v3", "/"):
        answer = await call.anonymous(path)
        assert (answer.status, answer.json["reason"], answer.message) == (401, "Unauthorized", "Unauthorized")


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
async def test_bad_tokens_are_refused(call: Caller, token: str) -> None:
    assert (await call.get(MAPS, Authorization=f"Bearer {token}")).status == 401


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
async def test_scheme_of_a_token_is_in_any_case(call: Caller, scheme: str) -> None:
    token = call.headers["Authorization"].removeprefix("Bearer ")
    assert (await call.get(MAPS, Authorization=f"{scheme} {token}")).status == 200
    assert (await call.get(MAPS, Authorization=f"Basic {token}")).status == 401


def test_certificate_goes_before_a_token(registry: Registry, tokens: TokenAuthority) -> None:
    connection = Mock()
    connection.get_extra_info.return_value = {"subject": ((("commonName", "admin"),), (("organizationName", "g"),))}
    request = make_mocked_request("GET", "/api", headers={"Authorization": "Bearer bad"}, transport=connection)
    user = Authenticator(registry, tokens).user(request)
    assert (user.name, user.groups) == ("admin", ("g", "system:authenticated"))


async def test_tokens_die_with_their_account(call: Caller, registry: Registry) -> None:
    registry.delete("serviceaccounts", "default", "default")
    assert (await call.get(MAPS)).status == 401


async def test_tokens_die_with_their_pod(call: Caller, registry: Registry, tokens: TokenAuthority) -> None:
    account = registry.get("serviceaccounts", "default", "default")
    made = {"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    token = tokens.issue(account, bound_to=registry.create("pods", made)).text
    assert (await call.get(MAPS, Authorization=f"Bearer {token}")).status == 200
    registry.delete("pods", "default", "p")
    assert (await call.get(MAPS, Authorization=f"Bearer {token}")).status == 401


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/version"])
async def test_health_and_version_are_open(call: Caller, path: str) -> None:
    assert (await call.anonymous(path)).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
async def test_health_in_detail(call: Caller, path: str) -> None:
    answer = await call.anonymous(f"{path}?verbose=1")
    lines = answer.content.decode().splitlines()
    assert {"[+]ping ok", "[+]etcd ok", "[+]poststarthook/crd-informer-synced ok"} <= set(lines)
    assert lines[-1] == f"{path[1:]} check passed"
    assert (await call.anonymous(path)).content == b"ok"


@pytest.mark.parametrize("path", ["/version", "/healthz", "/api"])
async def test_a_bad_token_is_refused_everywhere(call: Caller, path: str) -> None:
    assert (await call.get(path, Authorization="Bearer abc")).status == 401


async def test_health_check_by_check(call: Caller) -> None:
    assert (await call.anonymous("/livez/etcd")).content == b"ok"
    assert (await call.anonymous("/readyz/poststarthook/rbac/bootstrap-roles")).content == b"ok"
    assert (await call.anonymous("/livez/nothing")).status == 404
    assert b'kubernetes_healthcheck{name="etcd",type="livez"} 1\n' in (await call.get("/metrics/slis")).content


def test_a_report_of_what_fails_and_what_is_left_out() -> None:
    results = {"ping": None, "etcd": None, "dns": "no ready endpoint"}
    assert report("readyz", results, ["etcd", "x"]).splitlines() == [
        "[+]ping ok",
        "[+]etcd excluded: ok",
        "[-]dns failed: no ready endpoint",
        'warn: some health checks cannot be excluded: no matches for "x"',
        "readyz check failed",
    ]


async def test_metrics_count_requests_and_objects(call: Caller) -> None:
    await call.post(MAPS, config_map())
    await call.get(f"{MAPS}/nothing")
    lines = (await call.get("/metrics")).content.decode().splitlines()
    assert 'apiserver_storage_objects{resource="configmaps"} 1' in lines
    labels = 'group="",resource="configmaps",scope="resource",subresource="",verb="GET",version="v1"'
    assert f'apiserver_request_total{{code="404",{labels}}} 1' in lines


@pytest.mark.parametrize(("asked", "status"), [("0s", 200), ("3m", 200), ("1h1.5s", 200), ("invalid", 400), ("5", 400)])
@pytest.mark.parametrize("path", ["/version", MAPS])
async def test_timeouts_are_durations(call: Caller, path: str, asked: str, status: int) -> None:
    answer = await call.get(f"{path}?timeout={asked}")
    assert answer.status == status
    assert status == 200 or answer.message.startswith("invalid timeout specified in the request URL")


async def test_the_first_version_of_tables_is_still_spoken(call: Caller) -> None:
    await call.post(MAPS, config_map())
    table = (await call.get(MAPS, Accept="application/json;as=Table;v=v1beta1;g=meta.k8s.io")).json
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1beta1")
    assert table["rows"][0]["object"]["apiVersion"] == "meta.k8s.io/v1beta1"


async def test_the_root_lists_paths(call: Caller) -> None:
    paths = (await call.get("/")).json["paths"]
    assert {"/api/v1", "/apis/apps", "/healthz", "/openapi/v3", "/version"} <= set(paths)
