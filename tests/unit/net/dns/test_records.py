"""What each name answers, as zone-file lines: the Kubernetes DNS specification and what CoreDNS adds to it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from kubelite.net.dns.index import Index
from kubelite.net.dns.records import Answer, Zone, resolve

SOA = "cluster.local. 0 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 100 7200 1800 86400 0"

ANSWERS = """
    web.prod.svc.cluster.local A
        web.prod.svc.cluster.local. 5 IN A 10.254.0.10

    # a service port without a ready endpoint still has its cluster IP; so has one without ports
    portless.prod.svc.cluster.local A
        portless.prod.svc.cluster.local. 5 IN A 10.254.0.13
    many.prod.svc.cluster.local A
        many.prod.svc.cluster.local. 5 IN A 10.254.0.11

    # dual stack: each family on its own
    six.prod.svc.cluster.local AAAA
        six.prod.svc.cluster.local. 5 IN AAAA fd00:10::1
    both.prod.svc.cluster.local A
        both.prod.svc.cluster.local. 5 IN A 10.254.0.14
    both.prod.svc.cluster.local AAAA
        both.prod.svc.cluster.local. 5 IN AAAA fd00:10::14

    # named ports
    _http._tcp.web.prod.svc.cluster.local SRV
        _http._tcp.web.prod.svc.cluster.local. 5 IN SRV 0 100 80 web.prod.svc.cluster.local.
        + web.prod.svc.cluster.local. 5 IN A 10.254.0.10
    _stat._udp.many.prod.svc.cluster.local SRV
        _stat._udp.many.prod.svc.cluster.local. 5 IN SRV 0 100 8125 many.prod.svc.cluster.local.
        + many.prod.svc.cluster.local. 5 IN A 10.254.0.11
    _http._tcp.web.prod.svc.cluster.local A
        _http._tcp.web.prod.svc.cluster.local. 5 IN A 10.254.0.10

    # without a port: all of them
    many.prod.svc.cluster.local SRV
        many.prod.svc.cluster.local. 5 IN SRV 0 50 80 many.prod.svc.cluster.local.
        many.prod.svc.cluster.local. 5 IN SRV 0 50 8125 many.prod.svc.cluster.local.
        + many.prod.svc.cluster.local. 5 IN A 10.254.0.11
    both.prod.svc.cluster.local SRV
        both.prod.svc.cluster.local. 5 IN SRV 0 50 80 both.prod.svc.cluster.local.
        + both.prod.svc.cluster.local. 5 IN A 10.254.0.14
        + both.prod.svc.cluster.local. 5 IN AAAA fd00:10::14

    # headless: the ready endpoints of all slices, once each
    peers.prod.svc.cluster.local A
        peers.prod.svc.cluster.local. 5 IN A 172.30.0.20
        peers.prod.svc.cluster.local. 5 IN A 172.30.0.21
        peers.prod.svc.cluster.local. 5 IN A 172.30.0.22
        peers.prod.svc.cluster.local. 5 IN A 172.30.0.24
        peers.prod.svc.cluster.local. 5 IN A 172.30.0.25
    peers.prod.svc.cluster.local AAAA
        peers.prod.svc.cluster.local. 5 IN AAAA fd00:30::5
        peers.prod.svc.cluster.local. 5 IN AAAA fd00:30::
    loose.prod.svc.cluster.local A
        loose.prod.svc.cluster.local. 5 IN A 172.30.0.30

    # endpoints: by host name, else by dashed address; two may share a host name
    peer-0.peers.prod.svc.cluster.local A
        peer-0.peers.prod.svc.cluster.local. 5 IN A 172.30.0.20
    172-30-0-22.peers.prod.svc.cluster.local A
        172-30-0-22.peers.prod.svc.cluster.local. 5 IN A 172.30.0.22
    fd00-30--5.peers.prod.svc.cluster.local AAAA
        fd00-30--5.peers.prod.svc.cluster.local. 5 IN AAAA fd00:30::5
    fd00-30--0.peers.prod.svc.cluster.local AAAA
        fd00-30--0.peers.prod.svc.cluster.local. 5 IN AAAA fd00:30::
    twins.peers.prod.svc.cluster.local A
        twins.peers.prod.svc.cluster.local. 5 IN A 172.30.0.24
        twins.peers.prod.svc.cluster.local. 5 IN A 172.30.0.25
    peer-0.loose.prod.svc.cluster.local A
        peer-0.loose.prod.svc.cluster.local. 5 IN A 172.30.0.30
    first.web.prod.svc.cluster.local A
        first.web.prod.svc.cluster.local. 5 IN A 172.30.0.10

    # headless SRV: target ports, and each target's address
    _http._tcp.peers.prod.svc.cluster.local SRV
        _http._tcp.peers.prod.svc.cluster.local. 5 IN SRV 0 14 8080 peer-0.peers.prod.svc.cluster.local.
        _http._tcp.peers.prod.svc.cluster.local. 5 IN SRV 0 14 8080 peer-1.peers.prod.svc.cluster.local.
        _http._tcp.peers.prod.svc.cluster.local. 5 IN SRV 0 14 8080 172-30-0-22.peers.prod.svc.cluster.local.
        _http._tcp.peers.prod.svc.cluster.local. 5 IN SRV 0 14 8080 Twins.peers.prod.svc.cluster.local.
        _http._tcp.peers.prod.svc.cluster.local. 5 IN SRV 0 14 8080 fd00-30--5.peers.prod.svc.cluster.local.
        _http._tcp.peers.prod.svc.cluster.local. 5 IN SRV 0 14 8080 fd00-30--0.peers.prod.svc.cluster.local.
        + peer-0.peers.prod.svc.cluster.local. 5 IN A 172.30.0.20
        + peer-1.peers.prod.svc.cluster.local. 5 IN A 172.30.0.21
        + 172-30-0-22.peers.prod.svc.cluster.local. 5 IN A 172.30.0.22
        + Twins.peers.prod.svc.cluster.local. 5 IN A 172.30.0.24
        + Twins.peers.prod.svc.cluster.local. 5 IN A 172.30.0.25
        + fd00-30--5.peers.prod.svc.cluster.local. 5 IN AAAA fd00:30::5
        + fd00-30--0.peers.prod.svc.cluster.local. 5 IN AAAA fd00:30::
    peer-0.peers.prod.svc.cluster.local SRV
        peer-0.peers.prod.svc.cluster.local. 5 IN SRV 0 100 8080 peer-0.peers.prod.svc.cluster.local.
        + peer-0.peers.prod.svc.cluster.local. 5 IN A 172.30.0.20

    # external names: an alias, followed as far as the cluster goes
    outside.prod.svc.cluster.local CNAME
        outside.prod.svc.cluster.local. 5 IN CNAME www.example.org.
    outside.prod.svc.cluster.local A
        outside.prod.svc.cluster.local. 5 IN CNAME www.example.org.
        > www.example.org.
    outside.prod.svc.cluster.local AAAA
        outside.prod.svc.cluster.local. 5 IN CNAME www.example.org.
        > www.example.org.
    alias.prod.svc.cluster.local A
        alias.prod.svc.cluster.local. 5 IN CNAME web.prod.svc.cluster.local.
        web.prod.svc.cluster.local. 5 IN A 10.254.0.10
    peer-alias.prod.svc.cluster.local AAAA
        peer-alias.prod.svc.cluster.local. 5 IN CNAME peers.prod.svc.cluster.local.
        peers.prod.svc.cluster.local. 5 IN AAAA fd00:30::5
        peers.prod.svc.cluster.local. 5 IN AAAA fd00:30::

    # pods, by address alone
    172-30-0-99.prod.pod.cluster.local A
        172-30-0-99.prod.pod.cluster.local. 5 IN A 172.30.0.99
    fd00-30--5.prod.pod.cluster.local AAAA
        fd00-30--5.prod.pod.cluster.local. 5 IN AAAA fd00:30::5

    # the domain itself
    dns-version.cluster.local TXT
        dns-version.cluster.local. 28800 IN TXT "1.1.0"
    cluster.local SOA
        cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 100 7200 1800 86400 0
    cluster.local NS
        cluster.local. 5 IN NS kube-dns.kube-system.svc.cluster.local.
        + kube-dns.kube-system.svc.cluster.local. 5 IN A 10.254.0.2
    ns.dns.cluster.local A
        ns.dns.cluster.local. 5 IN A 10.254.0.2

    # reverse: a cluster IP has one name, an endpoint one for each service
    10.0.254.10.in-addr.arpa PTR
        10.0.254.10.in-addr.arpa. 5 IN PTR web.prod.svc.cluster.local.
    20.0.30.172.in-addr.arpa PTR
        20.0.30.172.in-addr.arpa. 5 IN PTR peer-0.peers.prod.svc.cluster.local.
        20.0.30.172.in-addr.arpa. 5 IN PTR peer-0.both.prod.svc.cluster.local.
    21.0.30.172.in-addr.arpa PTR
        21.0.30.172.in-addr.arpa. 5 IN PTR peer-1.peers.prod.svc.cluster.local.
    22.0.30.172.in-addr.arpa PTR
        22.0.30.172.in-addr.arpa. 5 IN PTR 172-30-0-22.peers.prod.svc.cluster.local.
    5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.0.0.0.0.d.f.ip6.arpa PTR
        5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.0.0.0.0.d.f.ip6.arpa. 5 IN PTR \
