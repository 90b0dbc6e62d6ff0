"""What volumes of files show, and to whom."""

from __future__ import annotations

import pytest

from kubelite.errors import not_found
from kubelite.node.environment import Surroundings
from kubelite.node.volume_payload import File, VolumeError, payload_of
from kubelite.objects.meta import Obj
from tests.unit.node.pods import container, pod

NOTHING = Surroundings(find=lambda plural, name: None)


def _token(of: Obj, audience: str, expiration: int) -> str:
    return f"{audience}/{expiration}"


def test_token_expiration_has_a_default() -> None:
    volume = {"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
    assert payload_of(pod(), volume, NOTHING, _token) == {"t": File(b"/3600", 0o644)}


def test_all_that_a_projected_volume_lacks_is_told() -> None:
    sources = [
        {"secret": {"name": "a"}},
        {"configMap": {"name": "b"}},
        {"secret": {"name": "a"}},
        {"configMap": {"name": "c", "optional": True}},
    ]
    with pytest.raises(VolumeError) as failed:
        payload_of(pod(), {"name": "v", "projected": {"sources": sources}}, NOTHING, _token)
    assert str(failed.value) == '[secret "a" not found, configmap "b" not found]'


def test_later_sources_win() -> None:
    objects: dict[str, Obj] = {"a": {"data": {"k": "1", "l": "1"}}, "b": {"data": {"k": "2"}}}
    around = Surroundings(find=lambda plural, name: objects.get(name))
    sources = [{"configMap": {"name": "a"}}, {"configMap": {"name": "b"}}]
    shown = payload_of(pod(), {"name": "v", "projected": {"sources": sources}}, around, _token)
    assert {name: file.content for name, file in shown.items()} == {"k": b"2", "l": b"1"}


def test_token_of_a_service_account_that_is_gone_is_a_volume_error() -> None:
    def token(of: Obj, audience: str, expiration: int) -> str:
        raise not_found("serviceaccounts", "default")

    volume = {"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
    with pytest.raises(VolumeError, match='failed to fetch token: serviceaccounts "default" not found'):
        payload_of(pod(), volume, Surroundings(lambda plural, name: None), token)


@pytest.mark.parametrize(
    ("context", "mode", "owner"),
    [
        ({}, 0o644, None),
        ({"runAsUser": 1000}, 0o600, 1000),
        ({"fsGroup": 2000}, 0o600, None),  # whose rights come with the group
        ({"runAsUser": 1000, "fsGroup": 2000}, 0o600, 1000),
    ],
)
def test_token_is_for_the_pods_user_and_group_alone(context: Obj, mode: int, owner: int | None) -> None:
    volume = {"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
    around = Surroundings(find=lambda plural, name: None)
    assert payload_of(pod(securityContext=context), volume, around, _token) == {"t": File(b"/3600", mode, owner)}
    mixed = pod(container("a", securityContext={"runAsUser": 1}), container("b"), securityContext={"runAsUser": 2})
    assert payload_of(mixed, volume, around, _token)["t"] == File(b"/3600", 0o644)
    debugged = pod(securityContext=context, ephemeralContainers=[container("d", securityContext={"runAsUser": 0})])
    assert payload_of(debugged, volume, around, _token) == {"t": File(b"/3600", mode, owner)}
