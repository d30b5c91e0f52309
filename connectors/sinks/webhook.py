"""Standard Webhooks (standardwebhooks.com): one signed POST an attempt.

The id is the same on every attempt, so a receiver that keeps ids drops repeats; the time
stamp is fresh, so that old requests cannot be replayed. Redirects are failures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import aiohttp
from standardwebhooks import Webhook

from connectors.sinks.http_outcome import open_session, outcome_of
from connectors.sinks.pace import STANDARD_WEBHOOKS, Pace
from connectors.sinks.settings import WebhookSettings
from connectors.sinks.sink import Delivery, Outcome, Reason, Result
from connectors.sinks.webhook_body import encode_body
from connectors.sinks.webhook_summary import MOST_TOGETHER, encode_summary, summary_id
from connectors.web_errors import retry_after_s

USER_AGENT = "Wirebell/0.1 (webhooks)"
# The body itself is at fault; sending the same again cannot help. Every other answer may
# change with the receiver's next release.
_NEVER = frozenset({400, 413, 415, 422})
_OFF_AFTER_S = 5 * 86_400.0


def _now() -> datetime:
    return datetime.now(UTC)


class WebhookSink:
    """One receiver. Make it inside a running event loop."""

    def __init__(
        self,
        sink_id: str,
        settings: WebhookSettings,
        clock: Callable[[], datetime] = _now,
        pace: Pace | None = None,
    ) -> None:
        self._id = sink_id
        self._url = str(settings.url)
        self._signers = [Webhook(secret) for secret in settings.secret.get_secret_value().split()]
        self._clock = clock
        self._pace = pace or Pace(
            in_flight=16,
            target_in_flight=16,
            schedule_s=STANDARD_WEBHOOKS,
            off_after_s=_OFF_AFTER_S,
            most_together=MOST_TOGETHER,
        )
        self._session = open_session(settings.timeout_s, allow_private=settings.allow_private)

    @property
    def id(self) -> str:
        """The id from the configuration."""
        return self._id

    @property
    def pace(self) -> Pace:
        """Standard Webhooks' schedule; repeats are harmless, so nothing has to settle."""
        return self._pace

    async def deliver(self, delivery: Delivery) -> Result:
        """Post the alert once."""
        return await self.post(delivery.id, encode_body(delivery.alert))

    async def deliver_together(
        self, deliveries: Sequence[Delivery], reason: Reason
    ) -> Sequence[Result]:
        """Post one summary of all; each that grows comes whole later."""
        body = encode_summary([each.alert for each in deliveries], reason)
        delivery_id = summary_id(deliveries)
        result = await self.post(delivery_id, body)
        if result.outcome == "delivered":
            result = Result("delivered", {"bundle": delivery_id}, status=result.status)
        return [result] * len(deliveries)

    async def post(self, delivery_id: str, body: bytes) -> Result:
        """Post a JSON body once, signed."""
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers=self._headers(delivery_id, body),
                allow_redirects=False,
            ) as answer:
                result = _judge(answer)
        except Exception as error:  # noqa: BLE001 - every way to fail is an outcome
            return outcome_of(error)
        return result

    async def look_back(self, delivery: Delivery) -> Result | None:
        """A receiver cannot be asked; it drops repeats of the same id."""
        return None

    async def check(self) -> str:
        """Whether the receiver answers at all; HEAD rings nothing."""
        try:
            async with self._session.head(self._url, allow_redirects=False):
                return ""
        except Exception as error:  # noqa: BLE001 - as above
            return outcome_of(error).detail

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    def _headers(self, delivery_id: str, body: bytes) -> dict[str, str]:
        moment = self._clock()
        text = body.decode()
        signatures = (signer.sign(delivery_id, moment, text) for signer in self._signers)
        return {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": USER_AGENT,
            "webhook-id": delivery_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


def _judge(answer: aiohttp.ClientResponse) -> Result:
    status = answer.status
    wait_s = retry_after_s(answer.headers)
    if 200 <= status < 300:
        return Result("delivered", status=status)
    if status == 410:
        return Result("turned_off", status=status, detail="the receiver answered 410 Gone")
    if status in _NEVER:
        return Result("refused", status=status, detail=f"the receiver answered {status}")
    if 300 <= status < 400:
        return Result("not_sent", status=status, detail=f"the receiver redirects ({status})")
    outcome: Outcome = "unknown" if status >= 500 else "not_sent"
    detail = f"the receiver answered {status}"
    return Result(outcome, status=status, retry_after_s=wait_s, detail=detail)
