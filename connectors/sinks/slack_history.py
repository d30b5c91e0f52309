"""Finding our own messages in Slack again, by their metadata.

Needs a bot token with a history scope; messages of incoming-webhook URLs cannot be found.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from connectors.sinks.sink import Delivery
from connectors.sinks.slack_blocks import EVENT_TYPE
from connectors.sinks.slack_errors import slack_error

# Slack's clock and ours may differ, and the request left before Slack stamped it.
_MARGIN = timedelta(minutes=10)
# Publishers' clocks run ahead of ours by more.
_PUBLISHER_MARGIN = timedelta(days=2)
# As long as the ledger itself remembers.
_LONGEST = timedelta(days=14)
_PAGE = 200
# 10,000 messages back; beyond that, a second message is less harm than silence.
_MAX_PAGES = 50
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{6,}")


@dataclass(frozen=True, slots=True)
class Found:
    """A story's message in a channel, and what it tells. `among_others`: it is no message of
    the story's own.
    """

    channel: str
    ts: str
    revision: int
    told: str
    among_others: bool = False


class SlackHistory:
    """Looks back. Its methods raise what slack-sdk and aiohttp raise."""

    def __init__(self, client: AsyncWebClient, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._clock = clock
        self._channels: dict[str, str] = {}

    def learn(self, target: str, channel: str) -> None:
        """Slack said which channel a name stands for, when it took a post."""
        self._channels[target.removeprefix("#")] = channel

    async def find_story(self, delivery: Delivery) -> Found | None:
        """The story's own message in the target channel, the latest if there are several."""
        channel = await self._channel_id(delivery.target)
        story = delivery.alert.story
        async for message in self._history(channel, self._oldest(delivery)):
            payload = _payload(message)
            if payload.get("part") == "story" and payload.get("story_id") == story.id:
                revision, told = int(payload.get("revision", 0)), str(payload.get("told", ""))
                return Found(channel, str(message["ts"]), revision, told)
            among = payload.get("stories")
            if payload.get("part") == "bundle" and isinstance(among, dict) and story.id in among:
                return Found(channel, str(message["ts"]), int(among[story.id]), "", True)
        return None

    async def find_news(self, delivery: Delivery, channel: str, ts: str) -> Found | None:
        """What the thread of the message was told last of the story: of this revision, or of an
        earlier one whose answer was lost.
        """
        last, story = None, delivery.alert.story.id
        cursor = ""
        for _ in range(_MAX_PAGES):
            answer = await self._client.conversations_replies(
                channel=channel, ts=ts, limit=_PAGE, include_all_metadata=True, cursor=cursor
            )
            for message in answer["messages"]:
                payload = _payload(message)
                if payload.get("part") == "news" and payload.get("story_id") == story:
                    revision, told = int(payload.get("revision", 0)), str(payload.get("told", ""))
                    if last is None or revision >= last.revision:
                        last = Found(channel, ts, revision, told)
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        return last

    async def _history(self, channel: str, oldest: datetime) -> AsyncIterator[dict[str, Any]]:
        cursor = ""
        for _ in range(_MAX_PAGES):
            answer = await self._client.conversations_history(
                channel=channel,
                oldest=f"{oldest.timestamp():.6f}",
                limit=_PAGE,
                include_all_metadata=True,
                cursor=cursor,
            )
            for message in answer["messages"]:
                yield message
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return

    def _oldest(self, delivery: Delivery) -> datetime:
        """No message of the story can be older than this."""
        if delivery.attempted_since is not None:
            return delivery.attempted_since - _MARGIN
        now, alert = self._clock(), delivery.alert
        moments = [alert.story.first_seen, alert.fetched_at, now]
        return max(min(moments) - _PUBLISHER_MARGIN, now - _LONGEST)

    async def _channel_id(self, target: str) -> str:
        """The id of a channel named in the configuration; posting takes names, reading not."""
        if _CHANNEL_ID.fullmatch(target):
            return target
        name = target.removeprefix("#")
        if name not in self._channels:
            await self._learn_channels(name)
        return self._channels.get(name, target)

    async def _learn_channels(self, name: str) -> None:
        try:
            await self._list_channels(name, "public_channel,private_channel")
        except SlackApiError as error:
            if slack_error(error) != "missing_scope":
                raise
            # Private channels need a scope of their own (groups:read).
            await self._list_channels(name, "public_channel")

    async def _list_channels(self, name: str, types: str) -> None:
        cursor = ""
        for _ in range(_MAX_PAGES):
            answer = await self._client.conversations_list(types=types, limit=_PAGE, cursor=cursor)
            for channel in answer["channels"]:
                self._channels[str(channel["name"])] = str(channel["id"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if name in self._channels or not cursor:
                return


def _payload(message: dict[str, Any]) -> dict[str, Any]:
    found = message.get("metadata") or {}
    payload = found.get("event_payload") if found.get("event_type") == EVENT_TYPE else None
    return payload if isinstance(payload, dict) else {}
