"""An incident in Slack: one message, edited as causes come and go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from connectors.sinks.http_outcome import open_session
from connectors.sinks.notices import MAX_CAUSE_CHARS, Notice
from connectors.sinks.settings import SlackSettings
from connectors.sinks.sink import Result
from connectors.sinks.slack_errors import GONE, result_of, slack_error
from connectors.sinks.slack_text import context, escape, header, marked_section

MAX_CAUSES = 8


class SlackNotifier:
    """One message an incident, edited as it changes; its end and whatever makes it worse are
    said below it and in the channel, since an edit rings nobody.
    """

    def __init__(self, settings: SlackSettings, channel: str) -> None:
        self._channel = channel
        self._session = open_session(settings.timeout_s, allow_private=True)
        self._client = AsyncWebClient(
            token=settings.token.get_secret_value(),
            base_url=str(settings.api_url),
            session=self._session,
            retry_handlers=[],
        )

    async def tell(self, notice: Notice, receipt: Mapping[str, str]) -> Result:
        """Post or edit, and say what is worse or over."""
        try:
            if "ts" not in receipt:
                return await self._post(notice)
            return await self._edit(notice, receipt)
        except Exception as error:  # noqa: BLE001 - every way to fail is an outcome
            return result_of(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _post(self, notice: Notice) -> Result:
        answer = await self._client.chat_postMessage(channel=self._channel, **_message(notice))
        kept = {"channel": str(answer["channel"]), "ts": str(answer["ts"])}
        return Result("delivered", {**kept, "state": notice.state}, status=200)

    async def _edit(self, notice: Notice, receipt: Mapping[str, str]) -> Result:
        channel, ts = receipt["channel"], receipt["ts"]
        try:
            await self._client.chat_update(channel=channel, ts=ts, **_message(notice))
        except Exception as error:
            if slack_error(error) not in GONE:
                raise
            return await self._post(notice)
        if notice.state != receipt.get("state"):
            await self._client.chat_postMessage(
                channel=channel,
                thread_ts=ts,
                reply_broadcast=True,
                text=escape(notice.title, MAX_CAUSE_CHARS),
                unfurl_links=False,
            )
        return Result("delivered", {**receipt, "state": notice.state}, status=200)


def _message(notice: Notice) -> dict[str, Any]:
    marks = {"healthy": "Recovered", "degraded": "Degraded", "down": "Down"}
    blocks = [header(f"Wirebell: {marks[notice.state]}")]
    lines = [escape(notice.title, MAX_CAUSE_CHARS)]
    lines += ["• " + escape(cause, MAX_CAUSE_CHARS) for cause in notice.causes[1:MAX_CAUSES]]
    since = f"{notice.since:%Y-%m-%d %H:%M:%S} UTC"
    blocks += [marked_section(lines), context(f"Since {since}")]
    text = f"Wirebell: {marks[notice.state]}. {escape(notice.title, MAX_CAUSE_CHARS)}"
    return {"text": text, "blocks": blocks}
