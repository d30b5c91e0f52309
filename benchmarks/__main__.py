"""Wirebell beside its yardsticks, in turn: `make bench`. Each says more with settings of its own.

`bench_line` alone takes more than twenty minutes on two cores; what each took is printed. Others
are run by themselves: `bench_idle` (docs/at-rest.md), `bench_scale` (docs/scaling.md), `replay`
and `bench_page`. Where Java 17 or Maven is missing, Apache Kafka is left out, and said to be.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Module, settings, and where it leaves what it found.
BENCHES = (
    ("bench_classify", (), "printed"),
    ("bench_stories", ("--articles", "5000", "--window", "100000", "--month", "24000"), "printed"),
    (
        "bench_line",
        ("--turns", "5", "--write"),
        "docs/performance.md, docs/images/performance.png",
    ),
    ("bench_sink", ("--write",), "docs/latency.md"),
)


def main() -> int:
    """Run them one after the other; 1 when one has failed."""
    failed = []
    for name, settings, where in BENCHES:
        print(f"== {name} {' '.join(settings)}  ->  {where}", flush=True)
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *settings], cwd=ROOT, check=False
        )
        print(f"== {name}: {time.monotonic() - began:.0f} s", flush=True)
        if done.returncode:
            failed.append(name)
    if failed:
        print("failed:", ", ".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
