"""How many records the workers have yet to read, asked once, from outside their group.

For the supervisor, which must know before it throws a full broker away. The page watches
lag over time (streams/observations.py).
"""

from __future__ import annotations

import asyncio

from streams.kafka_offsets import BrokerAwayError, KafkaOffsets
from streams.kafka_topics import ALERTS, ARTICLES, WORKER_GROUP
from streams.settings import KafkaSettings


def count_backlog(kafka: KafkaSettings) -> int:
    """Articles and alerts in Kafka that the workers have not committed. Blocks, up to 8 s.

    Raises:
        OSError: the broker does not answer.
    """
    return asyncio.run(_count(kafka))


async def _count(kafka: KafkaSettings) -> int:
    offsets = KafkaOffsets(kafka, kafka.prefix + WORKER_GROUP)
    try:
        seen = await offsets.read([kafka.prefix + ARTICLES, kafka.prefix + ALERTS])
    except BrokerAwayError as error:
        raise OSError(str(error)) from error
    finally:
        await offsets.close()
    return sum(each.end - max(each.committed or 0, each.beginning) for each in seen)
