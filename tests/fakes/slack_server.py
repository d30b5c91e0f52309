"""A fake Slack: a real HTTP server with the methods that Wirebell calls, which refuses what
Slack would refuse, counts, and makes faults on demand.

    python -m tests.fakes.slack_server --port 8095 --token xoxb-test

shows every message it is given, for looking at them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.fakes.faults import Fault, Faults
from tests.fakes.slack_socket import FakeSocket

_APPLYING = ("chat.postMessage", "chat.update")
_LINK = re.compile(r"<(https?://[^|>\s]+)\|([^<>]*)>")


@dataclass(slots=True)
class Posted:
    """One message as the channel has it."""

    channel: str
    ts: str
    body: dict[str, Any]
    thread_ts: str = ""
    edits: int = 0

    @property
    def payload(self) -> dict[str, Any]:
        """The metadata's payload, {} without."""
        found: dict[str, Any] = (self.body.get("metadata") or {}).get("event_payload") or {}
        return found


@dataclass(slots=True)
class FakeSlack:
    """The server. `channels` maps ids to names; posting takes both, reading only ids."""

    token: str = "xoxb-test"
    channels: dict[str, str] = field(default_factory=lambda: {"C0000001": "desk"})
    faults: Faults = field(default_factory=Faults)
    port: int = 0
    messages: list[Posted] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    page_size: int = 200
    clock: Any = None
    scopes: str = "chat:write,channels:history,channels:read"
    # Messages whose metadata names this part are not to Slack's taste.
    refuse: str = ""
    socket: FakeSocket = field(default_factory=FakeSocket)
    # The windows that were opened.
    views: list[dict[str, Any]] = field(default_factory=list)
    _runner: web.AppRunner | None = None
    _count: int = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=10_000_000)
        app.router.add_route("*", "/api/{method}", self._serve)
        app.router.add_get("/link", self.socket.serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.faults.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The base URL for the client."""
        return f"http://127.0.0.1:{self.port}/api/"

    def stories(self, channel: str = "") -> list[Posted]:
        """The messages outside threads."""
        return [
            message
            for message in self.messages
            if not message.thread_ts and channel in ("", message.channel)
        ]

    def thread(self, ts: str) -> list[Posted]:
        """The replies below a message."""
        return [message for message in self.messages if message.thread_ts == ts]

    def doubled(self) -> int:
        """How many messages say again, in the same channel, what another one says."""
        seen: set[tuple[str, str, str]] = set()
        for message in self.messages:
            payload = message.payload
            about = payload["delivery_id"] or payload["story_id"]
            seen.add((message.channel, payload["part"], about))
        return len(self.messages) - len(seen)

    def count(self, method: str) -> int:
        """How many requests a method has received."""
        return sum(name == method for name, _ in self.requests)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        body = await _arguments(request)
        about = f"{method} {json.dumps(body, ensure_ascii=False)}"
        self.requests.append((method, about))
        if method == "apps.connections.open":
            if request.headers.get("Authorization") != f"Bearer {self.socket.app_token}":
                return _error("invalid_auth")
            return _ok({"url": f"ws://127.0.0.1:{self.port}/link?ticket=secret-ticket"})
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _error("invalid_auth")
        fault = self.faults.next(about)

        def apply() -> web.Response:
            found = getattr(self, "_" + method.replace(".", "_").lower(), None)
            return found(body) if found else _error("unknown_method")

        return await self.faults.answer(request, fault, apply)

    def _auth_test(self, _: dict[str, Any]) -> web.Response:
        answer = _ok({"team": "Fake", "user": "wirebell", "bot_id": "B1"})
        answer.headers["x-oauth-scopes"] = self.scopes
        return answer

    def _conversations_list(self, body: dict[str, Any]) -> web.Response:
        needed = {"public_channel": "channels:read", "private_channel": "groups:read"}
        if any(needed[kind] not in self.scopes for kind in str(body["types"]).split(",")):
            return _error("missing_scope")
        rows = [{"id": name, "name": label} for name, label in self.channels.items()]
        return _ok({"channels": rows, "response_metadata": {"next_cursor": ""}})

    def _chat_postmessage(self, body: dict[str, Any]) -> web.Response:
        channel = self._channel(str(body.get("channel", "")), by_name=True)
        if channel is None:
            return _error("channel_not_found")
        fault = self._check(body)
        if fault:
            return _error(fault)
        thread = str(body.get("thread_ts") or "")
        if thread and not any(posted.ts == thread for posted in self.messages):
            return _error("thread_not_found")
        self._count += 1
        now = self.clock() if self.clock else asyncio.get_running_loop().time()
        posted = Posted(channel, f"{now:.0f}.{self._count:06d}", body, thread)
        self.messages.append(posted)
        return _ok({"channel": channel, "ts": posted.ts, "message": {"text": body.get("text")}})

    def _chat_update(self, body: dict[str, Any]) -> web.Response:
        channel = self._channel(str(body.get("channel", "")), by_name=False)
        if channel is None:
            return _error("channel_not_found")
        fault = self._check(body)
        if fault:
            return _error(fault)
        for posted in self.messages:
            if posted.channel == channel and posted.ts == body.get("ts"):
                posted.body, posted.edits = body, posted.edits + 1
                return _ok({"channel": channel, "ts": posted.ts, "text": body.get("text")})
        return _error("message_not_found")

    def _views_open(self, body: dict[str, Any]) -> web.Response:
        if not str(body.get("trigger_id", "")).startswith("trigger-"):
            return _error("invalid_trigger_id")
        faults = check_view(body["view"])
        self.violations += faults
        if faults:
            return _error("invalid_arguments")
        self.views.append(body["view"])
        return _ok({"view": {"id": f"V{len(self.views)}"}})

    def _conversations_history(self, body: dict[str, Any]) -> web.Response:
        if "history" not in self.scopes:
            return _error("missing_scope")
        channel = self._channel(str(body.get("channel", "")), by_name=False)
        if channel is None:
            return _error("channel_not_found")
        oldest = float(body.get("oldest") or 0)
        rows = [row for row in self.stories(channel) if float(row.ts) > oldest]
        return self._page(list(reversed(rows)), body)

    def _conversations_replies(self, body: dict[str, Any]) -> web.Response:
        channel = self._channel(str(body.get("channel", "")), by_name=False)
        ts = str(body.get("ts"))
        parent = [row for row in self.messages if row.ts == ts and row.channel == channel]
        if not parent:
            return _error("thread_not_found")
        return self._page(parent + self.thread(ts), body)

    def _page(self, rows: list[Posted], body: dict[str, Any]) -> web.Response:
        size = min(int(body.get("limit") or 100), self.page_size)
        start = int(body.get("cursor") or 0)
        more = start + size < len(rows)
        with_metadata = str(body.get("include_all_metadata")) in ("1", "true", "True")
        shown = [
            {"ts": row.ts, "text": row.body.get("text")}
            | ({"metadata": row.body.get("metadata")} if with_metadata else {})
            for row in rows[start : start + size]
        ]
        cursor = str(start + size) if more else ""
        return _ok(
            {"messages": shown, "has_more": more, "response_metadata": {"next_cursor": cursor}}
        )

    def _channel(self, given: str, *, by_name: bool) -> str | None:
        if given in self.channels:
            return given
        names = {label: name for name, label in self.channels.items()}
        return names.get(given.removeprefix("#")) if by_name else None

    def _check(self, body: dict[str, Any]) -> str:
        faults = check_message(body)
        self.violations += faults
        payload = (body.get("metadata") or {}).get("event_payload") or {}
        if self.refuse and payload.get("part") == self.refuse:
            return "invalid_blocks"
        return faults[0].split(":", 1)[0] if faults else ""


def check_message(body: dict[str, Any]) -> list[str]:
    """What Slack refuses in a message, and what no message of ours may hold: a mention, a
    link whose text hides where it leads. Empty when all is well.
    """
    faults = []
    text, blocks = body.get("text", ""), body.get("blocks") or []
    if not text and not blocks:
        faults.append("no_text: neither text nor blocks")
    if len(text) > 40_000:
        faults.append("msg_too_long: fallback text")
    if len(blocks) > 50:
        faults.append("invalid_blocks: more than 50 blocks")
    for block in blocks:
        faults += _check_block(block)
    metadata = body.get("metadata")
    if metadata is not None and (
        not metadata.get("event_type") or len(json.dumps(metadata["event_payload"])) > 8_000
    ):
        faults.append("metadata_too_large: metadata")
    for marked in [text, *_marked(blocks)]:
        faults += _check_marked(marked)
    return faults


def _check_block(block: dict[str, Any]) -> list[str]:
    kind = block.get("type")
    shown = block.get("text") or {}
    limit = {"header": 150, "section": 3_000}.get(str(kind))
    if kind == "header" and shown.get("type") != "plain_text":
        return ["invalid_blocks: a header is plain text"]
    if limit is not None and not 1 <= len(shown.get("text", "")) <= limit:
        return [f"invalid_blocks: {kind} of {len(shown.get('text', ''))} characters"]
    if kind == "context":
        elements = block.get("elements") or []
        if not 1 <= len(elements) <= 10 or any(not item.get("text") for item in elements):
            return ["invalid_blocks: context"]
    if kind == "actions":
        return _check_actions(block)
    if kind not in ("header", "section", "context", "actions", "divider"):
        return [f"invalid_blocks: unknown type {kind}"]
    return []


def check_view(view: dict[str, Any]) -> list[str]:
    """What Slack refuses in a window."""
    faults = []
    inputs = [block for block in view["blocks"] if block["type"] == "input"]
    if not 1 <= len(view["title"]["text"]) <= 24:
        faults.append("invalid_view: title")
    if len(view.get("private_metadata", "")) > 3_000 or len(view.get("callback_id", "")) > 255:
        faults.append("invalid_view: metadata")
    if inputs and not view.get("submit"):
        faults.append("invalid_view: an input needs a submit")
    for block in inputs:
        options = block["element"]["options"]
        if not 1 <= len(options) <= 100:
            faults.append(f"invalid_view: {len(options)} options")
        for option in options:
            if not 1 <= len(option["text"]["text"]) <= 75 or len(option["value"]) > 150:
                faults.append("invalid_view: an option is too long")
        initial = block["element"].get("initial_options", [])
        one = block["element"].get("initial_option")
        if any(each not in options for each in [*initial, *([one] if one else [])]):
            faults.append("invalid_view: an initial option is none of the options")
    return faults


def _check_actions(block: dict[str, Any]) -> list[str]:
    elements = block.get("elements") or []
    names = [element.get("action_id", "") for element in elements]
    options = [option for element in elements for option in element.get("options", [])]
    shown = [element["text"] for element in elements if element["type"] == "button"]
    shown += [option["text"] for option in options]
    wrong = (
        not 1 <= len(elements) <= 25
        or len(set(names)) < len(names)
        or len(block.get("block_id", "")) > 255
        or any(not 1 <= len(name) <= 255 for name in names)
        or any(len(option["value"]) > 150 for option in options)
        or any(text["type"] != "plain_text" or len(text["text"]) > 75 for text in shown)
        or any(e["type"] == "overflow" and not 1 <= len(e["options"]) <= 5 for e in elements)
    )
    return ["invalid_blocks: actions"] if wrong else []


def _marked(blocks: list[dict[str, Any]]) -> list[str]:
    found = []
    for block in blocks:
        parts = [block.get("text") or {}, *(block.get("elements") or [])]
        found += [part["text"] for part in parts if part.get("type") == "mrkdwn"]
    return found


def _check_marked(text: str) -> list[str]:
    """Slack acts on <...>: only links with the host as their text may stand there."""
    rest = text
    for url, label in _LINK.findall(text):
        host = re.sub(r"^https?://(www\.)?", "", url).split("/")[0].split("?")[0].split(":")[0]
        shown = label.replace("ˍ", "_").removesuffix("…")
        if not host.startswith(shown):
            return [f"invalid_blocks: link to {host} shown as {label}"]
        rest = rest.replace(f"<{url}|{label}>", "")
    return ["invalid_blocks: unescaped < or >"] if "<" in rest or ">" in rest else []


async def _arguments(request: web.Request) -> dict[str, Any]:
    """JSON, form fields or query, as Slack takes them."""
    if request.content_type == "application/json":
        found: dict[str, Any] = await request.json()
        return found
    form = await request.post()
    fields = {name: str(value) for name, value in [*request.query.items(), *form.items()]}
    return {name: _unpacked(value) for name, value in fields.items()}


def _unpacked(value: str) -> Any:
    if value[:1] in "[{" and value:
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _ok(body: dict[str, Any]) -> web.Response:
    return web.json_response({"ok": True, **body})


def _error(name: str) -> web.Response:
    return web.json_response({"ok": False, "error": name})


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A fake Slack that shows what it is given.")
    parser.add_argument("--port", type=int, default=8095)  # clear of Wirebell's own
    parser.add_argument("--token", default="xoxb-test")
    parser.add_argument("--channel", default="C0000001", help="the id of its one channel")
    given = parser.parse_args()
    channels = {given.channel: "desk"}
    async with FakeSlack(token=given.token, port=given.port, channels=channels) as slack:
        print(f"fake Slack at {slack.url}", flush=True)
        shown = 0
        while True:
            await asyncio.sleep(0.2)
            for method, about in slack.requests[shown:]:
                print(method, about.partition(" ")[2], flush=True)
            shown = len(slack.requests)


if __name__ == "__main__":
    asyncio.run(_main())


__all__ = ["FakeSlack", "Fault", "Posted", "check_message"]
