"""A histogram that is told a batch at once says what one told value by value would."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from streams.metrics import BatchHistogram

VALUES = (0.0, 0.1, 0.5, 0.5, 0.51, 1, 7, 1e9)


def test_a_batch_counts_as_its_values_do_one_by_one() -> None:
    together, alone = CollectorRegistry(), CollectorRegistry()
    BatchHistogram("t", "t", buckets=(0.1, 0.5, 1), registry=together).observe_all(VALUES)
    one_by_one = Histogram("t", "t", buckets=(0.1, 0.5, 1), registry=alone)
    for value in VALUES:
        one_by_one.observe(value)
    told, expected = (
        [line for line in generate_latest(each).splitlines() if b"_created" not in line]
        for each in (together, alone)
    )
    assert told == expected
