"""Whatever editors do, in whatever order: each article is in one story, each alert id means one."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.records import Alert
from streams.editing import Editing
from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.stories import Stories
from tests.reports import (
    BRIDGE,
    BRIDGE_RETOLD,
    DEPOT,
    DEPOT_RETOLD,
    FERRY,
    FERRY_RETOLD,
    START,
    WINDOW_S,
    article,
    screened,
)

_POOL = screened(
    article("a1"),
    article("a2", DEPOT_RETOLD, "Courier"),
    article("a3", DEPOT, "Copier", 3),
    article("f1", FERRY, "Island Post"),
    article("f2", FERRY_RETOLD, "Courier", 4),
    article("b1", BRIDGE, "Traun News"),
    article("b2", BRIDGE_RETOLD, "Courier", 5),
    article("a1", (DEPOT[0], DEPOT[1] + " One worker was killed."), minutes=6),
)
_AT = st.integers(0, 9)
_DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("assign"), _AT, _AT),
        st.tuples(st.just("merge"), _AT, _AT),
        st.tuples(st.just("split"), _AT, _AT),
        st.tuples(st.just("mute"), _AT, _AT),
    ),
    min_size=4,
    max_size=16,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deeds=_DEEDS)
def test_whatever_editors_do_an_article_is_in_one_story_and_no_alert_id_has_two_meanings(
    redis_url: str, deeds: list[tuple[str, int, int]]
) -> None:
    asyncio.run(_do(redis_url, deeds))


async def _do(redis_url: str, deeds: list[tuple[str, int, int]]) -> None:
    redis, keys = connect_redis(redis_url), Keys(f"test-{secrets.token_hex(6)}")
    try:
        stories, editing = Stories(redis, keys, WINDOW_S), Editing(redis, keys, WINDOW_S)
        told: dict[str, Alert] = {}
        known: list[str] = []
        assigned: set[str] = set()
        for what, one, other in [("assign", n, 0) for n in (0, 3, 5)] + deeds:
            alerts: list[Alert] = []
            story, second = known[one % len(known)] if known else "", ""
            if what == "assign":
                article_ = _POOL[one % len(_POOL)]
                (decision,) = await stories.assign([article_], START + timedelta(minutes=10))
                alerts += [decision.alert] if decision.alert else []
                assigned.add(article_.article.id)
                known.append(decision.story_id or "")
            elif what == "merge":
                second = known[other % len(known)]
                alerts += await editing.merge(story, second)
            elif what == "mute":
                alerts += await editing.mute(story, muted=bool(other % 2))
            else:
                members = await stories.members(await editing.current(story))
                leaving = members[other % len(members)].facts.article_id
                if {member.facts.article_id for member in members} != {leaving}:
                    alerts += await editing.split(story, leaving)
            known = list(dict.fromkeys([*known, *(alert.story.id for alert in alerts)]))
            for alert in alerts:
                assert told.setdefault(alert.id, alert) == alert
            homes = {await editing.current(each) for each in known}
            held = [{m.facts.article_id for m in await stories.members(home)} for home in homes]
            assert sum(map(len, held)) == len(set().union(*held))
            assert set().union(*held) == assigned
    finally:
        await redis.aclose()
