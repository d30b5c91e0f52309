"""The contract of a sink: bring one receiver up to one revision of one story.

A sink makes one attempt and says what is known of its outcome. It does not retry, sleep
or remember: retries, leases and receipts belong to the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from connectors.records import Alert
from connectors.sinks.pace import Pace

# What a receiver gave back that the next revision needs (Slack: channel, ts). Short strings.
Receipt = Mapping[str, str]

# delivered  accepted by the receiver.
# not_sent   certainly not applied (refused, DNS, TLS, 429): may be sent again as it is.
# unknown    perhaps applied (timeout, reset, 5xx, cut body): look back before sending again.
# refused    permanent: never accepted as it is (400, channel_not_found): dead letter.
# turned_off the receiver wants no more at all (webhook 410).
Outcome = Literal["delivered", "not_sent", "unknown", "refused", "turned_off"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody decided about a story, to be shown with it. `id` tells repeats; `note` says
    more of it, in a few words.
    """

    id: str
    choice: str
    who: str
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What to deliver. `id` is the same on every attempt and unique per subscription,
    story and revision; `receipt` is what the last delivered revision of this story gave
    back, empty for the first; `previous_revision` is what the receiver has (0: nothing).
    `attempted_since` is our clock at the first attempt that may have been applied, if known.
    Not `tell_news`: the message is edited, nobody is told beside it. `muted`: nor is it
    posted anew.
    """

    id: str
    subscription_id: str
    target: str
    alert: Alert
    previous_revision: int = 0
    receipt: Receipt = field(default_factory=dict)
    attempted_since: datetime | None = None
    tell_news: bool = True
    muted: bool = False
    verdicts: Sequence[Verdict] = ()


# Why several stories come in one message: routine ones in a burst, the end of quiet hours, a
# digest's time, or what a cap an hour held back.
Reason = Literal["burst", "waking", "digest", "cap"]


@dataclass(frozen=True, slots=True)
class Result:
    """What one attempt came to. `retry_after_s` is what the receiver demanded. `revision`
    is set where looking back found another revision than the delivery's.
    """

    outcome: Outcome
    receipt: Receipt = field(default_factory=dict)
    retry_after_s: float | None = None
    detail: str = ""
    status: int | None = None
    revision: int | None = None


class Sink(Protocol):
    """One way out. `target` in a delivery names the place within it (a channel, a URL id)."""

    @property
    def id(self) -> str:
        """The id from the configuration."""
        ...

    @property
    def pace(self) -> Pace:
        """How much it takes, and how it wants to be tried again."""
        ...

    async def deliver(self, delivery: Delivery) -> Result:
        """Make one attempt. Never raises for what the receiver does; bounded in time."""
        ...

    async def look_back(self, delivery: Delivery) -> Result | None:
        """After an unknown outcome: has the receiver got it?

        Returns the delivered result when found, None when it is certainly not there or the
        receiver cannot be asked but drops repeats of the same id itself; a result with
        outcome "unknown" when it could not be found out now.
        """
        ...

    async def check(self) -> str:
        """Try the receiver for real without ringing; "" when well, else one line why not."""
        ...

    async def close(self) -> None:
        """Give back connections. May be called twice."""
        ...


@runtime_checkable
class TogetherSink(Protocol):
    """A sink that can tell of several stories in one message; its pace says of how many."""

    async def deliver_together(
        self, deliveries: Sequence[Delivery], reason: Reason
    ) -> Sequence[Result]:
        """Make one attempt for all; one result each, all with the same outcome. The receipts
        have the key "bundle". `look_back` finds each of them by itself.
        """
        ...
