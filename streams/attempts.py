"""What a claim becomes: a delivery for the sink, a line of the log, a message with others. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from connectors.records import Alert
from connectors.sinks.pace import Pace
from connectors.sinks.sink import Delivery, Reason, Result
from streams.ledger import Attempt, Claim
from streams.subscription_settings import SubscriptionSettings

# Which reason a message of several gives when they came to it by different ways.
_REASONS: tuple[Reason, ...] = ("cap", "digest", "waking")


def in_messages(claims: Sequence[Claim]) -> list[list[Claim]]:
    """The claims by the message that they go into, in their order."""
    messages: dict[str, list[Claim]] = {}
    for claim in claims:
        messages.setdefault(claim.message or claim.job, []).append(claim)
    return list(messages.values())


def reason_of(claims: Sequence[Claim]) -> Reason:
    """Why these come together; what somebody missed comes before what only gathered."""
    given = {claim.together for claim in claims}
    return next((reason for reason in _REASONS if reason in given), "burst")


def delivery_of(
    claim: Claim, alert: Alert, subscriptions: Sequence[SubscriptionSettings]
) -> Delivery:
    """What the sink is asked to do. News beside the message are told if any subscription that
    wanted the story asks for them, unless somebody muted or followed the story.
    """
    since = None if claim.first_sent is None else datetime.fromtimestamp(claim.first_sent, UTC)
    place = hashlib.sha256(claim.destination.encode()).hexdigest()[:12]
    named = set(claim.subscriptions.split(","))
    updates = {entry.updates for entry in subscriptions if entry.id in named}
    return Delivery(
        id=f"{alert.id}:{place}",
        subscription_id=claim.subscriptions,
        target=claim.target,
        alert=alert,
        previous_revision=claim.done_revision,
        receipt=claim.receipt,
        attempted_since=since,
        tell_news=claim.stance != "mute"
        and (claim.stance == "follow" or not updates or "thread" in updates),
        muted=claim.stance == "mute",
        verdicts=claim.verdicts,
    )


def off_words(attempt: Attempt, pace: Pace) -> str:
    """Why a destination is turned off, for a person."""
    if attempt.outcome == "turned_off":
        return attempt.detail or "turned off"
    days = (pace.off_after_s or 0.0) / 86_400
    said = attempt.detail or attempt.outcome
    return f"every attempt has failed for {days:g} days; the last: {said}"


def attempt_of(claim: Claim, result: Result, now: float, took_s: float) -> Attempt:
    """The line of the delivery log."""
    sink, _, rest = claim.job.partition("|")
    return Attempt(
        at=datetime.fromtimestamp(now, UTC),
        sink=sink,
        target=claim.target,
        story_id=rest.rpartition("|")[2],
        revision=claim.revision,
        outcome=result.outcome,
        attempt=claim.failures + 1,
        status=result.status,
        detail=result.detail[:300],
        took_s=round(took_s, 3),
    )