fd00-30--5.peers.prod.svc.cluster.local.
    1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.d.f.ip6.arpa PTR
        1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.d.f.ip6.arpa. 5 IN PTR \
six.prod.svc.cluster.local.

    # the asker's letter case comes back
    WEB.prod.SVC.Cluster.LOCAL A
        WEB.prod.SVC.Cluster.LOCAL. 5 IN A 10.254.0.10
    _HtTp._TcP.wEb.pRoD.sVc.cLuStEr.LoCaL SRV
        _HtTp._TcP.wEb.pRoD.sVc.cLuStEr.LoCaL. 5 IN SRV 0 100 80 web.prod.svc.cLuStEr.LoCaL.
        + web.prod.svc.cLuStEr.LoCaL. 5 IN A 10.254.0.10
    Cluster.local SOA
        Cluster.local. 5 IN SOA ns.dns.Cluster.local. hostmaster.Cluster.local. 100 7200 1800 86400 0
"""

EXISTS_WITHOUT_SUCH_RECORDS = """
    cluster.local A             cluster.local AAAA          cluster.local HINFO         cluster.local SRV
    cluster.local MX            svc.cluster.local A         svc.cluster.local NS        pod.cluster.local A
    prod.svc.cluster.local A    prod.svc.cluster.local NS   prod.pod.cluster.local A    prod.svc.cluster.local TXT
    web.prod.svc.cluster.local AAAA     web.prod.svc.cluster.local TXT      web.prod.svc.cluster.local HTTPS
    web.prod.svc.cluster.local MX       web.prod.svc.cluster.local SOA      web.prod.svc.cluster.local CNAME
    web.prod.svc.cluster.local PTR      web.prod.svc.cluster.local CAA      web.prod.svc.cluster.local ANY
    six.prod.svc.cluster.local A        portless.prod.svc.cluster.local SRV loose.prod.svc.cluster.local SRV
    peer-0.peers.prod.svc.cluster.local AAAA        172-30-0-99.prod.pod.cluster.local AAAA
    outside.prod.svc.cluster.local SRV  outside.prod.svc.cluster.local TXT  outside.prod.svc.cluster.local HTTPS
    dangling.prod.svc.cluster.local A   ping.prod.svc.cluster.local A       alias.prod.svc.cluster.local AAAA
    172-30-0-99.prod.pod.cluster.local SRV          dns-version.cluster.local A
