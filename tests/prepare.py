"""Fetches what the tests use where this machine can have it: Apache Kafka, Chromium.

`make test` runs it first. What cannot be had is said in one line and skipped by the tests;
what can be had and does not work fails the run.
"""

from __future__ import annotations

import sys

from tests.browser.chromium import ChromiumUnavailableError, install_chromium
from tests.kafka.apache import KafkaBrokenError, KafkaUnavailableError, resolve_jars


def main() -> None:
    """Prepare all; exits with 1 when something is broken rather than missing."""
    try:
        resolve_jars()
        print("Apache Kafka: ready")
    except KafkaUnavailableError as reason:
        print(f"Apache Kafka: its lane is skipped ({reason})")
    except KafkaBrokenError as error:
        sys.exit(f"Apache Kafka: {error}")
    try:
        print(f"Chromium: {install_chromium()}")
    except ChromiumUnavailableError as reason:
        print(f"Chromium: browser tests are skipped ({reason})")


if __name__ == "__main__":
    main()
