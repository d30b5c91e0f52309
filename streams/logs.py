"""How every process speaks to the person who runs it: one readable line an event, on stderr.

Owns the form of the lines, the masking of secrets and the levels of the libraries. Does not
decide where stderr goes: `wirebell up` sends each process's own into a file.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from types import TracebackType
from urllib.parse import quote, urlsplit

import structlog
from pydantic import BaseModel, SecretStr
from structlog.typing import EventDict, WrappedLogger

MASK = "********"
# A shorter "secret" would mask every other word of a line and protect nobody.
MIN_SECRET_CHARS = 4

# Libraries that tell of every heartbeat and every request at INFO.
_QUIET = ("faust", "mode", "aiokafka", "kafka", "aiohttp.access", "aiohttp.server", "asyncio")
# Extractors complain of each bad page at ERROR; what comes of a page is our source's to say.
_MUTE = ("trafilatura", "htmldate", "courlan", "charset_normalizer", "htmldate.validators")

# Control characters, bidirectional overrides, line separators and lone surrogates: all that
# lets outside text forge a line or turn one around.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# Secrets by their shape, known to us or not: Slack tokens, webhook secrets, URL passwords.
_SHAPES = re.compile(r"x(?:ox[a-z]|app)-[A-Za-z0-9-]+|whsec_[A-Za-z0-9+/=]+|(?<=://)[^/@\s]+(?=@)")

_secrets: set[str] = set()


def register_secret(value: str) -> None:
    """Mask `value` in every line from now on, as it is and as a URL would carry it."""
    if len(value) >= MIN_SECRET_CHARS:
        _secrets.update({value, quote(value, safe="")})


def register_secrets(settings: BaseModel) -> None:
    """Mask every secret of a configuration: masked types and fields kept out of `repr`.

    Of an address only its password is a secret; the address itself helps the reader.
    """
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        hidden = isinstance(value, str) and not field.repr
        for secret in _secrets_in(value, hidden):
            register_secret(secret)


def mask(text: str) -> str:
    """The text with every known secret, and all that is shaped like one, masked."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _SHAPES.sub(MASK, text)


def escape(text: str) -> str:
    """The text on one line, with nothing in it that a terminal would obey."""
    return _UNPRINTABLE.sub(lambda match: repr(match[0])[1:-1], text)


def configure(level: str, process: str) -> None:
    """Send every log line of this process to stderr as `time level process event key=value`.

    May be called again; the last call holds. An uncaught exception becomes one line too;
    its traceback is shown only at DEBUG.
    """
    debug = level.upper() == "DEBUG"
    shared: list[structlog.typing.Processor] = [structlog.stdlib.add_log_level]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processor=_Line(process, debug=debug), keep_exc_info=False
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _MUTE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False
    sys.excepthook = _log_uncaught


class _Line:
    """The last processor: an event dict becomes a line."""

    def __init__(self, process: str, *, debug: bool) -> None:
        self._process = process
        self._debug = debug
        self._stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> str:
        event = self._stamp(logger, name, event)
        time, level = str(event.pop("timestamp")), str(event.pop("level", name)).upper()
        text = str(event.pop("event", ""))
        raised = _exception_of(event.pop("exc_info", None))
        for internal in ("_record", "_from_structlog", "stack_info", "exception"):
            event.pop(internal, None)
        if raised is not None and "error" not in event:
            event["error"] = f"{type(raised).__name__}: {raised}"
        words = [f"{time[:23]}Z", f"{level:<7}", self._process, escape(mask(text))]
        words += [f"{key}={_quoted(escape(mask(str(value))))}" for key, value in event.items()]
        line = " ".join(words)
        if raised is not None and self._debug:
            trace = mask("".join(traceback.format_exception(raised))).splitlines()
            line += "".join(f"\n    {escape(each)}" for each in trace)
        return line


def _quoted(value: str) -> str:
    """In quotation marks where it could be taken for more than one value, or for another key."""
    if value and " " not in value and '"' not in value:
        return value
    return '"' + value.replace('"', '\\"') + '"'


def _exception_of(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple) and isinstance(exc_info[1], BaseException):
        return exc_info[1]
    return sys.exception() if exc_info else None


def _secrets_in(value: object, hidden: bool = False) -> list[str]:
    if isinstance(value, SecretStr) or hidden:
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        if "://" not in text:
            # A webhook's secret is one with and without its prefix; two may stand side by side.
            return [form for part in text.split() for form in (part, part.removeprefix("whsec_"))]
        return [urlsplit(text).password or ""]
    if isinstance(value, BaseModel):
        register_secrets(value)
    elif isinstance(value, dict):
        return [secret for inner in value.values() for secret in _secrets_in(inner)]
    elif isinstance(value, tuple | list):
        return [secret for inner in value for secret in _secrets_in(inner)]
    return []


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger("wirebell").critical("stopped by a fault", exc_info=error)
