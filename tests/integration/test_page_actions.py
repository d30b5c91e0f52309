"""What people do from the page, over real HTTP on a real Redis, with a desk as workers have it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from streams.dashboard.alerts import Alerts
from streams.dashboard.models_page import versions_of
from streams.dashboard.server import make_server
from streams.dashboard.watch import Watch
from streams.desk import EditorDesk, open_editor_desk
from streams.feedback_store import FeedbackStore
from streams.kafka_offsets import KafkaOffsets
from streams.keys import Keys
from streams.ledger import Ledger
from streams.model_files import SHIPPED, version_of
from streams.model_records import ModelRecord
from streams.observations import Observer
from streams.redis_client import connect_redis
from streams.settings import RedisSettings, Settings
from streams.stories import Stories
from streams.subscriptions import Destination, Wish
from tests.fakes.alerts import make_alert
from tests.reports import DEPOT_RETOLD, FERRY, START, article, screened
from tests.slack_room import working

WINDOW_S = 72 * 3600
ACT = {"X-Wirebell": "act", "X-Wirebell-Who": "Anna"}
PLACE = Destination("slack", "#desk", ("all",))


class Page:
    """The page's server on a Redis, and the desk of a worker beside it."""

    def __init__(self, watch: Watch, client: TestClient[web.Request, web.Application]) -> None:
        self.watch = watch
        self.client = client
        self.redis, self.keys = watch.observer.redis, watch.observer.keys
        self.desk: EditorDesk = open_editor_desk(self.redis, self.keys, WINDOW_S)
        self.sent: list[tuple[str, bytes]] = []

    async def get(self, path: str) -> Any:
        answer = await self.client.get(path)
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def act(self, path: str, **wish: Any) -> tuple[int, str]:
        answer = await self.client.post(path, json=wish, headers=ACT)
        return answer.status, await answer.text()

    async def decide(self, story: str, verdict: str, **more: Any) -> tuple[int, str]:
        wish = {"id": secrets.token_hex(8), "story": story, "verdict": verdict, **more}
        return await self.act("/api/stories/decide", **wish)

    async def send(self, kafka_topic: str, key: bytes, _value: bytes) -> None:
        self.sent.append((kafka_topic, key))

    def worker(self) -> AbstractAsyncContextManager[None]:
        """A worker that does what was decided."""
        return working(self.desk, self.send)

    async def stories(self) -> tuple[str, str]:
        """A story of two articles and one of one, in Redis as a worker leaves them."""
        stories = Stories(self.redis, self.keys, WINDOW_S)
        batch = screened(
            article("a1"), article("a2", DEPOT_RETOLD, "Courier"), article("f1", FERRY, "Island")
        )
        decided = await stories.assign(batch, START)
        self.watch.alerts.take([one.alert for one in decided if one.alert])
        depot, _, ferry = (one.story_id or "" for one in decided)
        return depot, ferry


@pytest.fixture
async def page(redis_url: str, redis_prefix: str, tmp_path: Any) -> AsyncIterator[Page]:
    settings = Settings(
        redis=RedisSettings(url=redis_url, prefix=redis_prefix),  # type: ignore[arg-type]
        state_dir=tmp_path,
    )
    offsets = KafkaOffsets(settings.kafka, "group")
    watch = Watch(Observer(settings, connect_redis(redis_url), Keys(redis_prefix), offsets))
    client = TestClient(TestServer(make_server(watch)))
    await client.start_server()
    yield Page(watch, client)
    await client.close()
    await watch.observer.redis.aclose()


async def test_a_story_tells_how_it_came_about_and_which_reports_rang(page: Page) -> None:
    depot, ferry = await page.stories()
    told = await page.get(f"/api/stories/{depot}")
    assert [(one["what"], one["article_id"]) for one in told["entries"]] == [
        ("published", "a1"),
        ("published", "a2"),
    ]
    assert told["entries"][0]["rang"]["kind"] == "new"
    assert told["entries"][1]["likeness"] > 0
    assert told["story"]["id"] == depot
    assert told["evidence"][0]["words"]
    assert [one["id"] for one in told["others"]] == [ferry]
    assert "sabotage" in [one["id"] for one in told["topics"]]
    for unknown in ("nothing", f"{depot}:m", "wirebell:canary"):
        assert (await page.client.get(f"/api/stories/{unknown}")).status == 404


async def test_a_verdict_is_taken_kept_and_shown_with_its_name(page: Page) -> None:
    depot, _ = await page.stories()
    async with page.worker():
        status, said = await page.decide(depot, "wrong_topic", topics=["accident"])
        assert (status, said) == (200, '{"done":true}')
    (kept,) = await FeedbackStore(page.redis, page.keys).since(START - timedelta(days=9999))
    assert (kept.verdict, kept.right_topics, kept.via) == ("wrong_topic", ("accident",), "page")
    assert kept.topics == ("drone_strike",)
    assert kept.texts
    (decision,) = (await page.get(f"/api/stories/{depot}"))["decisions"]
    assert (decision["who"], decision["verdict"]) == ("Anna", "wrong_topic")


async def test_a_verdict_on_a_story_that_the_page_has_not_heard_of_has_its_text(page: Page) -> None:
    depot, _ = await page.stories()
    page.watch.alerts = Alerts()
    async with page.worker():
        assert (await page.decide(depot, "not_relevant"))[0] == 200
    (kept,) = await FeedbackStore(page.redis, page.keys).since(START - timedelta(days=9999))
    assert kept.topics == ("drone_strike",)
    assert kept.texts


