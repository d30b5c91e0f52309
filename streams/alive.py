"""`python -m streams.alive ROLE`: does a process of this role on this host still beat?

For the health checks of containers, where one host is one process. Whether the line as a
whole is well is `wirebell status`.
"""

from __future__ import annotations

import socket
import sys
from datetime import UTC, datetime, timedelta

from redis import Redis
from redis.exceptions import RedisError

from streams.heartbeat import decode_heartbeat
from streams.keys import Keys
from streams.settings import Settings, SettingsError, load_settings

# Ten missed beats; streams/health.py calls that silence too.
SILENT_AFTER = timedelta(seconds=10)
_TIMEOUT_S = 5


def main(arguments: list[str]) -> int:
    """Exit code 0: it beats. 1: it does not, or nobody can tell; the reason is printed."""
    if len(arguments) != 1:
        print("usage: python -m streams.alive sources|worker|page", file=sys.stderr)
        return 2
    try:
        fault = silence(load_settings(), arguments[0], socket.gethostname(), datetime.now(UTC))
    except SettingsError as error:
        fault = error.faults[0]
    except (RedisError, OSError) as error:
        fault = f"Redis: {type(error).__name__}"
    if fault:
        print(fault, file=sys.stderr)
    return 1 if fault else 0


def silence(settings: Settings, role: str, host: str, now: datetime) -> str:
    """Why the role counts as dead on this host; "" when it beats.

    Raises:
        RedisError: Redis is away.
    """
    client = Redis.from_url(
        settings.redis.url.get_secret_value(),
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
    )
    try:
        raws: dict[bytes, bytes] = client.hgetall(Keys(settings.redis.prefix).processes)  # type: ignore[assignment]
    finally:
        client.close()
    beats = [beat for raw in raws.values() if (beat := decode_heartbeat(raw))]
    ours = [beat.at for beat in beats if beat.role == role and beat.host == host]
    if not ours:
        return f"no {role} has ever beaten on {host}"
    age = now - max(ours)
    return (
        f"the {role} has been silent for {age.total_seconds():.0f} s" if age > SILENT_AFTER else ""
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
