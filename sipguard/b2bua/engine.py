"""The engine: the only door of call control. Inputs go in with their time, commands come out.

Enters: datagrams with their flow, answers to what was needed, send failures, expired timers, controls.
Leaves: list[Command] in the order of execution. Must not: do I/O, read a clock, await.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableSequence
from hashlib import sha256
from typing import Final

from sipguard.b2bua import breakdown, frames
from sipguard.b2bua.awaiting import Awaiting
from sipguard.b2bua.call import Call
from sipguard.b2bua.commands import (
    Clock,
    Command,
    Control,
    Drain,
    Fetched,
    FetchFailed,
    Hangup,
    Held,
    Identifiers,
    Mode,
    Record,
    Rekey,
    Reload,
    Resolved,
    Reuse,
    Trouble,
    Trust,
)
from sipguard.b2bua.counts import INDEX, NAMES
from sipguard.b2bua.credentials import Own
from sipguard.b2bua.crossing import NOT_CROSSING, bare_ack, in_dialog
from sipguard.b2bua.leg import Leg
from sipguard.b2bua.mending import mended_request
from sipguard.b2bua.outside import outside
from sipguard.b2bua.peers import Peers
from sipguard.b2bua.place import Place, places_of
from sipguard.b2bua.probing import Probes
from sipguard.b2bua.recovery import Remains, take_up
from sipguard.b2bua.refusals import Refusals
from sipguard.b2bua.sources import Sources
from sipguard.b2bua.troubles import Troubles
from sipguard.b2bua.trunk_load import TrunkLoad
from sipguard.b2bua.within import ack, cancel, within
from sipguard.screening.checks import rate
from sipguard.screening.counters import BY_US, KEYS, Counters
from sipguard.screening.finding import Context, Need
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trunk import Trunk
from sipguard.screening.verification.replays import Replays
from sipguard.sip.compose import local_response, response_flow, response_flow_anew, response_head
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.flow import Flow, Send
from sipguard.sip.message import Request, Response
from sipguard.sip.parse import parse
from sipguard.sip.timers import GIVE_UP_S
from sipguard.sip.transaction import (
    ClientTransaction,
    ClientUser,
    Layer,
    ServerTransaction,
    client_key,
    server_key,
)
from sipguard.sip.uri import name_addr, tag_of
from sipguard.sip.via import has_alias
from sipguard.stir.certificate import NO_ANCHORS, CertificateStore

KEEP_ALIVE: Final = (b"", b"\r", b"\n", b"\0", b" ")  # what datagrams that only hold a port open begin with
MALFORMED: Final = INDEX["malformed"]
EARLY_REQUESTS: Final = 1000  # PRACKs and UPDATEs may have left in a dialog that is ended before it is known
CSEQ_MOST: Final = 2**31 - 2  # RFC 3261 §8.1.1.5, less one
STRAY: Final = INDEX["stray_responses"]
ENDED: Final = INDEX["ended"]


class NoUser:
    """The user of a transaction whose outcome matters to nobody: our own BYE or CANCEL."""

    __slots__ = ()

    def responded(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """Nothing follows from it."""

    def unanswered(self, transaction: ClientTransaction, why: str, now: float) -> None:
        """Nothing follows from it."""


NOBODY: Final = NoUser()


class Engine:
    """Call control of one worker."""

    def __init__(
        self,
        ruleset: Ruleset,
        certificates: CertificateStore,
        random: Callable[[int], bytes],
        stopwatch: Callable[[], float],
        worker: int = 0,
        counts: MutableSequence[int] | None = None,
    ) -> None:
        self.worker = worker
        self.ids = Identifiers(random, worker)
        self.stopwatch = stopwatch
        self.counts: MutableSequence[int] = counts if counts is not None else [0] * len(NAMES)
        # (rule in mode report, action it would have had) -> calls; names are those of the policies since the start
        self.reported: dict[tuple[str, str], int] = {}
        self.layer = Layer()
        self.legs: dict[str, Leg] = {}
        self.calls: dict[str, Call] = {}
        self.peers = Peers(self.ids.below)
        self._probes = Probes()
        self.refusals = Refusals()
        self._troubles = Troubles()
        self.draining = False
        self.modes: dict[str, str] = {}
        self.clock = Clock(0.0, 0.0)
        self.flow = Flow(0, "udp", "", ("", 0))
        self.certificates = certificates
        self._listed = NO_ANCHORS
        self.counters = Counters()
        self._replays = Replays()
        self._loads: dict[str, TrunkLoad] = {}
        self.listeners: dict[str, Place] = {}
        self.awaiting = Awaiting(self)
        self._use(ruleset)

    def _use(self, ruleset: Ruleset) -> None:
        """Takes a Ruleset for the calls that begin from now on."""
        self.ruleset = ruleset
        self.overload = ruleset.overload
        self.staying = NOT_CROSSING | ruleset.marks
        self.signers = ruleset.signers
        self._use_anchors()
        counted = ruleset.settings.get("rate")
        self.counters.use(ruleset.shapes.wanted, counted.keys if isinstance(counted, rate.Settings) else KEYS)
        self.listeners |= places_of(ruleset.listeners, self.ids.worker)  # calls of before may need one that is gone
        self.peers.names.use(ruleset)
        self._use_peers()

    def _use_anchors(self) -> None:
        """Trusts the anchors of the Ruleset and those listed."""
        self.certificates = self.certificates.with_anchors(self.ruleset.anchors.joined(self._listed))
        ruleset = self.ruleset
        self.context = Context(
            ruleset.lists, self.counters, self.certificates, self._replays, ruleset.plan, ruleset.shapes
        )

    def _use_peers(self) -> None:
        """Takes the peers of the Ruleset as they are now, those under names included."""
        self.sources = Sources(self.ruleset, self.peers)
        self._probes.use(self, self.ruleset)

    # ------------------------------------------------------------------ inputs

    def received(self, flow: Flow, octets: bytes, clock: Clock) -> list[Command]:
        """A datagram, or a message of a stream. Never raises for what stands in it."""
        out = self._turn(clock)
        self.flow = flow
        if octets[:1] in KEEP_ALIVE and not octets.strip(b"\r\n\0 "):
            return out
        message: Request | Response | None = None
        try:
            try:
                message = parse(octets)
            except MalformedMessage as error:
                self.counts[MALFORMED] += 1
                message = mended_request(self, flow, octets)
                if message is None:
                    self._malformed(flow, error)
                    return out
            if type(message) is Request:
                self._request(flow, message)
            else:
                self._response(message)  # type: ignore[arg-type]
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as broken:  # noqa: BLE001  here ends what breaks for one message; as `tried`, but free
            self._tell(broken, message)  # of a name of its own: compiled, a variable has the type of its first use
            self._broke(message)
        return out

    def send_failed(self, send_id: str, why: str, clock: Clock) -> list[Command]:
        """A Send that the network refused, or whose connection is gone; `send_id` is the one of the command."""
        out = self._turn(clock)
        client = self.layer.clients.get(send_id)
        if client is not None:
            self.safely(client, client.unreachable, clock.now)
        server = self.layer.servers.get(send_id)
        if server is not None:
            self.safely(server, server.disconnected)
        return out

    def unframed(self, flow: Flow, head: bytes, why: MalformedMessage, clock: Clock) -> list[Command]:
        """A stream whose next message has no end that can be told: it is refused where its head can be read (§18.3)."""
        out = self._turn(clock)
        self.flow = flow
        self.counts[MALFORMED] += 1
        if head:
            self.tried(self._refuse_unframed, flow, head, why)
        return out

    def _refuse_unframed(self, flow: Flow, head: bytes, why: MalformedMessage) -> None:
        try:
            why.message = parse(head + b"\r\n\r\n")
        except MalformedMessage as error:
            why.message = error.message
        self._malformed(flow, why)

    def closed(self, flow: Flow, stood: bool, clock: Clock) -> list[Command]:
        """A connection that requests of ours were sent by is gone: those without any response go another way.

        `stood` is whether it was ever open. Where it never was, nobody is there: the same is not tried again.
        """
        out = self._turn(clock)
        for client in list(self.layer.clients.values()):
            gone = client.flow
            if gone.reliable and gone.remote == flow.remote and gone.listener == flow.listener:
                if not stood and client.anew is not None and client.anew.remote == flow.remote:
                    client.anew = None
                self.safely(client, client.unreachable, clock.now, stood)
        return out

    def admits(self, flow: Flow) -> str:
        """address | certificate | "": whether somebody may connect, by an address alone or by a name as well."""
        return self.sources.admits(flow)

    def knows(self, flow: Flow) -> bool:
        """Whether who has shown these names may send."""
        return self.sources.knows(flow)

    def turned_away(self, flow: Flow, why: str, detail: str, at: float) -> None:
        """Somebody may not connect, at Unix seconds `at`; kept for whoever asks why."""
        self.refusals.note(flow.remote[0], flow.listener, why, detail, at)

    def answered(self, need: Need, result: Fetched | FetchFailed, clock: Clock) -> list[Command]:
        """What was fetched, or why not. Calls whose budget is over, or that needed it no more, have gone on without."""
        out = self._turn(clock)
        self.safely(None, self.awaiting.answered, need.key, result)
        return out

    def control(self, what: Control, clock: Clock) -> list[Command]:
        """An operator's wish. One that breaks is told of and changes nothing; a Ruleset is taken as a whole or not."""
        out = self._turn(clock)
        if isinstance(what, Reload):
            before = self.ruleset
            if self.tried(self._use, what.ruleset):
                out.append(Record(frames.NoteFrame(clock.unix, "reload", "", what.ruleset.revision)))
            else:
                self.tried(self._use, before)
        else:
            self.tried(self._do, what, clock)
        return out

    def _do(self, what: Control, clock: Clock) -> None:
        """Any wish but a reload."""
        out = self.layer.out
        if isinstance(what, Rekey):
            self.signers = what.signers
        elif isinstance(what, Resolved):
            self._resolved(what, clock)
        elif isinstance(what, Trust):
            self._trust(what, clock)
        elif isinstance(what, Held):
            self.certificates.hold(
                what.url, what.octets, what.lifetime_s, clock.unix, what.age_s, what.used_at or clock.unix
            )
        elif isinstance(what, Drain):
            self.draining = True
            out.append(Record(frames.NoteFrame(clock.unix, "drain", "", self.ruleset.revision)))
        elif isinstance(what, Mode):
            if not what.trunk:
                self.modes.clear()
            self.modes[what.trunk] = what.mode
            text = f"{what.trunk or 'all trunks'}: {what.mode}"
            out.append(Record(frames.NoteFrame(clock.unix, "mode_change", text, self.ruleset.revision)))
        elif isinstance(what, Hangup):
            disposition = frames.ADMIN if what.decision_id else frames.DRAINED
            calls = [self.calls.get(what.decision_id)] if what.decision_id else list(self.calls.values())
            for call in calls:
                if call is not None:
                    self.safely(call, call.hang_up, disposition, clock.now)

    def recover(self, remains: Iterable[Remains], alive_at: float, clock: Clock) -> list[Command]:
        """What a predecessor left without an end, which was seen alive last at `alive_at` (Unix seconds).

        To be given before anything else comes in.
        """
        out = self._turn(clock)
        take_up(self, remains, alive_at)
        return out

    def _resolved(self, what: Resolved, clock: Clock) -> None:
        if what.answer is None:
            self.counts[INDEX["resolutions_failed"]] += 1
            return
        if self.peers.names.resolved(what.query, what.answer, what.age_s, clock.now):
            self._use_peers()

    def _trust(self, what: Trust, clock: Clock) -> None:
        """The CRL binds every call from now on, the list those that begin from now on."""
        self.certificates.use_crl(what.crl, what.crl_required, what.version)
        if what.listed.revision != self._listed.revision:
            self._listed = what.listed
            self._use_anchors()
        for text in what.notes:
            self.layer.out.append(Record(frames.NoteFrame(clock.unix, "trust", text, self.ruleset.revision)))

    def timer(self, clock: Clock) -> list[Command]:
        """The time of `next_timer` has come."""
        out = self._turn(clock)
        layer = self.layer
        while not self.tried(layer.wheel.expire, clock.now):  # again for those that are left
            if layer.at_work is None:
                layer.at_work = layer.wheel.expiring
            self._broke(None)
        return out

    def next_timer(self) -> float | None:
        """Monotonic instant of the next timer, None where nothing waits."""
        return self.layer.wheel.next_at()

    def _turn(self, clock: Clock) -> list[Command]:
        out: list[Command] = []
        self.layer.out = out  # type: ignore[assignment]
        self.layer.at_work = None
        self.clock = clock
        return out

    # ------------------------------------------------------------------ what breaks

    def tried(self, work: Callable[..., object], *of: object) -> bool:
        """Does `work`; False where something broke that nobody expected, which is told of. What follows from it is the
        caller's to decide; what was done until then stays."""
        try:
            work(*of)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  no error gets past here; a panic of Rust is no Exception
            self._tell(error, None)
            return False
        return True

    def safely(self, whom: object, work: Callable[..., object], *of: object) -> None:
        """Does `work` for `whom`, a call or what belongs to one: where something breaks, only that is ended."""
        self.layer.at_work = whom
        if not self.tried(work, *of):
            self._broke(None)
        self.layer.at_work = None

    def _tell(self, error: BaseException, message: Request | Response | None) -> None:
        whom = self.layer.at_work
        about = breakdown.call_id_of(whom if whom is not None else self.layer.wheel.expiring, message)
        self.layer.out.append(Trouble(self._troubles.line(error, about, self.clock.now)))

    def _broke(self, message: Request | Response | None) -> None:
        """Ends whatever the engine was at work for."""
        self.tried(breakdown.end, self, self.layer.at_work, message)
        self.layer.at_work = None

    # ------------------------------------------------------------------ requests

    def _request(self, flow: Flow, request: Request) -> None:
        key = server_key(request)
        known = self.layer.servers.get(key)
        method = request.method
        if method == "ACK":
            if known is None or known.acknowledged(self.clock.now):
                ack(self, request)
        elif known is not None:
            known.again()
        elif method == "CANCEL":
            cancel(self, flow, request, key)
        elif request.to_tag:
            within(self, flow, request, key)
        else:
            outside(self, flow, request, key)

    def server_for(self, flow: Flow, request: Request, key: str) -> ServerTransaction:
        """A server transaction for a new request."""
        head = response_head(request, flow.remote)
        if "record-route" in request.at:
            head += "".join(f"{line}\r\n" for line in request.lines_of("record-route"))
        if flow.reliable:
            self._offer_reuse(flow, request)
        to_line = request.lines[request.at["to"]]
        back = response_flow(request, flow)
        return ServerTransaction(
            self.layer, key, request.method, back, head, to_line, response_flow_anew(request, flow)
        )

    def _offer_reuse(self, flow: Flow, request: Request) -> None:
        """Lets requests of ours to the sent-by of a Via with `alias` use this connection (RFC 5923 §5, §9.1)."""
        anew = response_flow_anew(request, flow)
        if anew is not None and has_alias(request.via) and self.sources.knows(flow):
            self.layer.out.append(Reuse(flow, anew.remote))

    def answer(self, server: ServerTransaction, request: Request, status: int, phrase: str, *extra: str) -> None:
        """A response of our own; `extra` are header lines."""
        tag = "" if request.to_tag else self.ids.token()
        octets = local_response(server.head, server.to_line, tag, status, phrase, extra)
        server.respond(status, octets, self.clock.now)

    def fixed_tag(self, request: Request) -> str:
        """A To-tag that is the same for a repetition, which no transaction absorbs (§8.2.7)."""
        return self.ids.worker + sha256(request.head).hexdigest()[:16]

    def _malformed(self, flow: Flow, error: MalformedMessage) -> None:
        """Answers a broken request where its sender is admitted and it says enough for an answer."""
        request = error.message
        if not isinstance(request, Request) or request.method == "ACK" or self.sources.trunk_of(flow) is None:
            return
        if not request.sent_by:
            return
        to_line = request.lines[request.at["to"]] if "to" in request.at else ""
        tag = self.fixed_tag(request) if to_line and ";tag=" not in to_line else ""
        phrase = error.phrase if error.status != 400 else f"Bad Request - {error.what}"
        octets = local_response(response_head(request, flow.remote), to_line, tag, error.status, phrase)
        self.layer.out.append(Send(response_flow(request, flow), octets))

    # ------------------------------------------------------------------ responses

    def _response(self, response: Response) -> None:
        transaction = self.layer.clients.get(client_key(response.branch, response.cseq_method))
        if transaction is not None and transaction.method == response.cseq_method:
            transaction.receive(response, self.clock.now)
            return
        self.counts[STRAY] += 1
        own = response.branch.startswith(f"z9hG4bK{self.ids.worker}")
        success = response.cseq_method == "INVITE" and 200 <= response.status < 300
        if own and success and self.sources.knows(self.flow):
            self.dismiss_stray(response, self.flow)

    def dismiss_stray(self, response: Response, flow: Flow) -> Send | None:
        """Acknowledges and ends the dialog of a 2xx that no call waits for, out of the response alone.

        It comes from a fork, or from a peer that answered after it was given up (RFC 3261 §13.2.2.4). Where its
        dialog stands, its transaction was lost in a crash: then it is acknowledged only. Answers the ACK, for
        repeats; None where the response does not say where to.
        """
        known = self._dialog_of(response)
        if known is not None:
            again = Send(known.flow, bare_ack(known, response.cseq, self.ids.branch()))
            self.layer.out.append(again)
            return again
        place = self.listeners.get(flow.listener)
        if place is None:
            return None
        leg = Leg("b", None, place, flow)
        leg.call_id = response.value("call-id")
        leg.local, leg.remote = response.value("from"), response.value("to")
        if not leg.set_target(response) or not leg.set_routes(response, reverse=True):
            return None
        leg.cseq = min(response.cseq + EARLY_REQUESTS, CSEQ_MOST)
        ack_ = Send(leg.flow, bare_ack(leg, response.cseq, self.ids.branch()))
        self.layer.out.append(ack_)
        self.send_bye(leg, "")
        return ack_

    def _dialog_of(self, response: Response) -> Leg | None:
        """The leg whose established dialog a response to a request of ours belongs to."""
        try:
            leg = self.legs.get(tag_of(name_addr(response.value("from"))[2]))
        except MalformedMessage:
            return None
        if leg is None or leg.call_id != response.value("call-id") or leg.remote_tag != response.to_tag:
            return None
        return leg if leg.call is not None and leg.call.answer_at else None

    # ------------------------------------------------------------------ for calls

    def enter(self, call: Call) -> None:
        """Takes a call into the tables."""
        self.calls[call.id] = call
        self.legs[call.a.local_tag] = call.a
        if not call.emergency:
            self.load_of(call.trunk).calls += 1

    def lift(self, call: Call, emergency: str) -> None:
        """Makes a call that stands in the tables one that nothing may stop: no limit counts it any more."""
        call.emergency = emergency
        call.a.border = False
        call.a.untold = True
        self.load_of(call.trunk).calls -= 1
        if call.tally is not None:
            self.counters.ended(call.tally, BY_US, self.clock.now)

    def forget(self, call: Call) -> None:
        """Takes a call out of the tables."""
        if self.calls.pop(call.id, None) is None:
            return
        self.legs.pop(call.a.local_tag, None)
        if call.b is not None:
            self.legs.pop(call.b.local_tag, None)
        if not call.emergency:
            self.load_of(call.trunk).calls -= 1
        self.counts[ENDED] += 1
        if call.tally is not None:  # nothing else has told its end
            self.counters.ended(call.tally, BY_US, self.clock.now)

    def send_cancel(self, client: ClientTransaction, octets: bytes, now: float) -> None:
        """A CANCEL of ours for the INVITE of `client`; it has a transaction of its own with the same branch."""
        ClientTransaction(self.layer, "CANCEL", client.key, client.flow, octets, NOBODY, now, GIVE_UP_S)

    def send_bye(self, leg: Leg, reason: str) -> None:
        """A BYE of our own in the dialog of `leg`; `reason` is a Reason value or ""."""
        leg.cseq += 1
        branch = self.ids.branch()
        lines = f"Reason: {reason}\r\nContent-Length: 0" if reason else "Content-Length: 0"
        octets = in_dialog(leg, "BYE", leg.cseq, branch, 70, lines, b"")
        user: ClientUser = NOBODY
        if leg.login is not None:
            user = Own(self, leg, octets)
            octets = leg.login.signed(octets)
        ClientTransaction(self.layer, "BYE", branch, leg.flow, octets, user, self.clock.now, GIVE_UP_S, leg.anew)

    def decision_id(self) -> str:
        """An id for a decision: sortable by time, unguessable, fit for a 603+ (facts of ATIS-1000099)."""
        return hex(int(self.clock.unix * 1000))[2:].rjust(11, "0") + self.ids.token()

    # ------------------------------------------------------------------ trunks and modes

    def load_of(self, trunk: Trunk) -> TrunkLoad:
        """What the trunk carries now."""
        load = self._loads.get(trunk.name)
        if load is None:
            load = self._loads[trunk.name] = TrunkLoad()
        return load

    def mode_of(self, trunk: Trunk) -> str:
        """enforce | report | bypass for calls from this trunk."""
        modes = self.modes
        if not modes:
            return self.ruleset.mode
        return modes.get(trunk.name) or modes.get("") or self.ruleset.mode

    # ------------------------------------------------------------------ once a second

    def second(self, clock: Clock) -> list[Command]:
        """To be asked about once a second: sets the counts that are levels, asks for certificates that grow old."""
        out = self._turn(clock)
        self.tried(self.awaiting.renew)
        self.tried(self._renew_names, clock.now)
        self.tried(self._probes.second, self, clock.now)
        self.tried(self._note_peers, clock)
        self.tried(self._levels, clock.now)
        self.tried(self._signer_levels, clock.unix)
        return out

    def _renew_names(self, now: float) -> None:
        if self.peers.names.second(now):
            self._use_peers()

    def _note_peers(self, clock: Clock) -> None:
        """Writes down which peers are passed over from now on, and which no longer."""
        peers = self.peers
        peers.expire(clock.now)
        for change in peers.changes:
            kind = "peer_down" if change.why else "peer_up"
            text = f"{change.trunk}: {change.peer}" + (f": {change.why}" if change.why else "")
            self.layer.out.append(Record(frames.NoteFrame(clock.unix, kind, text, self.ruleset.revision)))
        if peers.changes:
            peers.changes = []

    def peer_states(self, clock: Clock) -> list[tuple[str, str, str]]:
        """(trunk, peer, why it is passed over or "") of all peers."""
        return self.peers.states(self.ruleset.trunks, clock.now)

    def _signer_levels(self, unix_at: float) -> None:
        """How many signers can sign now, how many that are configured cannot, and how long the first of them still can.

        Those too that sign over HTTP only.
        """
        usable = {name: each for name, each in self.signers.items() if each.valid_at(unix_at)}
        trunks = self.ruleset.trunks.values()
        named = self.ruleset.signer_names | {trunk.sign.signer for trunk in trunks if trunk.sign is not None}
        counts = self.counts
        counts[INDEX["signers_usable"]] = len(usable)
        counts[INDEX["signers_unusable"]] = len(named.difference(usable))
        revoked = sum(1 for each in self.signers.values() if self.certificates.revokes(each.marks))
        counts[INDEX["signers_revoked"]] = revoked
        counts[INDEX["signer_left_s"]] = int(min((each.not_after_at - unix_at for each in usable.values()), default=0))

    def _levels(self, now: float) -> None:
        counts, layer = self.counts, self.layer
        counts[INDEX["calls_active"]] = len(self.calls)
        counts[INDEX["dialogs"]] = len(self.legs)
        counts[INDEX["transactions"]] = len(layer.servers) + len(layer.clients)
        counts[INDEX["timers"]] = len(layer.wheel)
        hits, misses, refusals, kept, failed = self.certificates.counts()
        counts[INDEX["certificates_hit"]], counts[INDEX["certificates_missed"]] = hits, misses
        counts[INDEX["certificates_refused"]] = refusals
        counts[INDEX["certificates_kept"]], counts[INDEX["certificates_failed"]] = kept, failed
        names = self.peers.names
        counts[INDEX["names_unresolved"]] = names.unresolved()
        counts[INDEX["names_stale"]] = names.stale(now)
        counts[INDEX["addresses_refused"]] = names.refused
        counts[INDEX["peers_down"]] = self.peers.down(now)
        counts[INDEX["retransmissions"]] = layer.retransmissions
        counts[INDEX["keys_counted"]], counts[INDEX["keys_evicted"]] = self.counters.keys()
