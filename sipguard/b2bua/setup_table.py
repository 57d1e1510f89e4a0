"""The initial INVITE as a table: what each state does with each event, and which state follows.

Enters: nothing. Leaves: SETUP and its words. Must not: act; `setup` does.
"""

from __future__ import annotations

from typing import Final

# states
SCREENING: Final = "screening"
CALLING: Final = "calling"
RINGING: Final = "ringing"
CANCEL_LATER: Final = "cancel_later"  # the caller gave up before the next hop said anything
CANCELLING: Final = "cancelling"
ANSWERED: Final = "answered"
ENDED: Final = "ended"
STATES: Final = (SCREENING, CALLING, RINGING, CANCEL_LATER, CANCELLING, ANSWERED, ENDED)

# events
FORWARD: Final = "forward"
REFUSE: Final = "refuse"
PROVISIONAL: Final = "1xx"
SUCCESS: Final = "2xx"
FAILURE: Final = "3xx-6xx"
LOST: Final = "lost"
OVERDUE: Final = "overdue"  # Timer C
GIVE_UP: Final = "give_up"  # CANCEL of the caller, or hung up by us
EVENTS: Final = (FORWARD, REFUSE, PROVISIONAL, SUCCESS, FAILURE, LOST, OVERDUE, GIVE_UP)

# actions
IGNORE: Final = "ignore"
TRY: Final = "try"  # send the INVITE to the first peer
ANSWER: Final = "answer"  # a final response of our own
RELAY: Final = "relay"
JOIN: Final = "join"  # relay the 2xx, both dialogs stand
NEXT: Final = "next"  # another peer, or relay the failure
TERMINATE: Final = "terminate"  # 487 to the caller
TERMINATE_AND_CANCEL: Final = "terminate_and_cancel"
SEND_CANCEL: Final = "send_cancel"
DISMISS: Final = "dismiss"  # a 2xx nobody waits for: ACK and BYE
CLOSE: Final = "close"
ACTIONS: Final = (
    IGNORE, TRY, ANSWER, RELAY, JOIN, NEXT, TERMINATE, TERMINATE_AND_CANCEL, SEND_CANCEL, DISMISS, CLOSE,
)  # fmt: skip

SETUP: Final[dict[tuple[str, str], tuple[str, str]]] = {
    (SCREENING, FORWARD): (TRY, CALLING),
    (SCREENING, REFUSE): (ANSWER, ENDED),
    (SCREENING, PROVISIONAL): (IGNORE, SCREENING),
    (SCREENING, SUCCESS): (IGNORE, SCREENING),
    (SCREENING, FAILURE): (IGNORE, SCREENING),
    (SCREENING, LOST): (IGNORE, SCREENING),
    (SCREENING, OVERDUE): (IGNORE, SCREENING),
    (SCREENING, GIVE_UP): (TERMINATE, ENDED),
    (CALLING, FORWARD): (IGNORE, CALLING),
    (CALLING, REFUSE): (IGNORE, CALLING),
    (CALLING, PROVISIONAL): (RELAY, RINGING),
    (CALLING, SUCCESS): (JOIN, ANSWERED),
    (CALLING, FAILURE): (NEXT, CALLING),
    (CALLING, LOST): (NEXT, CALLING),
    (CALLING, OVERDUE): (IGNORE, CALLING),
    (CALLING, GIVE_UP): (TERMINATE, CANCEL_LATER),
    (RINGING, FORWARD): (IGNORE, RINGING),
    (RINGING, REFUSE): (IGNORE, RINGING),
    (RINGING, PROVISIONAL): (RELAY, RINGING),
    (RINGING, SUCCESS): (JOIN, ANSWERED),
    (RINGING, FAILURE): (NEXT, CALLING),
    (RINGING, LOST): (NEXT, CALLING),
    (RINGING, OVERDUE): (TERMINATE_AND_CANCEL, CANCELLING),
    (RINGING, GIVE_UP): (TERMINATE_AND_CANCEL, CANCELLING),
    (CANCEL_LATER, FORWARD): (IGNORE, CANCEL_LATER),
    (CANCEL_LATER, REFUSE): (IGNORE, CANCEL_LATER),
    (CANCEL_LATER, PROVISIONAL): (SEND_CANCEL, CANCELLING),
    (CANCEL_LATER, SUCCESS): (DISMISS, ENDED),
    (CANCEL_LATER, FAILURE): (CLOSE, ENDED),
    (CANCEL_LATER, LOST): (CLOSE, ENDED),
    (CANCEL_LATER, OVERDUE): (IGNORE, CANCEL_LATER),
    (CANCEL_LATER, GIVE_UP): (IGNORE, CANCEL_LATER),
    (CANCELLING, FORWARD): (IGNORE, CANCELLING),
    (CANCELLING, REFUSE): (IGNORE, CANCELLING),
    (CANCELLING, PROVISIONAL): (IGNORE, CANCELLING),
    (CANCELLING, SUCCESS): (DISMISS, ENDED),
    (CANCELLING, FAILURE): (CLOSE, ENDED),
    (CANCELLING, LOST): (CLOSE, ENDED),
    (CANCELLING, OVERDUE): (CLOSE, ENDED),
    (CANCELLING, GIVE_UP): (IGNORE, CANCELLING),
    (ANSWERED, FORWARD): (IGNORE, ANSWERED),
    (ANSWERED, REFUSE): (IGNORE, ANSWERED),
    (ANSWERED, PROVISIONAL): (IGNORE, ANSWERED),
    (ANSWERED, SUCCESS): (IGNORE, ANSWERED),
    (ANSWERED, FAILURE): (IGNORE, ANSWERED),
    (ANSWERED, LOST): (IGNORE, ANSWERED),
    (ANSWERED, OVERDUE): (IGNORE, ANSWERED),
    (ANSWERED, GIVE_UP): (IGNORE, ANSWERED),
    (ENDED, FORWARD): (IGNORE, ENDED),
    (ENDED, REFUSE): (IGNORE, ENDED),
    (ENDED, PROVISIONAL): (IGNORE, ENDED),
    (ENDED, SUCCESS): (IGNORE, ENDED),
    (ENDED, FAILURE): (IGNORE, ENDED),
    (ENDED, LOST): (IGNORE, ENDED),
    (ENDED, OVERDUE): (IGNORE, ENDED),
    (ENDED, GIVE_UP): (IGNORE, ENDED),
}
