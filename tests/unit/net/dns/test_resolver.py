"""Messages as bytes: headers, errors, EDNS, truncation, the cache, and what goes upstream."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubelite.net.dns import resolver as resolver_module
from kubelite.net.dns.index import Index
from kubelite.net.dns.model import Endpoint, Service, Slice
from kubelite.net.dns.records import Zone
from kubelite.net.dns.resolver import Resolver

WEB = "web.prod.svc.cluster.local"


class FakeUpstream:
    """Answers every name with the same address, or with nothing at all."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent = False
        self.garbage = False

    async def exchange(self, wire: bytes, over_tcp: bool) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        self.asked.append(f"{question.name} {dns.rdatatype.to_text(question.rdtype)}")
        if self.silent:
            return None
        reply = dns.message.make_response(query, recursion_available=True)
        reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", "192.0.2.80"))
        return reply.to_wire()[:-3] if self.garbage else reply.to_wire()


@pytest.fixture
def upstream() -> FakeUpstream:
    return FakeUpstream()


@pytest.fixture
def resolver(index: Index, zone: Zone, upstream: FakeUpstream) -> Resolver:
    return Resolver(index, zone, upstream)


def now(resolver: Resolver, wire: bytes, over_tcp: bool = False) -> bytes | None:
    """The reply given at once, if any."""
    replies: list[bytes] = []
    assert resolver.answer(wire, replies.append, over_tcp) is bool(replies)
    return replies[0] if replies else None


def ask(resolver: Resolver, query: dns.message.Message, over_tcp: bool = False) -> dns.message.Message:
    wire = now(resolver, query.to_wire(), over_tcp)
    assert wire is not None
    return dns.message.from_wire(wire)


async def wait(resolver: Resolver, query: dns.message.Message) -> dns.message.Message:
    reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    assert resolver.answer(query.to_wire(), reply.set_result)
    return dns.message.from_wire(await reply)


def test_reply_repeats_id_and_question_and_is_authoritative(resolver: Resolver) -> None:
    query = dns.message.make_query("Web.prod.SVC.cluster.local", "A", id=4711)
    reply = ask(resolver, query)
    assert reply.id == 4711
    assert str(reply.question[0]) == "Web.prod.SVC.cluster.local. IN A"
    assert dns.flags.to_text(reply.flags) == "QR AA RD RA"
    assert [str(rrset) for rrset in reply.answer] == ["Web.prod.SVC.cluster.local. 5 IN A 10.254.0.10"]


def test_reply_copies_recursion_desired_and_checking_disabled(resolver: Resolver) -> None:
    query = dns.message.make_query(WEB, "A", flags=dns.flags.CD)
    assert dns.flags.to_text(ask(resolver, query).flags) == "QR AA RA CD"


def test_edns_is_answered_with_edns(resolver: Resolver) -> None:
    query = dns.message.make_query(WEB, "A", use_edns=0, payload=4096, want_dnssec=True)
    reply = ask(resolver, query)
    assert (reply.edns, reply.payload, reply.ednsflags) == (0, 1232, dns.flags.DO)
    assert ask(resolver, dns.message.make_query(WEB, "A")).edns == -1


def test_unknown_edns_version_is_named_as_such(resolver: Resolver) -> None:
    reply = ask(resolver, dns.message.make_query(WEB, "A", use_edns=1))
    assert (reply.rcode(), reply.edns) == (dns.rcode.BADVERS, 0)


@pytest.mark.parametrize(
    ("change", "rcode"),
    [
        (lambda m: m.set_opcode(dns.opcode.STATUS), dns.rcode.NOTIMP),
        (lambda m: m.set_opcode(dns.opcode.NOTIFY), dns.rcode.NOTIMP),
        (lambda m: m.set_opcode(dns.opcode.UPDATE), dns.rcode.NOTIMP),
        (lambda m: m.question.clear(), dns.rcode.FORMERR),
        (lambda m: m.question.append(m.question[0]), dns.rcode.FORMERR),
        (lambda m: setattr(m.question[0], "rdclass", 3), dns.rcode.REFUSED),
        (lambda m: setattr(m.question[0], "rdtype", dns.rdatatype.AXFR), dns.rcode.REFUSED),
        (lambda m: setattr(m.question[0], "rdtype", dns.rdatatype.IXFR), dns.rcode.REFUSED),
    ],
)
def test_request_that_is_no_plain_question_gets_an_error(
    resolver: Resolver, change: Callable[[dns.message.Message], object], rcode: int
) -> None:
    query = dns.message.make_query(WEB, "A", id=4711)
    change(query)
    wire = now(resolver, query.to_wire())
    assert wire is not None
    assert (wire[:2], wire[3] & 0xF, wire[2] >> 7) == ((4711).to_bytes(2, "big"), rcode, 1)


