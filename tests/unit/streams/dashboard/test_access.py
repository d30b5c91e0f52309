"""Who may see the page, tried over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import ClientSession, CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr, ValidationError

from connectors.addresses import is_loopback
from streams.dashboard.access import guard, who_asks
from streams.dashboard.server import ACT_TOKEN, STATIC, TOKEN, _me, _sign_in, _sign_in_form
from streams.settings import PageSettings

Client = TestClient[web.Request, web.Application]
Start = Callable[..., Awaitable[Client]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts a guarded server with one page, one JSON and the sign-in."""
    clients: list[Client] = []

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="inside")

    async def do(request: web.Request) -> web.Response:
        return web.Response(text=who_asks(request))

    async def make(token: str, act_token: str = "") -> Client:
        app = web.Application(middlewares=[guard(token, act_token)])
        app[TOKEN], app[ACT_TOKEN] = token, act_token
        app.router.add_post("/api/do", do)
        app.router.add_get("/api/me", _me)
        for path in ("/", "/api/snapshot", "/healthz"):
            app.router.add_get(path, answer)
        app.router.add_get("/sign-in", _sign_in_form)
        app.router.add_post("/sign-in", _sign_in)
        app.router.add_static("/static", STATIC)
        client = TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True))
        await client.start_server()
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)
    assert PageSettings(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "news.example", "localhost.example"])
def test_another_address_without_a_token_is_refused(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ValidationError, match="a token is needed"):
        PageSettings(host=host)
    assert PageSettings(host=host, token=SecretStr("secret")).host == host


async def test_without_a_token_loopback_is_let_in_under_a_strict_policy(start: Start) -> None:
    client = await start("")
    answer = await client.get("/")
    assert await answer.text() == "inside"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_name_pointed_here_from_elsewhere_is_turned_away(start: Start) -> None:
    client = await start("")
    answer = await client.get("/api/snapshot", headers={"Host": "evil.example"})
    assert answer.status == 403
    assert "Content-Security-Policy" in answer.headers


async def test_with_a_token_nothing_but_liveness_is_open(start: Start) -> None:
    client = await start("open-sesame")
    assert (await client.get("/api/snapshot")).status == 401
    wrong = {"Authorization": "Bearer open-sesam"}
    assert (await client.get("/api/snapshot", headers=wrong)).status == 401
    assert (await client.get("/healthz")).status == 200
    assert (await client.get("/static/views.css")).status == 401


async def test_a_bearer_token_opens_the_api_under_any_host_name(start: Start) -> None:
    client = await start("open-sesame")
    headers = {"Authorization": "Bearer open-sesame", "Host": "ops.newsroom.example"}
    assert (await client.get("/api/snapshot", headers=headers)).status == 200


async def test_a_browser_signs_in_and_keeps_a_cookie_that_is_not_the_token(start: Start) -> None:
    client = await start("open-sesame")
    sent = await client.get("/", headers={"Accept": "text/html"}, allow_redirects=False)
    assert (sent.status, sent.headers["Location"]) == (303, "/sign-in")
    answer = await client.post("/sign-in", data={"token": "open-sesame"}, allow_redirects=False)
    cookie = answer.headers["Set-Cookie"]
    assert "open-sesame" not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert await (await client.get("/")).text() == "inside"


async def test_a_wrong_token_gets_no_cookie(start: Start) -> None:
    client = await start("open-sesame")
    answer = await client.post("/sign-in", data={"token": "x"}, allow_redirects=False)
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Location"] == "/sign-in?wrong"


async def test_an_empty_token_in_the_form_opens_nothing(start: Start) -> None:
    client = await start("")
    async with ClientSession() as session:
        url = client.make_url("/sign-in")
        answer = await session.post(url, data={"token": ""}, allow_redirects=False)
    assert "Set-Cookie" not in answer.headers


async def test_with_one_token_who_reads_may_act(start: Start) -> None:
    client = await start("open-sesame")
    headers = {"Authorization": "Bearer open-sesame"}
    assert (await client.post("/api/do", headers=headers)).status == 200
    assert (await client.post("/api/do")).status == 401


@pytest.mark.parametrize("token", ["read-me", ""])
async def test_with_two_tokens_only_the_acting_one_acts(start: Start, token: str) -> None:
    client = await start(token, "act-now")
    reader, actor = {"Authorization": f"Bearer {token}"}, {"Authorization": "Bearer act-now"}
    assert (await client.get("/api/snapshot", headers=reader)).status == 200
    refused = await client.post("/api/do", headers=reader)
    assert (refused.status, "act_token" in await refused.text()) == (403, True)
    assert "Content-Security-Policy" in refused.headers
    assert (await client.get("/api/snapshot", headers=actor)).status == 200
    assert (await client.post("/api/do", headers=actor)).status == 200
    assert (await (await client.get("/api/me", headers=reader)).json())["role"] == "read"
    assert (await (await client.get("/api/me", headers=actor)).json())["role"] == "act"


async def test_who_signed_in_to_act_is_logged_by_the_name_given(start: Start) -> None:
    client = await start("", "act-now")
    form = {"token": "act-now", "name": " Zoë \n Ops "}
    assert (await client.post("/api/do")).status == 403
    await client.post("/sign-in", data=form, allow_redirects=False)
    answer = await client.post("/api/do")
    assert await answer.text() == "Zoë Ops (127.0.0.1)"
    named = await client.post("/api/do", headers={"X-Wirebell-Who": "night-watch"})
    assert await named.text() == "night-watch (127.0.0.1)"