"""

DOES_NOT_EXIST = """
    gone.prod.svc.cluster.local A       gone.prod.svc.cluster.local AAAA    gone.prod.svc.cluster.local TXT
    web.nowhere.svc.cluster.local A     nowhere.svc.cluster.local A         nowhere.svc.cluster.local NS
    nowhere.pod.cluster.local A         172-30-0-9.nowhere.pod.cluster.local A
    nobody.prod.svc.cluster.local A     172-30-0-40.nobody.prod.svc.cluster.local A
    peer-9.peers.prod.svc.cluster.local A           peer-3.peers.prod.svc.cluster.local A
    peer-3.gone.prod.svc.cluster.local A            peer-0.web.prod.svc.cluster.local A
    _ftp._tcp.web.prod.svc.cluster.local SRV        _http._udp.web.prod.svc.cluster.local SRV
    _https._tcp.unnamed.prod.svc.cluster.local SRV  _http._tcp.outside.prod.svc.cluster.local SRV
    sub.outside.prod.svc.cluster.local CNAME        sub.sub.outside.prod.svc.cluster.local CNAME
    a.b.c.web.prod.svc.cluster.local A  foo.cluster.local A                 foo.cluster.local NS
    example.org.cluster.local A         100.0.0.10.cluster.local PTR        numeric.prod.svc.cluster.local A
    blah.prod.pod.cluster.local A       blah.prod.pod.cluster.local AAAA    blah.prod.pod.cluster.local HINFO
    300-0-0-1.prod.pod.cluster.local A  www.example.org.prod.svc.cluster.local A
"""

FOREIGN = """
    example.org A       cluster A       local SOA       xcluster.local A        in-addr.arpa SOA
    8.8.8.8.in-addr.arpa PTR            0.0.31.172.in-addr.arpa PTR             30.172.in-addr.arpa PTR
    0.16.254.10.in-addr.arpa PTR        999.0.30.172.in-addr.arpa PTR           mysql A
    1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.d.f.ip6.arpa. PTR
