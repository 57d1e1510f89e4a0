"""A softphone in a process of its own: PJSUA2, null audio, one call at a time.

    python -m tests.e2e.softphone udp 127.0.11.1 [CA_FILE CERTIFICATE KEY]     commands on stdin, events on stdout

Enters: lines of JSON such as {"do": "call", "uri": "sip:...", "headers": {"X-A": "b"}}. Leaves: lines of JSON, among
them each SIP message as it was sent or received. Must not: know sipguard. PJSUA2 has one endpoint in a process, so
each phone has its own.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any

import pjsua2 as pj

TRANSPORTS = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}
LOG_MESSAGES = 5  # level at which SIP messages are written


def say(event: str, **more: object) -> None:
    """An event for whoever has started this process."""
    sys.stdout.write(json.dumps({"event": event, **more}) + "\n")
    sys.stdout.flush()


class Log(pj.LogWriter):
    """Picks the SIP messages out of what PJSIP logs."""

    def write(self, entry: Any) -> None:
        head, found, rest = entry.msg.partition(":\n")
        sent = " TX " in head
        if found and (sent or " RX " in head):
            text, ended, _ = rest.rpartition("\n--end msg--")
            if ended:
                say("message", sent=sent, text=text)


class Call(pj.Call):
    """One call, and what becomes of it."""

    def onCallState(self, prm: Any) -> None:
        found = self.getInfo()
        say("state", state=found.stateText, code=int(found.lastStatusCode))

    def onCallMediaState(self, prm: Any) -> None:
        found = self.getInfo()
        say("media", status=[int(each.status) for each in found.media])

    def onCallTransferRequest(self, prm: Any) -> None:
        say("transfer", to=prm.dstUri)
        prm.newCall = phone.take(Call(phone.account))

    def onCallTransferStatus(self, prm: Any) -> None:
        say("transferred", code=int(prm.statusCode), final=bool(prm.finalNotify))
        prm.cont = not prm.finalNotify

    def onDtmfDigit(self, prm: Any) -> None:
        say("digit", digit=prm.digit)


class Account(pj.Account):
    """Who takes calls."""

    def onIncomingCall(self, prm: Any) -> None:
        call = phone.take(Call(self, prm.callId))
        say("incoming", uri=call.getInfo().remoteUri)
        phone.answer(180)


class Phone:
    """The endpoint with one account."""

    def __init__(self, transport: str, host: str, *tls: str) -> None:
        self.endpoint = endpoint = pj.Endpoint()
        endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.userAgent = "softphone"
        self.log = Log()
        config.logConfig.writer = self.log
        config.logConfig.level = LOG_MESSAGES
        config.logConfig.consoleLevel = LOG_MESSAGES
        config.logConfig.decor = pj.PJ_LOG_HAS_SENDER | pj.PJ_LOG_HAS_SPACE
        config.medConfig.noVad = True
        endpoint.libInit(config)
        place = pj.TransportConfig()
        place.boundAddress = place.publicAddress = host
        if tls:
            place.tlsConfig.CaListFile, place.tlsConfig.certFile, place.tlsConfig.privKeyFile = tls
            place.tlsConfig.verifyServer = place.tlsConfig.verifyClient = True
        made = endpoint.transportCreate(TRANSPORTS[transport], place)
        endpoint.audDevManager().setNullDev()
        endpoint.libStart()
        port = int(endpoint.transportGetInfo(made).localAddress.rpartition(":")[2])
        over = "" if transport == "udp" else f";transport={transport}"
        account = pj.AccountConfig()
        account.idUri = f"sip:+12025550101@{host}:{port}{over}"
        account.mediaConfig.transportConfig.boundAddress = host
        account.mediaConfig.transportConfig.publicAddress = host
        account.callConfig.timerUse = pj.PJSUA_SIP_TIMER_INACTIVE
        self.account = Account()
        self.account.create(account)
        self.calls: list[Call] = []  # the last one is meant by commands, unless they say "first"
        say("ready", port=port)

    def take(self, call: Call) -> Call:
        """Keeps one more call."""
        self.calls.append(call)
        return call

    def answer(self, status: int) -> None:
        """A response to the call that came in."""
        prm = pj.CallOpParam()
        prm.statusCode = status
        self.calls[-1].answer(prm)

    def obey(self, command: dict[str, Any]) -> bool:
        """Does what it is told; False where it shall end."""
        do = command["do"]
        prm = pj.CallOpParam(True)
        call = self.calls[0 if command.get("first") else -1] if self.calls else None
        if do == "call":
            for name, value in command.get("headers", {}).items():
                header = pj.SipHeader()
                header.hName, header.hValue = name, value
                prm.txOption.headers.append(header)
            self.take(Call(self.account)).makeCall(command["uri"], prm)
        elif do == "answer":
            self.answer(command["status"])
        elif do == "hold":
            call.setHold(prm)
        elif do == "unhold":
            prm.opt.flag = pj.PJSUA_CALL_UNHOLD
            call.reinvite(prm)
        elif do == "digit":
            digits = pj.CallSendDtmfParam()
            digits.method, digits.digits = pj.PJSUA_DTMF_METHOD_SIP_INFO, command["digit"]
            call.sendDtmf(digits)
        elif do == "transfer":
            call.xfer(command["uri"], prm)
        elif do == "hangup":
            call.hangup(prm)
        return bool(do != "quit")

    def run(self) -> None:
        """Obeys and handles events until told to quit, or nobody is there to tell."""
        pending = b""
        while True:
            self.endpoint.libHandleEvents(10)
            if not select.select([0], [], [], 0)[0]:
                continue
            read = os.read(0, 65536)
            *lines, pending = (pending + read).split(b"\n")
            for line in lines:
                try:
                    if not self.obey(json.loads(line)):
                        return
                except pj.Error as error:
                    say("error", what=error.info())
            if not read:
                return


if __name__ == "__main__":
    phone = Phone(*sys.argv[1:])
    phone.run()
    phone.calls.clear()
    phone.endpoint.libDestroy()
