from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from kubelite.net.ipam import AddressesExhausted, AddressTaken, Allocator

NETWORK = IPv4Network("172.30.0.0/27")  # dynamic: .16 to .30


def test_addresses_start_at_sixteen_and_stay_with_their_owner() -> None:
    pool = Allocator(NETWORK)
    assert pool.allocate("a") == "172.30.0.16"
    assert pool.allocate("b") == "172.30.0.17"
    assert pool.allocate("a") == "172.30.0.16"


def test_released_address_is_the_last_to_be_used_again() -> None:
    pool = Allocator(NETWORK)
    for owner in range(15):
        pool.allocate(str(owner))
    with pytest.raises(AddressesExhausted):
        pool.allocate("one too many")
    pool.release("3")
    pool.release("1")
    assert pool.allocate("x") == "172.30.0.19"
    assert pool.allocate("y") == "172.30.0.17"


def test_fresh_addresses_come_before_released_ones() -> None:
    pool = Allocator(NETWORK)
    pool.allocate("a")
    pool.release("a")
    assert pool.allocate("b") == "172.30.0.17"


def test_pinned_address_is_given_once() -> None:
    pool = Allocator(NETWORK)
    assert pool.allocate("dns", "172.30.0.2") == "172.30.0.2"
    with pytest.raises(AddressTaken):
        pool.allocate("other", "172.30.0.2")
    pool.release("dns")
    assert pool.allocate("other", "172.30.0.2") == "172.30.0.2"


@pytest.mark.parametrize("wanted", ["172.30.0.0", "172.30.0.1", "172.30.0.31", "10.0.0.1"])
def test_addresses_of_the_network_itself_are_refused(wanted: str) -> None:
    with pytest.raises(AddressTaken):
        Allocator(NETWORK).allocate("a", wanted)


def test_running_pods_keep_what_they_have() -> None:
    pool = Allocator(NETWORK)
    assert pool.reserve("a", "172.30.0.16")
    assert pool.reserve("a", "172.30.0.16")
    assert not pool.reserve("b", "172.30.0.16")
    assert not pool.reserve("b", "10.0.0.1")
    assert pool.allocate("b") == "172.30.0.17"
    assert pool.allocate("a") == "172.30.0.16"