@pytest.mark.parametrize(
    "wire", [b"", b"\0" * 11, dns.message.make_query(WEB, "A").to_wire()[:2] + b"\x80" + b"\0" * 30]
)
def test_no_reply_to_fragments_and_replies(resolver: Resolver, wire: bytes) -> None:
    assert now(resolver, wire) is None


def test_cut_off_question_is_a_format_error(resolver: Resolver) -> None:
    wire = now(resolver, dns.message.make_query(WEB, "A").to_wire()[:-3])
    assert wire is not None
    assert wire[3] & 0xF == dns.rcode.FORMERR


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=500)
@given(head=st.binary(max_size=12), rest=st.binary(max_size=80))
def test_garbage_never_hurts(resolver: Resolver, head: bytes, rest: bytes) -> None:
    question = dns.message.make_query(WEB, "A").to_wire()
    for wire in (head + rest, head + question[len(head) :] + rest, question[:12] + rest):
        assert (now(resolver, wire) or wire)[:2] == wire[:2]
    assert ask(resolver, dns.message.make_query(WEB, "A")).answer


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=500)
@given(labels=st.lists(st.binary(min_size=1, max_size=20), max_size=5), qtype=st.integers(0, 65535))
def test_any_name_and_type_below_the_domain_gets_an_answer(resolver: Resolver, labels: list[bytes], qtype: int) -> None:
    name = b"".join(bytes([len(label)]) + label for label in (*labels, b"svc", b"cluster", b"local"))
    wire = b"\x12\x34\x01\x00\x00\x01" + b"\0" * 6 + name + b"\0" + qtype.to_bytes(2, "big") + b"\0\1"
    reply = now(resolver, wire)
    assert reply is not None
    assert reply[3] & 0xF in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.FORMERR, dns.rcode.REFUSED)


def crowd(index: Index, size: int) -> None:
    """Give the headless service `nobody` that many endpoints."""
    members = tuple(Endpoint.named(f"172.30.1.{n}") for n in range(size))
    index.put(Slice(("prod", "nobody-1"), "nobody", members))


def test_long_answer_over_udp_is_truncated_to_the_clients_size(resolver: Resolver, index: Index) -> None:
    crowd(index, 100)
    name = "nobody.prod.svc.cluster.local"
    sizes, cut, told = [], [], []
    for payload in (None, 1232, 4096):
        query = dns.message.make_query(name, "A", use_edns=payload and 0, payload=payload)
        wire = now(resolver, query.to_wire()) or b""
        reply = dns.message.from_wire(wire)
        sizes.append(len(wire))
        cut.append(bool(reply.flags & dns.flags.TC))
        told.append(len(reply.answer[0]))
    assert 490 < sizes[0] <= 512 < 1200 < sizes[1] <= 1232 < sizes[2]
    assert cut == [True, True, False]
    assert told == [29, 73, 100]


def test_long_answer_over_tcp_is_whole(resolver: Resolver, index: Index) -> None:
    crowd(index, 100)
    query = dns.message.make_query("nobody.prod.svc.cluster.local", "A")
    assert ask(resolver, query).flags & dns.flags.TC
    reply = ask(resolver, query, over_tcp=True)
    assert not reply.flags & dns.flags.TC
    assert len(reply.answer[0]) == 100


def test_left_out_additional_records_do_not_count_as_truncation(resolver: Resolver, index: Index) -> None:
    index.put(Service(("prod", "nobody"), ports=(), headless=True))
    crowd(index, 0)
    reply = ask(resolver, dns.message.make_query("peers.prod.svc.cluster.local", "SRV"))
    assert not reply.flags & dns.flags.TC
    assert len(reply.answer[0]) == 6


def kept(resolver: Resolver, query: dns.message.Message) -> dns.message.Message | None:
    wire = query.to_wire()
    replies = resolver.kept.get(wire[2:])
    return dns.message.from_wire(wire[:2] + next(replies)) if replies else None


