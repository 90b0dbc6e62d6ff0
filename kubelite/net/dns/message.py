"""DNS messages on the wire: questions in, answers out. dnspython parses and renders them.

Pure, save for the choice of which address comes first. Called by `resolver`. Follows RFC 1035, RFC 6891 (EDNS)
and RFC 2308 (negative answers).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from kubelite.net.dns.records import Answer, Labels, Record

HEADER = struct.Struct(">HHHHHH")
UDP_SIZE = 512
OUR_UDP_SIZE = 1232
MAX_SIZE = 65535

_REPLY = dns.flags.QR | dns.flags.RA
_TRANSFERS = (dns.rdatatype.AXFR, dns.rdatatype.IXFR)
_Section = list[dns.rrset.RRset]


class Refused(Exception):
    """A message that gets an error, or (`reply` empty) nothing at all."""

    def __init__(self, reply: bytes = b"") -> None:
        super().__init__(reply)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Query:
    message: dns.message.Message
    labels: Labels
    type: str

    @property
    def udp_size(self) -> int:
        return max(self.message.payload, UDP_SIZE) if self.message.edns >= 0 else UDP_SIZE


def read(wire: bytes) -> Query:
    """Parse a message that asks one question, or say by `Refused` what to reply."""
    if len(wire) < HEADER.size:
        raise Refused
    flags, questions = HEADER.unpack_from(wire)[1:3]
    if flags & dns.flags.QR:
        raise Refused
    if dns.opcode.from_flags(flags) != dns.opcode.QUERY:
        raise Refused(error(wire, dns.rcode.NOTIMP))
    if questions != 1:
        raise Refused(error(wire, dns.rcode.FORMERR))
    try:
        message = dns.message.from_wire(wire, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError) as problem:
        raise Refused(error(wire, dns.rcode.FORMERR)) from problem
    return _admit(wire, message)


def _admit(wire: bytes, message: dns.message.Message) -> Query:
    question = message.question[0]
    if message.edns > 0:
        reply = _reply(message)
        reply.set_rcode(dns.rcode.BADVERS)
        raise Refused(reply.to_wire())
    if question.rdclass != dns.rdataclass.IN or question.rdtype in _TRANSFERS:
        raise Refused(error(wire, dns.rcode.REFUSED))
    labels = tuple(label.decode("latin-1") for label in question.name.labels[:-1])
    return Query(message, labels, dns.rdatatype.to_text(question.rdtype))


def error(wire: bytes, rcode: int) -> bytes:
    """A header that says no: for messages that can't be, or need not be, understood any further."""
    ident, flags = HEADER.unpack_from(wire)[:2]
    kept = flags & (0x7800 | dns.flags.RD | dns.flags.CD)
    return HEADER.pack(ident, kept | _REPLY | rcode, 0, 0, 0, 0)


def failure(query: Query) -> bytes:
    """SERVFAIL, with the question."""
    reply = _reply(query.message)
    reply.set_rcode(dns.rcode.SERVFAIL)
    return reply.to_wire()


def render(query: Query, answer: Answer, size: int = MAX_SIZE, turn: int = 0, more: _Section | None = None) -> bytes:
    """The reply in at most `size` octets, cut short and marked so when it has more to say.

    `turn` rotates the records of a kind, so that clients that take the first one spread over all; `more` is
    what upstream knows of a chased alias.
    """
    reply = _reply(query.message)
    reply.flags |= dns.flags.AA
    reply.set_rcode(dns.rcode.from_text(answer.rcode))
    reply.answer = _rrsets(answer.records, turn) + (more or [])
    reply.authority = _rrsets(answer.authority)
    reply.additional = _rrsets(answer.extra)
    return reply.to_wire(max_size=size, prefer_truncation=True, want_shuffle=False)


def turns(answer: Answer) -> int:
    """In how many rotations an answer can be told."""
    return max((len(list(group)) for _, group in groupby(answer.records, _kind)), default=1)


def chase(query: Query, target: str) -> bytes:
    """The question to ask upstream for the target of an alias."""
    question = query.message.question[0]
    return dns.message.make_query(target, question.rdtype, use_edns=0, payload=4096).to_wire()


def answers(wire: bytes) -> _Section:
    """The answer section of a reply from upstream."""
    return dns.message.from_wire(wire, ignore_trailing=True, one_rr_per_rrset=True).answer


def _reply(query: dns.message.Message) -> dns.message.Message:
    reply = dns.message.make_response(query, recursion_available=True, our_payload=OUR_UDP_SIZE)
    reply.flags |= query.flags & dns.flags.CD
    if query.edns >= 0:
        reply.ednsflags |= query.ednsflags & dns.flags.DO
    return reply


def _rrsets(records: Sequence[Record], turn: int = 0) -> _Section:
    """One set for each record: a set is left out as a whole when there is no room."""
    rotated: list[Record] = []
    for _, group in groupby(records, _kind):
        alike = list(group)
        start = turn % len(alike)
        rotated += alike[start:] + alike[:start]
    return [dns.rrset.from_rdata(_name(r.name), r.ttl, _rdata(r.type, r.data)) for r in rotated]


@lru_cache(256)
def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


@lru_cache(4096)
def _rdata(rdtype: str, text: str) -> dns.rdata.Rdata:
    return dns.rdata.from_text("IN", rdtype, text)


def _kind(record: Record) -> tuple[str, str]:
    return record.name, record.type
