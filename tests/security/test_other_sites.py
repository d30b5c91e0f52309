"""What another site can have a person's browser send to the page (CSRF): nothing of it acts."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from streams.dashboard.access import guard
from streams.dashboard.acting import read_wish
from streams.dashboard.server import make_server

Client = TestClient[web.Request, web.Application]
# Without a question beforehand (CORS preflight) a page elsewhere can send these, and no header.
SIMPLE = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "")
ACT = {"X-Wirebell": "act"}


class Wish(msgspec.Struct):
    """Something to be done."""

    story: str


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async def act(request: web.Request) -> web.Response:
        return web.Response(text=(await read_wish(request, Wish)).story)

    app = web.Application(middlewares=[guard("")])
    app.router.add_post("/api/act", act)
    made = TestClient(TestServer(app))
    await made.start_server()
    yield made
    await made.close()


@pytest.mark.parametrize("kind", SIMPLE)
@pytest.mark.parametrize("headers", [{}, ACT], ids=["without the header", "with it"])
async def test_no_form_of_another_site_acts(
    client: Client, kind: str, headers: dict[str, str]
) -> None:
    sent = {**headers, "Content-Type": kind, "Origin": "https://evil.example"}
    answer = await client.post("/api/act", data=b'{"story": "s1"}', headers=sent)
    assert answer.status == 403


async def test_json_without_the_header_does_not_act_and_no_other_site_is_let_ask(
    client: Client,
) -> None:
    origin = {"Origin": "https://evil.example"}
    assert (await client.post("/api/act", json={"story": "s1"}, headers=origin)).status == 403
    asked = {**origin, "Access-Control-Request-Method": "POST"}
    answer = await client.options("/api/act", headers=asked)
    assert answer.status in (403, 405)
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert await (await client.post("/api/act", json={"story": "s1"}, headers=ACT)).text() == "s1"


def test_every_door_that_acts_reads_a_wish() -> None:
    """The sign-in alone takes a form: it changes nothing but the browser's own cookie."""
    rooms = Path(make_server.__code__.co_filename).parent
    acting, reading = set(), set()
    for path in rooms.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".add_post"):
                acting.add((path.name, ast.unparse(node.args[1]).rpartition(".")[2]))
            if isinstance(node, ast.AsyncFunctionDef):
                said = ast.unparse(node)
                if "read_wish(" in said or "self._source(request)" in said:
                    reading.add((path.name, node.name))
    assert len(acting) > 8
    assert {name for name in acting - reading if name[1] != "_sign_in"} == set()
