"""A name server on loopback, UDP and TCP on one port, that says what a test wants: also lies, garbage and nothing.

Answers are written as zone lines. `broken` changes how everything is answered: silent, servfail, garbage, truncated
(over UDP, so that TCP is asked), wrong_id.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class NameServer:
    """`asked` holds (name, type) of each question that came over UDP or TCP, in order."""

    def __init__(self, records: Iterable[str] = ()) -> None:
        self.records: list[tuple[str, int, str, str]] = []
        self.asked: list[tuple[str, str]] = []
        self.over_tcp = 0
        self.broken = ""
        self.silent_names: set[str] = set()
        self.port = 0
        for record in records:
            self.add(record)

    def add(self, record: str) -> None:
        """One line: `name ttl type value`."""
        name, ttl, kind, value = record.split(" ", 3)
        self.records.append((name, int(ttl), kind, value))

    async def __aenter__(self) -> NameServer:
        loop = asyncio.get_running_loop()
        self._stream = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._stream.sockets[0].getsockname()[1]
        self._datagrams, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=("127.0.0.1", self.port)
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        self._datagrams.close()
        self._stream.close()

    def answer(self, octets: bytes, *, tcp: bool) -> bytes | None:
        """What is sent back, None for nothing."""
        question = dns.message.from_wire(octets)
        (asked,) = question.question
        name, kind = asked.name.to_text(omit_final_dot=True), asked.rdtype.name
        self.asked.append((name, kind))
        self.over_tcp += tcp
        if self.broken == "silent" or name in self.silent_names:
            return None
        if self.broken == "garbage":
            return octets[:2] + b"\xff" * 40
        response = dns.message.make_response(question, recursion_available=True)
        if self.broken == "servfail":
            response.set_rcode(dns.rcode.SERVFAIL)
        elif self.broken == "truncated" and not tcp:
            response.flags |= dns.flags.TC
        else:
            self._fill(response, name, kind)
        if self.broken == "wrong_id":
            response.id ^= 1
        try:
            return response.to_wire(max_size=65_535 if tcp else 0)
        except dns.exception.TooBig:
            response.answer.clear()
            response.flags |= dns.flags.TC
            return response.to_wire()

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        """The records, those that CNAMEs lead to as well; NXDOMAIN where the name is unknown."""
        if not any(known == name for known, *_ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        for _ in range(20):  # a loop of CNAMEs is written out, as a resolver without sense would
            for known, ttl, what, value in self.records:
                if known == name and what in (kind, "CNAME"):
                    response.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", what, value))
            target = next((value for known, _, what, value in self.records if known == name and what == "CNAME"), "")
            if not target or kind == "CNAME":
                return
            name = target.removesuffix(".")

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            answer = self.answer(await reader.readexactly(length), tcp=True)
            if answer is not None:
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, octets: bytes, address: tuple[str, int]) -> None:
        answer = self._server.answer(octets, tcp=False)
        if answer is not None:
            self._transport.sendto(answer, address)
