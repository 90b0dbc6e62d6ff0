"""What of a resolver has no room in resolv.conf."""

from __future__ import annotations

from kubelite.node.pod_files import Resolver
from kubelite.node.resolver_limits import fitted

SERVERS = ("1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4")


def test_what_fits_stays_as_it_is() -> None:
    wanted = Resolver(SERVERS[:3], ("a.b", "c"), ("ndots:5",))
    assert fitted(wanted) == (wanted, [])


def test_fourth_server_and_thirty_third_search_are_left_out() -> None:
    searches = tuple(f"s{index}" for index in range(33))
    found, warnings = fitted(Resolver(SERVERS, searches))
    assert (found.nameservers, found.searches) == (SERVERS[:3], searches[:32])
    assert warnings == [
        "Nameserver limits were exceeded, some nameservers have been omitted, "
        "the applied nameserver line is: 1.1.1.1 1.1.1.2 1.1.1.3",
        "Search Line limits were exceeded, some search paths have been omitted, "
        f"the applied search line is: {' '.join(searches[:32])}",
    ]


def test_search_line_has_two_thousand_and_forty_eight_characters() -> None:
    exact = ("x" * 204, *(character * 204 for character in "bcdefghi"), "k" * 203)  # 2048 with the blanks between
    assert fitted(Resolver((), exact))[1] == []
    found, warnings = fitted(Resolver((), (*exact[:-1], "k" * 204)))
    assert found.searches == exact[:-1]
    assert len(warnings) == 1


def test_search_that_is_no_name_is_left_out() -> None:
    found, warnings = fitted(Resolver((), ("a", "b" * 254, "c")))
    assert found.searches == ("a", "c")
    assert warnings[0].endswith("the applied search line is: a c")
