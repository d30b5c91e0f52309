"""What Prometheus reads from the page: the verdict, and the line added up under its own names."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

from streams.dashboard.exposition import expose, record_verdict
from streams.health import judge
from streams.heartbeat import Heartbeat, Sample
from streams.kafka_offsets import KafkaOffsets
from streams.keys import Keys
from streams.observations import Observer
from streams.redis_client import connect_redis
from streams.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def worker(name: str, screened: float) -> Heartbeat:
    return Heartbeat(
        process=name,
        role="worker",
        pid=1,
        host="h",
        started_at=NOW,
        at=NOW,
        rss_bytes=1,
        samples=(Sample("wirebell_articles_screened_total", {}, screened),),
    )


async def test_the_line_is_added_up_under_names_that_no_process_of_it_has() -> None:
    settings = Settings()
    redis = connect_redis("redis://127.0.0.1:9/0")  # asked nothing here
    observer = Observer(settings, redis, Keys("x"), KafkaOffsets(settings.kafka, "g"), NOW)
    observer.tally.add([worker("w1", 3), worker("w2", 4)], NOW)
    record_verdict(observer, judge(observer.observe(NOW)))
    families = {
        family.name: family for family in text_string_to_metric_families(expose(observer).decode())
    }
    assert families["wirebell_line_articles_screened"].samples[0].value == 7
    assert "wirebell_articles_screened" not in families
    healths = families["wirebell_health"].samples
    assert sum(sample.value for sample in healths) == 1
    assert "process_cpu_seconds" in families
