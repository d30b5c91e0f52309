"""Slack's syntax: the one place that makes Block Kit objects out of outside text.

Whatever the text is, it can mention nobody and link nowhere: in `plain_text` Slack parses
nothing, in `mrkdwn` the control characters are escaped and formatting signs taken out.
Source: docs.slack.dev, "Formatting message text" and the text object's reference.
"""

from __future__ import annotations

from typing import Any

from connectors.sinks.plain_text import host_of, one_line, safe_url

Block = dict[str, Any]

# Slack's limits are 150 characters a header, 3,000 a text object, 50 blocks, 40,000 the
# fallback; ours stay far below, because nobody reads more in an alarm.
MAX_HEADER_CHARS = 140
MAX_TEXT_CHARS = 2_000
MAX_FALLBACK_CHARS = 600
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# Signs that would make outside text bold, struck out or code.
_FORMATTING = str.maketrans({"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ"})


def escape(text: str, limit: int) -> str:
    """Outside text for a place that Slack parses; at most `limit` characters before escaping."""
    return one_line(text, limit).translate(_FORMATTING).translate(_ESCAPES)


def header(text: str) -> Block:
    """The headline block."""
    shown = one_line(text, MAX_HEADER_CHARS) or "(no headline)"
    return {"type": "header", "text": {"type": "plain_text", "text": shown, "emoji": False}}


def plain_section(text: str, limit: int) -> Block:
    """A paragraph in which Slack parses nothing."""
    shown = one_line(text, limit) or "…"
    return {"type": "section", "text": {"type": "plain_text", "text": shown, "emoji": False}}


def marked_section(lines: list[str]) -> Block:
    """A paragraph of lines made by `escape`, `link` and our own words; a line that does not fit
    is left out whole.
    """
    kept: list[str] = []
    for line in lines:
        if len("\n".join([*kept, line])) <= MAX_TEXT_CHARS:
            kept.append(line)
    text = "\n".join(kept) or "…"
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def context(*texts: str) -> Block:
    """Small print in which Slack parses nothing; up to ten texts."""
    shown = [one_line(text, 500) or "…" for text in texts[:10]]
    elements = [{"type": "plain_text", "text": text, "emoji": False} for text in shown]
    return {"type": "context", "elements": elements}


def link(url: str) -> str:
    """A link that shows the host it leads to, so that it cannot be disguised; "" for a URL
    that people should not be sent to.
    """
    safe = safe_url(url)
    if not safe or len(safe) > 600:
        return ""
    target = safe.replace("&", "&amp;").replace("|", "%7C").replace("<", "%3C").replace(">", "%3E")
    return f"<{target}|{escape(host_of(safe), 60)}>"
