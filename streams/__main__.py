"""`python -m streams COMMAND`: the console command without its script, for child processes."""

from __future__ import annotations

from streams.cli import main

if __name__ == "__main__":
    main()
