"""How a stand-in for `wirebell worker` begins and ends as a process, told what to do by JSON."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

import msgspec

from streams import logs
from streams.library_logs import calm_library_logs

_O = TypeVar("_O")


def run_to_the_end(orders: type[_O], work: Callable[[_O], Coroutine[Any, Any, None]]) -> NoReturn:
    """Work as the first argument says until that ends; exit code 1 when it ended by a fault."""
    told = msgspec.json.decode(sys.argv[1], type=orders)
    logs.configure("INFO", "worker")
    calm_library_logs()
    code = 0
    try:
        asyncio.new_event_loop().run_until_complete(work(told))  # not closed, as the command
    except Exception as error:
        print(f"FAILED {error}", file=sys.stderr, flush=True)
        code = 1
    sys.stderr.flush()
    os._exit(code)
