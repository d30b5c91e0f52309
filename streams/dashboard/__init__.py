"""The ops page: its own process, so that a stuck worker cannot hide itself."""
