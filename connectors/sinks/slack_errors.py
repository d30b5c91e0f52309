"""What Slack's answers mean: which errors pass, which are final, which leave doubt."""

from __future__ import annotations

from slack_sdk.errors import SlackApiError

from connectors.sinks.http_outcome import outcome_of
from connectors.sinks.sink import Result
from connectors.web_errors import retry_after_s

# The message that we would edit or answer is not there any more, or not ours to edit.
GONE = frozenset(
    {
        "message_not_found",
        "thread_not_found",
        "cant_update_message",
        "edit_window_closed",
        "cannot_reply_to_message",
    }
)
# Slack refused before doing anything, and may accept the same later.
_REFUSED_FOR_NOW = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
# Slack's own words: "some aspect of the operation may have succeeded".
_IN_DOUBT = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "unknown_error"}
)
_DEFAULT_RETRY_AFTER_S = 30.0


def slack_error(error: Exception) -> str:
    """Slack's own name for the error ("channel_not_found"), "" when it gave none."""
    body = getattr(getattr(error, "response", None), "data", None)
    named = body.get("error") if isinstance(body, dict) else None
    return named if isinstance(named, str) and named.replace("_", "").isalnum() else ""


def result_of(error: Exception) -> Result:
    """The result of a call that raised."""
    if not isinstance(error, SlackApiError):
        return outcome_of(error)
    status = getattr(error.response, "status_code", None)
    if not isinstance(status, int):
        # slack-sdk hands over aiohttp's own response when the body is not JSON.
        status = getattr(error.response, "status", None)
    named = slack_error(error)
    if status == 429 or named in _REFUSED_FOR_NOW:
        headers = getattr(error.response, "headers", None) or {}
        wait_s = retry_after_s(headers)
        wait_s = _DEFAULT_RETRY_AFTER_S if wait_s is None else wait_s
        return Result("not_sent", retry_after_s=wait_s, status=429, detail="Slack limits the rate")
    if status != 200 or not named or named in _IN_DOUBT:
        detail = f"Slack answered {status} {named}".rstrip()
        return Result("unknown", status=status, detail=detail)
    return Result("refused", status=status, detail=f"Slack answered {named}")