async def test_the_same_click_twice_is_one_verdict(page: Page) -> None:
    depot, _ = await page.stories()
    async with page.worker():
        wish = {"id": "0123456789abcdef", "story": depot, "verdict": "relevant"}
        for _ in range(2):
            assert (await page.act("/api/stories/decide", **wish))[0] == 200
    assert len(await FeedbackStore(page.redis, page.keys).since(START)) == 1


async def test_stories_are_merged_split_and_muted_from_their_page(page: Page) -> None:
    depot, ferry = await page.stories()
    async with page.worker():
        assert (await page.decide(depot, "merge", other=ferry))[0] == 200
        assert (await page.decide(depot, "split", article="a2"))[0] == 200
        assert (await page.decide(depot, "mute"))[0] == 200
        status, said = await page.decide("0123456789ab", "merge", other=ferry)
    assert status == 409
    assert "story" in said
    told = await page.get(f"/api/stories/{depot}")
    assert {"merge", "left", "mute"} <= {one["what"] for one in told["entries"]}
    assert told["story"]["muted"]
    assert (await page.get(f"/api/stories/{ferry}"))["story"]["merged_into"] == depot
    assert (await page.decide(depot, "merge"))[0] == 422  # with what?


async def test_without_a_worker_a_verdict_is_written_down_and_waits(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.dashboard.story_page.DONE_WITHIN_S", 0.2)
    depot, _ = await page.stories()
    assert await page.decide(depot, "relevant") == (202, '{"done":false}')
    assert len(await page.desk.choices.waiting()) == 1


async def test_who_did_what_when_is_listed_with_what_came_to_nothing(page: Page) -> None:
    status, _ = await page.act("/api/destinations/turn-on", destination="slack|#desk")
    assert status == 409
    assert (await page.act("/api/sources/pause", source="nobody"))[0] == 404  # nothing was done
    (action,) = await page.get("/api/actions")
    assert (action["what"], action["about"]) == ("turn on", "slack|#desk")
    assert action["who"].startswith("Anna (")
    assert action["failed"] == "it was not turned off"
    assert datetime.now(UTC) - datetime.fromisoformat(action["at"]) < timedelta(minutes=1)


async def test_what_was_said_in_slack_stands_among_the_actions(page: Page) -> None:
    depot, _ = await page.stories()
    said = await page.desk.feedback("mute", depot, who="U1", who_name="Ben", via="slack")
    await FeedbackStore(page.redis, page.keys).add(said)
    (action,) = await page.get("/api/actions")
    assert (action["who"], action["what"], action["about"]) == ("Ben (slack)", "mute", depot)


async def test_a_span_of_time_is_counted_and_then_sent_again(page: Page) -> None:
    ledger = Ledger(page.redis, page.keys)
    now = datetime.now(UTC)
    alerts = [make_alert(f"s{number}", at=now, published_at=now) for number in range(3)]
    await ledger.want([(alert, [Wish(PLACE, matches=True)]) for alert in alerts], 0)
    wish = {"destination": PLACE.id, "since_minutes": 60}
    assert await page.act("/api/deliveries/resend", **wish, dry_run=True) == (200, '{"resent":0}')
    for number in range(3):
        job = f"{page.keys.tag}ledger:job:{PLACE.id}|s{number}"
        await page.redis.hset(job, "told_at", str(now.timestamp()))  # type: ignore[misc]
    assert await page.act("/api/deliveries/resend", **wish, dry_run=True) == (200, '{"resent":3}')
    assert await page.get("/api/actions") == []
    assert await page.act("/api/deliveries/resend", **wish) == (200, '{"resent":3}')
    assert (await page.get("/api/actions"))[0]["what"] == "send again"
    assert (await page.act("/api/deliveries/resend", destination=PLACE.id))[0] == 422


async def test_a_model_is_promoted_and_rolled_back_by_who_may_act(page: Page) -> None:
    (base,) = await page.get("/api/models")
    assert (base["state"], base["shipped"]) == ("in force", True)
    content = SHIPPED.read_bytes() + b"another"
    version = version_of(content)
    record = ModelRecord(version=version, trained_at=START, trained_by="Anna")
    await versions_of(page.watch.observer).add(record, content)
    assert (await page.act("/api/models/promote", version=version))[0] == 200
    taught, shipped = await page.get("/api/models")
    assert (taught["version"], taught["state"], shipped["state"]) == (version, "in force", "ready")
    assert taught["who"].startswith("Anna (")
    assert (await page.act("/api/models/roll-back"))[0] == 200
    assert (await page.get("/api/models"))[1]["state"] == "in force"
    assert (await page.act("/api/models/roll-back"))[0] == 409
    assert (await page.act("/api/models/promote", version="nothing"))[0] == 404
    assert len(await page.get("/api/actions")) == 4


async def test_redis_away_is_said(page: Page) -> None:
    away = connect_redis("redis://127.0.0.1:9/0")
    page.watch.observer.redis = away
    client = TestClient(TestServer(make_server(page.watch)))
    await client.start_server()
    for path in ("/api/actions", "/api/stories/s1", "/api/deliveries/attempts", "/api/models"):
        assert (await client.get(path)).status == 503
    answer = await client.post("/api/destinations/turn-on", json={"destination": "x"}, headers=ACT)
    assert answer.status == 503
    await client.close()
    await away.aclose()
