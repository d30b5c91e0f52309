"""What a Redis has spent and holds, and for which of the things that are kept of an article."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis

from benchmarks.scale_report import KINDS

#: What keys begin with (streams/stories.py, ledger.py), by what they are kept for.
KIND_OF = {
    "p": "index", "k": "index", "story": "stories", "stories": "stories", "a": "articles",
    "ledger": "alerts",
}  # fmt: skip


def memory_by_kind(store: redis.Redis) -> Mapping[str, float]:
    """The share of each kind of key in what a line's Redis holds."""
    held = dict.fromkeys(KINDS, 0)
    for name in store.scan_iter(count=5_000):
        kind = KIND_OF.get(name.partition(b"}:")[2].partition(b":")[0].decode())
        if kind:
            held[kind] += int(store.memory_usage(name, samples=0) or 0)
    return {kind: size / sum(held.values()) for kind, size in held.items()}


def redis_state(store: redis.Redis) -> dict[str, float]:
    """What it has spent so far, and what it holds."""
    told: dict[str, Any] = dict(store.info())
    return {
        "cpu": told["used_cpu_user"] + told["used_cpu_sys"],
        "commands": told["total_commands_processed"],
        "in": told["total_net_input_bytes"],
        "out": told["total_net_output_bytes"],
        "memory": told["used_memory"],
    }
