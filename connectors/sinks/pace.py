"""How much a sink takes and how it wants to be tried again. Each sink declares its own."""

from __future__ import annotations

from dataclasses import dataclass

_HOUR = 3600.0
# The schedule that Standard Webhooks recommends, carried on to 75 hours.
STANDARD_WEBHOOKS = (5.0, 300.0, 1_800.0, 2 * _HOUR, 5 * _HOUR) + (10 * _HOUR,) * 7
# For a service that people watch: a minute's outage costs seconds, and a night's is outlived.
ATTENTIVE = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0) + (1_800.0,) * 70


@dataclass(frozen=True, slots=True)
class Pace:
    """What the one who calls a sink has to keep to.

    `in_flight` attempts at once in one worker; `target_in_flight` at once to one target and
    `target_interval_s` between their starts, over all workers. After an unknown outcome the
    receiver may apply the request for another `settle_s`; looking back earlier would lie.
    `schedule_s`: seconds to wait after the 1st, 2nd, ... failure; after the last comes the end.
    A target that failed every attempt for `off_after_s`, again and again (streams/retries.py), is
    turned off (None: never).
    `most_together` stories fit into one message (0: it tells each by itself); routine ones are
    gathered for up to `gather_s`.
    """

    in_flight: int = 8
    target_in_flight: int = 1
    target_interval_s: float = 0.0
    settle_s: float = 0.0
    schedule_s: tuple[float, ...] = ATTENTIVE
    off_after_s: float | None = None
    most_together: int = 0
    gather_s: float = 0.0
