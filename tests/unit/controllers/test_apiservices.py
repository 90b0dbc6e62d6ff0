"""APIServices of what is served, and of what isn't."""

from __future__ import annotations

import pytest

from kubelite.controllers.apiservices import MANAGED, ApiServices
from kubelite.controllers.customresources import CustomResourceController
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.apiservice import API_SERVICE
from kubelite.registry.registry import Registry
from tests.unit.conftest import Controllers, Recorded
from tests.unit.customresources import GROUP, RESOURCE, definition, version

REMOTE = f"v1.{GROUP}"


async def unasked(service: Obj) -> tuple[str, str, str]:
    raise AssertionError("there is nobody to ask")


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded) -> Controllers:
    made = Controllers(
        registry,
        ApiServices(registry, recorded, registry.built_in, unasked),
        CustomResourceController(registry, recorded),
    )
    made.settle()
    return made


def remote(**more: object) -> Obj:
    spec = {"group": GROUP, "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 15}
    service = {"service": {"namespace": "default", "name": "api"}}
    return {"metadata": {"name": REMOTE}, "spec": {**spec, **service, **more}}


def available(registry: Registry, name: str) -> tuple[str, str]:
    conditions = registry.get("apiservices", None, name)["status"]["conditions"]
    condition = meta.condition(conditions, "Available") or {}
    return condition["status"], condition["reason"]


def test_every_group_and_version_has_one(registry: Registry, controllers: Controllers) -> None:
    served = {f"{kind.version}.{kind.group}" for kind in registry.kinds}
    names = {meta.name(one) for one in registry.list("apiservices")}
    reviews = {"v1.authentication.k8s.io", "v1.authorization.k8s.io", "v1beta1.metrics.k8s.io"}
    assert names == (served | reviews) - {"v1.apiregistration.k8s.io"}
    assert {available(registry, name) for name in names} == {("True", "Local")}
    apps = registry.get("apiservices", None, "v1.apps")
    assert apps["spec"] == {"group": "apps", "version": "v1", "groupPriorityMinimum": 17800, "versionPriority": 15}
    assert meta.labels(apps) == {MANAGED: "onstart"}
    assert API_SERVICE.row is not None
    assert API_SERVICE.row(apps, registry.now()) == ["v1.apps", "Local", "True", "0s"]


def test_those_of_definitions_come_and_go(registry: Registry, controllers: Controllers) -> None:
    registry.create("customresourcedefinitions", definition(version(), version("v2")))
    controllers.settle()
    assert meta.labels(registry.get("apiservices", None, REMOTE)) == {MANAGED: "true"}
    assert available(registry, f"v2.{GROUP}") == ("True", "Local")
    registry.delete("customresourcedefinitions", None, RESOURCE)
    controllers.settle()
    assert registry.find("apiservices", None, REMOTE) is registry.find("apiservices", None, f"v2.{GROUP}") is None


async def test_another_api_server_is_asked_now_and_then(registry: Registry, recorded: Recorded) -> None:
    found = [("False", "MissingEndpoints", "no"), ("True", "Passed", "yes")]

    async def check(service: Obj) -> tuple[str, str, str]:
        assert meta.name(service) == REMOTE
        return found[0]

    controller = ApiServices(registry, recorded, [], check)
    made = registry.create("apiservices", remote())
    assert made["spec"]["service"]["port"] == 443
    assert controller.reconcile((None, "gone")) is None
    for expected in ("False", "MissingEndpoints"), ("True", "Passed"):
        looked = controller.reconcile((None, REMOTE))
        assert looked is not None
        assert await looked == 30
        assert available(registry, REMOTE) == expected
        found.pop(0)
    assert API_SERVICE.row is not None
    row = API_SERVICE.row(registry.get("apiservices", None, REMOTE), registry.now())
    assert row[1:3] == ["default/api", "True"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"version": "v2"}, r'must be `spec.version\+"."\+spec.group`: "v2.stable.example.com"'),
        ({"group": ""}, "spec.group: Required value: only v1 may have an empty group|must be `spec.version"),
        ({"groupPriorityMinimum": 0}, "spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 2"),
        ({"versionPriority": 1001}, "spec.versionPriority: Invalid value: 1001: must be positive and less than 1000"),
        ({"service": None, "caBundle": "YQ=="}, "local APIServices may not have a caBundle"),
        ({"service": {"name": "a"}}, "spec.service.namespace: Required value"),
        ({"insecureSkipTLSVerify": True, "caBundle": "YQ=="}, "may not be true if caBundle is present"),
    ],
)
def test_they_are_checked(more: Obj, text: str, registry: Registry) -> None:
    with pytest.raises(StatusError, match=text):
        registry.create("apiservices", remote(**more))
