"""Addresses of pods: a pure allocator over the pod network; the composition root hands one to the kubelet.

The network's first addresses are reserved (gateway .1, the DNS pod .2, others that pods pin); dynamic ones start at
.16. The least recently used address goes out first, so that a client holding an old address doesn't meet a new pod.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv4Address, IPv4Network

FIRST_DYNAMIC = 16


class AddressTaken(ValueError):
    """The wanted address belongs to another pod."""


class AddressesExhausted(ValueError):
    """Every address of the network is in use."""


class Allocator:
    """Who (a pod's uid) has which address. Nothing is stored: the kubelet reserves what runs when it starts."""

    def __init__(self, network: IPv4Network) -> None:
        self._network = network
        self._owners: dict[IPv4Address, str] = {}
        self._addresses: dict[str, IPv4Address] = {}
        self._fresh = FIRST_DYNAMIC
        self._released: OrderedDict[IPv4Address, None] = OrderedDict()

    def allocate(self, owner: str, wanted: str = "") -> str:
        """The owner's address: the one it has, else the wanted one, else the least recently used one."""
        if owner in self._addresses:
            return str(self._addresses[owner])
        address = self._claimable(wanted) if wanted else self._next()
        self._assign(owner, address)
        return str(address)

    def reserve(self, owner: str, address: str) -> bool:
        """Note that a running pod has the address; False when it lies outside or another pod has it."""
        wanted = IPv4Address(address)
        if wanted not in self._network or self._owners.get(wanted, owner) != owner:
            return False
        self._assign(owner, wanted)
        return True

    def release(self, owner: str) -> None:
        address = self._addresses.pop(owner, None)
        if address is not None:
            del self._owners[address]
            if self._is_dynamic(address):
                self._released[address] = None

    def _assign(self, owner: str, address: IPv4Address) -> None:
        self.release(owner)
        self._released.pop(address, None)
        self._owners[address] = owner
        self._addresses[owner] = address

    def _claimable(self, wanted: str) -> IPv4Address:
        address = IPv4Address(wanted)
        if address not in self._network or address in (self._network[0], self._network[1], self._network[-1]):
            raise AddressTaken(f"address {wanted} is not usable in {self._network}")
        if address in self._owners:
            raise AddressTaken(f"address {wanted} is in use by pod {self._owners[address]}")
        return address

    def _next(self) -> IPv4Address:
        while self._fresh < self._network.num_addresses - 1:
            address = self._network[self._fresh]
            self._fresh += 1
            if address not in self._owners and address not in self._released:
                return address
        if self._released:
            return next(iter(self._released))
        raise AddressesExhausted(f"no free address in {self._network}")

    def _is_dynamic(self, address: IPv4Address) -> bool:
        return int(address) - int(self._network.network_address) >= FIRST_DYNAMIC
