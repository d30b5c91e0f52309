"""What one subscription would have been told of a run of alerts. Pure: sends nothing, keeps
nothing outside itself. Follows the rules of subscriptions.py and of the ledger: who was told
of a story is told of its growth.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from connectors.records import Alert
from streams.subscription_settings import SubscriptionSettings
from streams.subscriptions import Threshold, any_probability, wishes

# rings    a message of a story that the place has not heard of
# grows    that message is edited, its thread told where the subscription asks for it
# waits    as "rings", held back for the end of quiet hours or for the digest
# beyond   as "rings", but over the cap of its clock hour
Part = Literal["rings", "grows", "waits", "beyond"]


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that the subscription would have been told, and when."""

    at: datetime
    part: Part
    alert: Alert


@dataclass(slots=True)
class Rehearsal:
    """A subscription in a rehearsal. `passed`: alerts that it does not ask for."""

    subscription: SubscriptionSettings
    threshold: Threshold = any_probability
    told: list[Told] = field(default_factory=list)
    passed: int = 0
    _known: set[str] = field(default_factory=set)
    _hours: Counter[int] = field(default_factory=Counter)

    def add(self, alert: Alert, at: datetime) -> None:
        """One alert, in the order of event time."""
        wish = wishes([self.subscription], alert, at, threshold=self.threshold)[0]
        story = alert.story.id
        if story in self._known:
            if wish.follows:
                self.told.append(Told(at, "grows", alert))
            return
        if not wish.matches:
            self.passed += 1
            return
        self._known.add(story)
        if wish.not_before:
            moment = datetime.fromtimestamp(wish.not_before, UTC)
            self.told.append(Told(moment, "waits", alert))
            return
        self.told.append(Told(at, self._ring(alert, at), alert))

    def counts(self) -> Counter[Part]:
        """How often each part came."""
        return Counter(each.part for each in self.told)

    def _ring(self, alert: Alert, at: datetime) -> Part:
        cap, hour = self.subscription.max_per_hour, int(at.timestamp() // 3_600)
        if cap and alert.priority != "flash":
            if self._hours[hour] >= cap:
                return "beyond"
            self._hours[hour] += 1
        return "rings"
