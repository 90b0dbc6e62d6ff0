"""How much of a resolv.conf the C library reads. PURE; called by the pod's set-up.

Follows upstream's `kubelet/network/dns` (formDNSConfigFitsLimits): what is too much is left out, and that is told.
"""

from __future__ import annotations

from dataclasses import replace

from kubelite.node.pod_files import Resolver

MAX_NAMESERVERS = 3
MAX_SEARCHES = 32
MAX_SEARCH = 253  # characters of one
MAX_SEARCH_LINE = 2048

_SERVERS_CUT = "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
_SEARCHES_CUT = "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "


def fitted(wanted: Resolver) -> tuple[Resolver, list[str]]:
    """What there is room for, and the warnings about the rest."""
    servers = wanted.nameservers[:MAX_NAMESERVERS]
    searches = _room_for(tuple(name for name in wanted.searches[:MAX_SEARCHES] if len(name) <= MAX_SEARCH))
    warnings = []
    if servers != wanted.nameservers:
        warnings.append(_SERVERS_CUT + " ".join(servers))
    if searches != wanted.searches:
        warnings.append(_SEARCHES_CUT + " ".join(searches))
    return replace(wanted, nameservers=servers, searches=searches), warnings


def _room_for(searches: tuple[str, ...]) -> tuple[str, ...]:
    """The first of them, as many as the line holds."""
    while len(" ".join(searches)) > MAX_SEARCH_LINE:
        searches = searches[:-1]
    return searches