def test_answer_is_kept_until_records_change(resolver: Resolver) -> None:
    query = dns.message.make_query(WEB, "A", id=1)
    first = ask(resolver, query)
    query.id = 2
    again = kept(resolver, query)
    assert again is not None
    assert (again.id, again.answer) == (2, first.answer)
    resolver.forget()
    assert kept(resolver, query) is None


def test_answer_over_tcp_is_not_kept_for_udp(resolver: Resolver) -> None:
    query = dns.message.make_query(WEB, "A")
    ask(resolver, query, over_tcp=True)
    assert kept(resolver, query) is None


def test_kept_answers_are_bounded(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver_module, "MAX_KEPT", 10)
    for n in range(100):
        ask(resolver, dns.message.make_query(f"nobody-{n}.prod.svc.cluster.local", "A"))
        assert 1 <= len(resolver.kept) <= 10


def test_addresses_take_turns_at_the_front(resolver: Resolver) -> None:
    query = dns.message.make_query("peers.prod.svc.cluster.local", "A")
    replies = [ask(resolver, query), *(kept(resolver, query) for _ in range(49))]
    fronts = Counter(str(reply.answer[0][0]) for reply in replies if reply)
    assert sorted(fronts.values()) == [10] * 5


def test_servfail_before_the_first_sync_is_not_kept(zone: Zone, upstream: FakeUpstream) -> None:
    resolver = Resolver(Index(), zone, upstream)
    query = dns.message.make_query(WEB, "A")
    reply = ask(resolver, query)
    assert reply.rcode() == dns.rcode.SERVFAIL
    assert not reply.flags & dns.flags.AA
    assert resolver.kept == {}


async def test_foreign_name_is_forwarded(resolver: Resolver, upstream: FakeUpstream) -> None:
    reply = await wait(resolver, dns.message.make_query("example.org", "A", id=99))
    assert (reply.id, str(reply.answer[0])) == (99, "example.org. 60 IN A 192.0.2.80")
    assert upstream.asked == ["example.org. A"]


async def test_servfail_when_upstream_is_dead(resolver: Resolver, upstream: FakeUpstream) -> None:
    upstream.silent = True
    reply = await wait(resolver, dns.message.make_query("example.org", "A"))
    assert reply.rcode() == dns.rcode.SERVFAIL


async def test_external_name_is_resolved_upstream(resolver: Resolver, upstream: FakeUpstream) -> None:
    reply = await wait(resolver, dns.message.make_query("outside.prod.svc.cluster.local", "A"))
    assert [str(rrset) for rrset in reply.answer] == [
        "outside.prod.svc.cluster.local. 5 IN CNAME www.example.org.",
        "www.example.org. 60 IN A 192.0.2.80",
    ]
    assert upstream.asked == ["www.example.org. A"]


@pytest.mark.parametrize("trouble", ["silent", "garbage"])
async def test_external_name_is_an_alias_alone_when_upstream_fails(
    resolver: Resolver, upstream: FakeUpstream, trouble: str
) -> None:
    setattr(upstream, trouble, True)
    reply = await wait(resolver, dns.message.make_query("outside.prod.svc.cluster.local", "AAAA"))
    assert [str(rrset) for rrset in reply.answer] == ["outside.prod.svc.cluster.local. 5 IN CNAME www.example.org."]


async def test_cluster_names_do_not_go_upstream(resolver: Resolver, upstream: FakeUpstream) -> None:
    for name in (WEB, "gone.prod.svc.cluster.local", "example.org.prod.svc.cluster.local"):
        ask(resolver, dns.message.make_query(name, "A"))
    ask(resolver, dns.message.make_query("9.9.30.172.in-addr.arpa", "PTR"))
    assert upstream.asked == []


def test_fault_of_our_own_is_a_servfail(resolver: Resolver, index: Index, caplog: pytest.LogCaptureFixture) -> None:
    index.put(Service(("prod", "broken"), external_name="x" * 70))
    wire = now(resolver, dns.message.make_query("broken.prod.svc.cluster.local", "CNAME").to_wire())
    assert wire is not None
    assert wire[3] & 0xF == dns.rcode.SERVFAIL
    assert "no answer to" in caplog.text
