"""The ops page's HTTP side: files, events, JSON, and the three endpoints for machines."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

import msgspec
from aiohttp import web

from connectors.listener import BODY_S
from streams.action_log import ActionLog
from streams.dashboard import access
from streams.dashboard.acting import Recorder
from streams.dashboard.actions import Actions
from streams.dashboard.exposition import expose
from streams.dashboard.letters import Letters
from streams.dashboard.models_page import ModelPages
from streams.dashboard.monitoring import alert_rules, grafana_dashboard
from streams.dashboard.story_page import StoryPages
from streams.dashboard.watch import Watch
from streams.replay_marks import ReplayMarks

STATIC = Path(str(files("streams.dashboard") / "static"))
WATCH: web.AppKey[Watch] = web.AppKey("watch", Watch)
TOKEN: web.AppKey[str] = web.AppKey("token", str)
ACT_TOKEN: web.AppKey[str] = web.AppKey("act token", str)
# The page is well when it has judged the line within this time.
FRESH_S = 15.0


def make_server(watch: Watch, token: str = "", act_token: str = "") -> web.Application:
    """The application; it watches nothing itself."""
    guard = access.guard(token, act_token)
    app = web.Application(middlewares=[guard], client_max_size=10_000)
    app[WATCH], app[TOKEN], app[ACT_TOKEN] = watch, token, act_token
    app.router.add_get("/", _page)
    app.router.add_get("/stories/{story}", _story_page)
    app.router.add_get("/sign-in", _sign_in_form)
    app.router.add_post("/sign-in", _sign_in)
    app.router.add_get("/events", _events)
    app.router.add_get("/api/snapshot", _snapshot)
    app.router.add_get("/api/verdict", _verdict)
    app.router.add_get("/api/stories", _stories)
    app.router.add_get("/api/history", _history)
    app.router.add_get("/api/quality", _quality)
    app.router.add_get("/api/me", _me)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", _readyz)
    app.router.add_get("/metrics", _metrics)
    app.router.add_get("/monitoring/alerts.yml", _alert_rules)
    app.router.add_get("/monitoring/grafana.json", _grafana)
    recorder = Recorder(ActionLog(watch.observer.redis, watch.observer.keys))
    Actions(watch, recorder).add_routes(app)
    marks = ReplayMarks(watch.observer.redis, watch.observer.keys)
    Letters(watch.observer.settings.kafka, marks, recorder).add_routes(app)
    StoryPages(watch, recorder).add_routes(app)
    ModelPages(watch.observer, recorder, watch.quality.look_now).add_routes(app)
    app.router.add_static("/static", STATIC)
    return app


async def _page(request: web.Request) -> web.StreamResponse:
    return _file("index.html")


async def _story_page(request: web.Request) -> web.StreamResponse:
    return _file("story.html")


async def _sign_in_form(request: web.Request) -> web.StreamResponse:
    return _file("sign-in.html")


async def _sign_in(request: web.Request) -> web.StreamResponse:
    """Trade a token for a cookie that no script can read and no other site can use."""
    try:
        async with asyncio.timeout(BODY_S):
            form = await request.post()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    given, name = form.get("token", ""), form.get("name", "")
    tokens = [one for one in (request.app[TOKEN], request.app[ACT_TOKEN]) if one]
    shown = given.strip() if isinstance(given, str) else ""
    token = next((one for one in tokens if access.token_matches(shown, one)), None)
    if token is None:
        await asyncio.sleep(0.5)  # a person does not notice, a guesser does
        raise web.HTTPSeeOther("/sign-in?wrong")
    answer = web.HTTPSeeOther("/")
    kept = {access.COOKIE: access.cookie_value(token)}
    if isinstance(name, str) and name.strip():
        kept[access.NAME_COOKIE] = quote(name.strip()[: access.MAX_NAME_CHARS])
    for cookie, value in kept.items():
        answer.set_cookie(
            cookie,
            value,
            max_age=access.COOKIE_AGE_S,
            httponly=True,
            samesite="Strict",
            secure=request.secure,
        )
    raise answer


async def _me(request: web.Request) -> web.StreamResponse:
    """What the one who asks may do, and by which name it is logged."""
    role = access.role_of(request, request.app[TOKEN], request.app[ACT_TOKEN])
    return _json({"role": role, "who": access.who_asks(request)})


async def _events(request: web.Request) -> web.StreamResponse:
    """Server-sent events: "snapshot" each second, "point" each five, "stories" on change."""
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            **access.HEADERS,
        }
    )
    await response.prepare(request)
    watch = request.app[WATCH]
    messages = watch.broadcast.messages()
    with watch.attention.viewer():
        try:
            while True:
                await response.write(await anext(messages))
        except (ConnectionError, asyncio.CancelledError):
            return response


async def _snapshot(request: web.Request) -> web.StreamResponse:
    return _json((await _refreshed(request)).snapshot)


async def _verdict(request: web.Request) -> web.StreamResponse:
    snapshot = (await _refreshed(request)).snapshot
    return _json(snapshot.verdict if snapshot else None)


async def _stories(request: web.Request) -> web.StreamResponse:
    return _json(await request.app[WATCH].stories_now())


async def _history(request: web.Request) -> web.StreamResponse:
    return _json(list(request.app[WATCH].history.points))


async def _quality(request: web.Request) -> web.StreamResponse:
    return _json(request.app[WATCH].quality.view)


async def _healthz(request: web.Request) -> web.StreamResponse:
    """Whether this process does its work; says nothing of the line."""
    watch = request.app[WATCH]
    if watch.age_s() > FRESH_S:
        return web.Response(status=503, text="the watch stands still\n")
    return web.Response(text="ok\n")


async def _readyz(request: web.Request) -> web.StreamResponse:
    """Whether the line rings: 503 while it is down or not yet judged. The words stay inside
    when a token guards the page, since anybody may ask here.
    """
    verdict = (await _refreshed(request)).verdict
    state = verdict.state if verdict else "not yet judged"
    words = f": {verdict.words}" if verdict and not request.app[TOKEN] else ""
    ready = verdict is not None and verdict.state != "down"
    return web.Response(status=200 if ready else 503, text=f"{state}{words}\n")


async def _metrics(request: web.Request) -> web.StreamResponse:
    body = expose((await _refreshed(request)).observer)
    return web.Response(
        body=body, headers={"Content-Type": "text/plain; version=1.0.0; charset=utf-8"}
    )


async def _alert_rules(request: web.Request) -> web.StreamResponse:
    return web.Response(text=alert_rules(), content_type="application/yaml")


async def _grafana(request: web.Request) -> web.StreamResponse:
    return web.Response(body=grafana_dashboard(), content_type="application/json")


async def _refreshed(request: web.Request) -> Watch:
    """The watch, after a look for who asks once."""
    watch = request.app[WATCH]
    await watch.refresh()
    return watch


def _file(name: str) -> web.FileResponse:
    return web.FileResponse(STATIC / name, headers={"Cache-Control": "no-cache"})


def _json(value: object) -> web.Response:
    if value is None:
        raise web.HTTPServiceUnavailable(text="not yet judged\n")
    return web.Response(
        body=msgspec.json.encode(value),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
