"""Apache Kafka for the tests: resolved by Maven, one KRaft node on loopback, no Docker."""
