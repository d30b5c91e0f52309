"""Benchmarks: each prints versions, n and figures beside a yardstick of the same run."""
