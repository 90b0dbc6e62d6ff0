"""What the proxy knows, and which Services it has to look at again."""

from __future__ import annotations

from kubelite.net.proxy.index import Index
from kubelite.net.proxy.model import Endpoint, Service, Slice

WEB = ("prod", "web")
DB = ("prod", "db")


def part(service: tuple[str, str], *addresses: str, name: str = "part") -> Slice:
    return Slice(("prod", name), service, tuple(map(Endpoint, addresses)))


def test_synced_when_every_kind_was_listed() -> None:
    index = Index()
    assert not index.synced
    assert index.replace(Service, [])
    assert not index.synced
    assert index.replace(Slice, [])
    assert index.synced
    assert not index.replace(Slice, [])


def test_change_touches_its_service_once() -> None:
    index = Index()
    assert index.put(Service(WEB))
    assert index.put(part(WEB, "172.30.0.5"))
    assert index.touched() == [WEB]
    assert index.touched() == []
    assert not index.put(Service(WEB))
    assert index.touched() == []


def test_slices_are_found_by_service() -> None:
    index = Index()
    index.put(part(WEB, "172.30.0.5", name="one"))
    index.put(part(WEB, "172.30.0.6", name="two"))
    assert [each.key[1] for each in index.slices(WEB)] == ["one", "two"]
    assert index.slices(DB) == []


def test_slice_that_changes_service_touches_both() -> None:
    index = Index()
    index.put(part(WEB, "172.30.0.5"))
    index.touched()
    index.put(part(DB, "172.30.0.5"))
    assert index.touched() == [WEB, DB]
    assert index.slices(WEB) == []


def test_list_drops_what_it_lacks() -> None:
    index = Index()
    index.put(Service(WEB))
    index.put(Service(DB))
    index.touched()
    assert index.replace(Service, [Service(DB)])
    assert index.touched() == [WEB]
    assert index.service(WEB) is None
    assert index.service(DB) == Service(DB)


def test_dropping_the_unknown_changes_nothing() -> None:
    index = Index()
    assert not index.drop(Service, WEB)
    assert index.touched() == []
