"""When a failed delivery is tried again, and when it ends. Pure: clock and chance are passed.

The schedule is the sink's (`connectors/sinks/pace.py`); what the receiver demands
(Retry-After) is honoured on top of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from connectors.sinks.pace import Pace
from connectors.sinks.sink import Result
from streams.ledger import Claim, Retry

# Up to this share is added to each wait, so that a crowd of deliveries does not come back at
# the same instant.
JITTER = 0.2
# A receiver that asks for longer than a day is asked again after one.
MAX_RETRY_AFTER_S = 86_400.0
# The receiver is overloaded, or what stands before it is: fewer requests, not only later ones.
_OVERLOADED = frozenset({429, 502, 503, 504})
_BREATH_S = 30.0
# One failure before days without an alert, and one after them, are no days of failing. Half days in
# which it failed: the schedule of one message makes five of them before it gives up.
_OFF_TIMES = 5

EndReason = Literal["refused", "turned_off", "gave_up"]


@dataclass(frozen=True, slots=True)
class End:
    """No further attempt. `unknown`: an attempt may have been applied all the same."""

    reason: EndReason
    unknown: bool = False


def plan(
    result: Result,
    claim: Claim,
    now: float,
    pace: Pace,
    chance: Callable[[], float],
    *,
    sent: bool = True,
) -> Retry | End:
    """What follows an attempt that did not deliver.

    `now` is epoch seconds, `chance` gives 0 to 1. Not `sent`: only looking back was tried,
    so there is nothing new to wait out.
    """
    if result.outcome == "turned_off":
        return End("turned_off")
    if result.outcome == "refused":
        return End("turned_off" if _failing_too_long(claim, now, pace) else "refused")
    unknown = result.outcome == "unknown"
    # Being told when to come again says nothing against the message; a bare "too many" is met with
    # the schedule, which gets slower.
    counts = result.status != 429 or result.retry_after_s is None
    if counts and claim.failures >= len(pace.schedule_s):
        return End("gave_up", unknown)
    if _failing_too_long(claim, now, pace):
        return End("turned_off", unknown)
    wait_s = pace.schedule_s[min(claim.failures, len(pace.schedule_s) - 1)]
    wait_s *= 1 + JITTER * chance()
    blocked_until = 0.0
    if result.retry_after_s is not None:
        demanded = min(max(result.retry_after_s, 0.0), MAX_RETRY_AFTER_S)
        wait_s = max(wait_s, demanded) if counts else demanded
        blocked_until = now + demanded
    elif result.status in _OVERLOADED:
        blocked_until = now + min(wait_s, _BREATH_S)
    settled_at = now + pace.settle_s if unknown and sent else 0.0
    due = max(now + wait_s, settled_at)
    fails = not counts and pace.off_after_s is not None
    return Retry(due, unknown, settled_at, blocked_until, counts, fails)


def _failing_too_long(claim: Claim, now: float, pace: Pace) -> bool:
    since = claim.failing_since
    if pace.off_after_s is None or since is None or claim.failed_times < _OFF_TIMES:
        return False
    return now - since > pace.off_after_s
