"""Slack's side of Socket Mode: a real websocket server that sends what people do and keeps what
is acknowledged; and what people do, as Slack puts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

_stamps = itertools.count(1)


@dataclass(slots=True)
class FakeSocket:
    """The connections of one app. `acknowledged` holds envelope id, payload and seconds taken."""

    app_token: str = "xapp-test"
    connections: list[web.WebSocketResponse] = field(default_factory=list)
    opened: int = 0
    acknowledged: dict[str, tuple[Any, float]] = field(default_factory=dict)
    _sent: dict[str, float] = field(default_factory=dict)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One connection, until either side ends it."""
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        self.opened += 1
        self.connections.append(socket)
        await socket.send_json({"type": "hello", "num_connections": len(self.connections)})
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    said = json.loads(message.data)
                    name = said["envelope_id"]
                    taken = time.monotonic() - self._sent[name]
                    self.acknowledged[name] = (said.get("payload"), taken)
        finally:
            self.connections.remove(socket)
        return socket

    async def send(self, kind: str, payload: dict[str, Any]) -> str:
        """Send an envelope over one of the connections; its id."""
        name = f"envelope-{next(_stamps)}"
        self._sent[name] = time.monotonic()
        await self.connections[-1].send_json(
            {
                "type": kind,
                "envelope_id": name,
                "payload": payload,
                "accepts_response_payload": True,
            }
        )
        return name

    async def hang_up(self) -> None:
        """End every connection, as Slack does now and then."""
        for socket in list(self.connections):
            with contextlib.suppress(ConnectionError):
                await socket.close()

    async def answer_to(self, envelope: str, within_s: float = 5.0) -> tuple[Any, float]:
        """What an envelope was acknowledged with, and after how many seconds."""
        async with asyncio.timeout(within_s):
            while envelope not in self.acknowledged:  # noqa: ASYNC110 - no event says it
                await asyncio.sleep(0.005)
        return self.acknowledged[envelope]


def click(message: dict[str, Any], choice: str, user: str = "U1", name: str = "ann") -> Any:
    """The payload of a click on a button or a line of the menu below a posted message."""
    (row,) = [block for block in message["blocks"] if block["type"] == "actions"]
    action = {"block_id": row["block_id"], "action_ts": f"{next(_stamps)}.0"}
    for element in row["elements"]:
        if element["action_id"] == choice:
            action |= {"type": "button", "action_id": choice}
        for option in element.get("options", []):
            if option["value"] == choice:
                action |= {"type": "overflow", "action_id": element["action_id"]}
                action["selected_option"] = option
    assert "action_id" in action, f"there is nothing to choose {choice!r} by"
    return {
        "type": "block_actions",
        "user": {"id": user, "username": name},
        "channel": {"id": "C0000001"},
        "trigger_id": f"trigger-{next(_stamps)}",
        "actions": [action],
    }


def answer(view: dict[str, Any], *labels: str, user: str = "U1", name: str = "ann") -> Any:
    """The payload of an answer to an open window: the options of these labels picked. Without
    labels what stood there.
    """
    (block,) = [block for block in view["blocks"] if block["type"] == "input"]
    element = block["element"]
    several = element["type"].startswith("multi_")
    picked = [each for each in element["options"] if each["text"]["text"] in labels]
    assert len(picked) == len(labels), f"no such options: {labels}"
    if not labels:
        picked = element.get("initial_options", []) if several else [element["initial_option"]]
    key = "selected_options" if several else "selected_option"
    state = {element["action_id"]: {key: picked if several else picked[0]}}
    return {
        "type": "view_submission",
        "user": {"id": user, "username": name},
        "view": {
            **{part: view[part] for part in ("callback_id", "private_metadata")},
            "id": f"V{next(_stamps)}",
            "state": {"values": {block["block_id"]: state}},
        },
    }