"""


def ask(index: Index, zone: Zone, question: str) -> Answer | None:
    name, qtype = question.split()
    return resolve(index, zone, tuple(name.split(".")), qtype)


def cases() -> list[tuple[str, list[str]]]:
    table: list[tuple[str, list[str]]] = []
    for line in dedent(ANSWERS).splitlines():
        if line.startswith(" "):
            table[-1][1].append(line.strip())
        elif line and not line.startswith("#"):
            table.append((line, []))
    return table


def questions(table: str) -> list[str]:
    words = table.split()
    return [f"{name} {qtype}" for name, qtype in zip(words[::2], words[1::2], strict=True)]


@pytest.mark.parametrize(("question", "expected"), cases(), ids=[question for question, _ in cases()])
def test_answer_of_a_known_name(index: Index, zone: Zone, question: str, expected: list[str]) -> None:
    answer = ask(index, zone, question)
    assert answer is not None
    lines = [*map(str, answer.records), *(f"+ {record}" for record in answer.extra)]
    lines += [f"> {answer.chase}"] if answer.chase else []
    assert (answer.rcode, lines, answer.authority) == ("NOERROR", expected, ())


@pytest.mark.parametrize("question", questions(EXISTS_WITHOUT_SUCH_RECORDS))
def test_nodata_when_a_name_exists_with_other_types(index: Index, zone: Zone, question: str) -> None:
    answer = ask(index, zone, question)
    assert answer is not None
    assert (answer.rcode, answer.records, [*map(str, answer.authority)]) == ("NOERROR", (), [SOA])


@pytest.mark.parametrize("question", questions(DOES_NOT_EXIST))
def test_nxdomain_when_a_name_does_not_exist(index: Index, zone: Zone, question: str) -> None:
    answer = ask(index, zone, question)
    assert answer is not None
    assert (answer.rcode, answer.records, [*map(str, answer.authority)]) == ("NXDOMAIN", (), [SOA])


@pytest.mark.parametrize("question", questions(FOREIGN))
def test_names_of_others_are_not_answered(index: Index, zone: Zone, question: str) -> None:
    assert ask(index, zone, question) is None


@pytest.mark.parametrize(
    ("question", "rcode", "origin"),
    [
        ("9.9.30.172.in-addr.arpa PTR", "NXDOMAIN", "30.172.in-addr.arpa."),
        ("9.9.254.10.in-addr.arpa PTR", "NXDOMAIN", "9.254.10.in-addr.arpa."),
        ("9.9.254.10.in-addr.arpa A", "NXDOMAIN", "9.254.10.in-addr.arpa."),
        ("10.0.254.10.in-addr.arpa A", "NOERROR", "0.254.10.in-addr.arpa."),
        (f"{'f.' * 24}0.1.0.0.0.0.d.f.ip6.arpa PTR", "NXDOMAIN", "0.1.0.0.0.0.d.f.ip6.arpa."),
    ],
)
def test_reverse_of_our_own_ranges_is_decided_here(
    index: Index, zone: Zone, question: str, rcode: str, origin: str
) -> None:
    answer = ask(index, zone, question)
    assert answer is not None
    assert answer.rcode == rcode
    assert [record.name for record in answer.authority] == [origin]


def test_negative_answer_keeps_the_letter_case_of_the_domain(index: Index, zone: Zone) -> None:
    answer = ask(index, zone, "gone.prod.svc.ClUsTeR.lOcAl A")
    assert answer is not None
    assert [record.name for record in answer.authority] == ["ClUsTeR.lOcAl."]


@pytest.mark.parametrize("name", ["web.prod.svc.cluster.local A", "cluster.local SOA", "1.0.30.172.in-addr.arpa PTR"])
def test_servfail_before_the_first_sync(zone: Zone, name: str) -> None:
    answer = ask(Index(), zone, name)
    assert answer is not None
    assert answer.rcode == "SERVFAIL"


def test_foreign_names_are_forwarded_before_the_first_sync(zone: Zone) -> None:
    assert ask(Index(), zone, "example.org A") is None


def test_name_server_is_this_host_until_its_service_is_there(index: Index, zone: Zone) -> None:
    lonely = Zone(zone.domain, own_addresses=("172.30.0.77", "fd00:30::77"))
    answer = ask(index, lonely, "cluster.local NS")
    assert answer is not None
    assert [*map(str, answer.records)] == ["cluster.local. 5 IN NS ns.dns.cluster.local."]
    assert [*map(str, answer.extra)] == [
        "ns.dns.cluster.local. 5 IN A 172.30.0.77",
        "ns.dns.cluster.local. 5 IN AAAA fd00:30::77",
    ]
