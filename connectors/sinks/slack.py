"""Slack by bot token: one message a story and channel, edited as the story grows.

Owns the calls (chat.postMessage, chat.update) and looking back for our own metadata. What a
message looks like is `slack_blocks.py`; what an answer means is `slack_errors.py`. slack-sdk
repeats posts that Slack has accepted: its retry handlers are off, we repeat ourselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from connectors.sinks.http_outcome import open_session
from connectors.sinks.pace import Pace
from connectors.sinks.settings import SlackSettings
from connectors.sinks.sink import Delivery, Reason, Result
from connectors.sinks.slack_actions import choices_block
from connectors.sinks.slack_blocks import Message, news_message, story_message
from connectors.sinks.slack_bundle import MOST_TOGETHER, bundle_message
from connectors.sinks.slack_errors import GONE, result_of, slack_error
from connectors.sinks.slack_history import SlackHistory
from connectors.sinks.told import News, decode_told, encode_told, news_since, told_of

# After an answer was lost, Slack may still apply the request; measured apart, 45 s covers it.
SETTLE_S = 45.0
# Any one of these lets it look back in channels of that kind.
_HISTORY_SCOPES = frozenset({"channels:history", "groups:history", "im:history", "mpim:history"})
_log = structlog.get_logger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


class SlackSink:
    """One workspace. Make it inside a running event loop."""

    def __init__(
        self,
        sink_id: str,
        settings: SlackSettings,
        clock: Callable[[], datetime] = _now,
        pace: Pace | None = None,
    ) -> None:
        self._id = sink_id
        self._zone_of = settings.zone_of
        self._clock = clock
        self._interactive = settings.interactive
        self._app_token = settings.app_token.get_secret_value()
        # Four at once to a channel: the place of a worker that was killed stays taken until
        # its lease ends, and a fresh alert must not wait for that.
        self._pace = pace or Pace(
            in_flight=32,
            target_in_flight=4,
            target_interval_s=settings.post_interval_s,
            settle_s=SETTLE_S,
            most_together=MOST_TOGETHER,
            gather_s=settings.gather_s,
        )
        self._session = open_session(settings.timeout_s, allow_private=True)
        self._client = AsyncWebClient(
            token=settings.token.get_secret_value(),
            base_url=str(settings.api_url),
            session=self._session,
            retry_handlers=[],
        )
        self._history = SlackHistory(self._client, clock)

    @property
    def id(self) -> str:
        """The id from the configuration."""
        return self._id

    @property
    def pace(self) -> Pace:
        """About one message a second and channel."""
        return self._pace

    async def deliver(self, delivery: Delivery) -> Result:
        """Post the story's message, or edit it and tell the thread what is new."""
        ts = delivery.receipt.get("ts")
        if ts is None:
            return _muted(delivery) or await self._post(delivery)
        channel = delivery.receipt["channel"]
        message = self._message(delivery, _moment(ts), self._clock())
        try:
            await self._client.chat_update(channel=channel, ts=ts, **_fields(message))
        except Exception as error:  # noqa: BLE001 - every way to fail is an outcome
            if slack_error(error) in GONE:
                return _muted(delivery) or await self._post(delivery)
            return result_of(error)
        news = _news(delivery)
        if news is not None:
            result = await self._tell_thread(delivery, channel, ts, news)
            if result is not None:
                return result
        return Result("delivered", _receipt(delivery, channel, ts), status=200)

    async def deliver_together(
        self, deliveries: Sequence[Delivery], reason: Reason
    ) -> Sequence[Result]:
        """Post one message that names all the stories; each that grows gets its own later."""
        target = deliveries[0].target
        alerts = [each.alert for each in deliveries]
        message = bundle_message(alerts, reason, self._zone_of(target))
        try:
            answer = await self._client.chat_postMessage(
                channel=target, unfurl_links=False, unfurl_media=False, **_fields(message)
            )
            receipt = {"channel": str(answer["channel"]), "bundle": str(answer["ts"])}
            self._history.learn(target, receipt["channel"])
        except Exception as error:  # noqa: BLE001 - every way to fail is an outcome
            return [result_of(error)] * len(deliveries)
        return [Result("delivered", receipt, status=200)] * len(deliveries)

    async def look_back(self, delivery: Delivery) -> Result | None:
        """Search the channel (or the story's thread) for our own metadata."""
        ts = delivery.receipt.get("ts")
        try:
            if ts is None:
                found = await self._history.find_story(delivery)
                if found is None:
                    return None
                receipt = {"channel": found.channel, "bundle": found.ts}
                if not found.among_others:
                    receipt = _kept(found.channel, found.ts, found.revision, found.told)
                return Result("delivered", receipt, status=200, revision=found.revision)
            return await self._look_into_thread(delivery, delivery.receipt["channel"], ts)
        except Exception as error:  # noqa: BLE001 - as above
            if slack_error(error) in GONE:
                return None
            seen = result_of(error)
            if seen.outcome == "refused":
                # The token may not read this channel. Silence would be the greater harm; if
                # the channel or the token itself is wrong, sending says so.
                _log.warning("cannot look back", sink=self._id, detail=seen.detail)
                return None
            detail = f"looking back: {seen.detail}"
            return Result("unknown", {}, seen.retry_after_s, detail, seen.status)

    async def _look_into_thread(self, delivery: Delivery, channel: str, ts: str) -> Result | None:
        """Whether the thread has been told more than the receipt knows. Editing again is
        harmless, so only the thread has to be looked at.
        """
        if _news(delivery) is None:
            return None
        known = int(delivery.receipt.get("revision") or delivery.previous_revision)
        found = await self._history.find_news(delivery, channel, ts)
        if found is None or found.revision <= known:
            return None
        receipt = _kept(channel, ts, found.revision, found.told)
        return Result("delivered", receipt, status=200, revision=found.revision)

    async def check(self) -> str:
        """Whether the token is good and may write and look back, and the app token too."""
        if self._app_token:
            try:
                await self._client.apps_connections_open(app_token=self._app_token)
            except Exception as error:  # noqa: BLE001 - as above
                return f"the app token: {result_of(error).detail}"
        try:
            answer = await self._client.auth_test()
        except Exception as error:  # noqa: BLE001 - as above
            return result_of(error).detail
        granted = {scope.strip() for scope in answer.headers.get("x-oauth-scopes", "").split(",")}
        if granted == {""}:  # what stands between us and Slack has dropped the header
            return ""
        if "chat:write" not in granted:
            return "the token lacks the scope chat:write"
        return "" if granted & _HISTORY_SCOPES else "the token lacks the scope channels:history"

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    def _message(
        self, delivery: Delivery, sent_at: datetime | None, updated_at: datetime | None
    ) -> Message:
        alert, zone = delivery.alert, self._zone_of(delivery.target)
        choices = choices_block(alert, delivery.target) if self._interactive else None
        return story_message(
            alert, zone, updated_at, delivery.verdicts, choices=choices, sent_at=sent_at
        )

    async def _post(self, delivery: Delivery) -> Result:
        message = self._message(delivery, self._clock(), None)
        try:
            answer = await self._client.chat_postMessage(
                channel=delivery.target,
                unfurl_links=False,
                unfurl_media=False,
                **_fields(message),
            )
            channel, ts = str(answer["channel"]), str(answer["ts"])
            self._history.learn(delivery.target, channel)
        except Exception as error:  # noqa: BLE001 - as above
            return result_of(error)
        return Result("delivered", _receipt(delivery, channel, ts), status=200)

    async def _tell_thread(
        self, delivery: Delivery, channel: str, ts: str, news: News
    ) -> Result | None:
        """Post what is new; None when it is there, or has nowhere to go any more."""
        message = news_message(delivery.alert, news, delivery.id)
        try:
            await self._client.chat_postMessage(
                channel=channel,
                thread_ts=ts,
                reply_broadcast=news.louder,
                unfurl_links=False,
                unfurl_media=False,
                **_fields(message),
            )
        except Exception as error:  # noqa: BLE001 - as above
            return None if slack_error(error) in GONE else result_of(error)
        return None


def _moment(ts: str) -> datetime | None:
    """When a message was posted: Slack names messages by their time."""
    try:
        return datetime.fromtimestamp(float(ts), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _muted(delivery: Delivery) -> Result | None:
    """Of a muted story nothing is posted; what there is of it is edited."""
    return Result("delivered", delivery.receipt, detail="muted") if delivery.muted else None


def _news(delivery: Delivery) -> News | None:
    if not delivery.tell_news:
        return None
    told = decode_told(delivery.receipt.get("told", ""))
    news = news_since(told, delivery.alert) if told is not None else None
    return news if news is not None and news.lines else None


def _receipt(delivery: Delivery, channel: str, ts: str) -> dict[str, str]:
    alert = delivery.alert
    return _kept(channel, ts, alert.story.revision, encode_told(told_of(alert)))


def _kept(channel: str, ts: str, revision: int, told: str) -> dict[str, str]:
    """What the ledger keeps of a message: where it is, and what it and its thread have told."""
    return {"channel": channel, "ts": ts, "revision": str(revision), "told": told}


def _fields(message: Message) -> dict[str, Any]:
    return {
        "text": message.text,
        "blocks": message.blocks,
        "metadata": message.metadata,
        "parse": "none",
        "link_names": False,
    }
