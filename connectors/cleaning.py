"""Texts as they left a crawler or a feed, made into what a person wrote.

Owns the removal of markup, invisible characters, crawler stamps, repeated captions and
titles, and rights notices. Does not find the article in a page: see `extraction`.
"""

from __future__ import annotations

import html
import itertools
import re
import unicodedata
from collections.abc import Iterator

# Three times the longest text kept; more is a page, not a summary.
MAX_MARKUP_CHARS = 300_000
# A caption is short; longer paragraphs are compared only as equal.
_MAX_CAPTION_WORDS = 60
# Two wordings of one caption (machine translated twice) share 0.89 of their words in the
# seed; different sentences on one subject share less than half.
_SAME_CAPTION = 0.8
_MIN_TITLE_WORDS = 4

# Control, format (zero width, bidi, tags), private use, unassigned, surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
_SPACES = re.compile(r"[^\S\n]+")
_LINE_BREAK = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8}\d{0,2});", re.I)
# 1683425930, or 1683425921 81: the second of 2001 to 2286 at which a crawler saw the line.
_STAMP = re.compile(r"^\s*1\d{9}\b(?:[ \t]+\d{1,6}(?![\d.,:%]))?[ \t]*")
_RIGHTS = re.compile(
    r"©|\(c\)\s*(?:19|20)\d\d|\ball rights reserved|reproduction reserved|copyright\b|"
    r"riproduzione riservata|tutti i diritti riservati|alle rechte vorbehalten|"
    r"tous droits réservés|reproduction interdite|todos los derechos reservados|"
    r"prohibida (?:su|la) reproducción|все права защищены|(?:усі|всі) права захищен",
    re.I,
)
_MAX_RIGHTS_WORDS = 25
_WORD = re.compile(r"\w+")

# Possessive, and no quoted value runs over a "<": linear on whatever comes.
_TOKEN = re.compile(
    r"""<!--|<[!?][^<>]*+>|<(/?)([a-zA-Z][\w:-]*+)(?>[^<>"']|"[^"<]*+"|'[^'<]*+')*+>|"""
    r"<(/?)[a-zA-Z][^<>]*+>"
)
_BLOCKS = frozenset(
    "address article aside blockquote br dd div dl dt figcaption figure footer form h1 h2 h3 h4 "
    "h5 h6 header hr li main nav ol p pre section table td th tr ul".split()
)
_SKIPPED = frozenset({"script", "style", "noscript", "template", "iframe", "svg"})


def clean_line(text: str) -> str:
    """One line of plain text: no markup, entities, invisible characters or line breaks."""
    return " ".join(_plain(text).split())


def clean_title(text: str) -> str:
    """A title as one clean line, without a crawler's stamp before it."""
    line = clean_line(text)
    return _STAMP.sub("", line).strip() or line


def clean_text(text: str, title: str = "") -> str:
    """An article's text as paragraphs: crawler leftovers, rights notices, repeated captions
    and repetitions of `title` are gone.
    """
    paragraphs = []
    for line in _plain(text).split("\n"):
        paragraph = _STAMP.sub("", " ".join(line.split())).strip()
        if paragraph and not _is_rights_notice(paragraph):
            paragraphs.append(paragraph)
    return "\n\n".join(_without_repeats(paragraphs, title))


def split_title(text: str) -> tuple[str, str]:
    """A plain text into (title, clean text): the title is its first line, or the second
    where that is the same title in full.
    """
    lines = [line for line in _plain(text).split("\n") if line.strip()]
    if not lines:
        return "", ""
    title = clean_title(lines[0])
    if len(lines) > 1:
        second = clean_title(lines[1])
        words, longer = _words(title), _words(second)
        if len(words) >= _MIN_TITLE_WORDS and longer[: len(words)] == words and len(second) <= 300:
            title = second
    return title, clean_text("\n".join(lines[1:]), title)


def html_to_text(markup: str) -> str:
    """The text of an HTML fragment; blocks become lines. Plain text comes back as it is.

    A tokenizer, no parser: it keeps no tree and never looks back, so that neither depth nor
    unclosed tags cost anything (html.parser is quadratic on both).
    """
    markup = markup[:MAX_MARKUP_CHARS]
    if "<" not in markup:
        return html.unescape(markup) if "&" in markup else markup
    return html.unescape("".join(_texts(markup)))


def _texts(markup: str) -> Iterator[str]:
    lowered = markup.lower() if len(markup.lower()) == len(markup) else markup
    position = 0
    for token in _TOKEN.finditer(markup):
        if token.start() < position:
            continue
        yield markup[position : token.start()]
        position = token.end()
        name = (token[2] or "").lower()
        if token[0] == "<!--":
            position = _after(lowered, "-->", position)
        elif name in _SKIPPED and not token[1]:
            position = _after(lowered, f"</{name}", position)
        elif name in _BLOCKS:
            yield "\n"
        if position == len(markup):
            return
    yield markup[position:]


def _after(text: str, end: str, start: int) -> int:
    """Where the text goes on after `end`; at its end when that does not come."""
    found = text.find(end, start)
    return (
        found
        if found >= 0 and end.startswith("</")
        else found + len(end)
        if found >= 0
        else len(text)
    )


def _plain(text: str) -> str:
    # Feeds escape their entities twice ("&amp;quot;"); a third round would be the author's.
    for _ in range(2):
        if _ENTITY.search(text):
            text = html.unescape(text)
    text = _LINE_BREAK.sub("\n", text)
    text = _INVISIBLE.sub("", text).replace("\t", " ")
    return unicodedata.normalize("NFC", _SPACES.sub(" ", text))


def _is_rights_notice(paragraph: str) -> bool:
    return bool(_RIGHTS.search(paragraph)) and len(paragraph.split()) <= _MAX_RIGHTS_WORDS


def _without_repeats(paragraphs: list[str], title: str) -> list[str]:
    words = [_words(paragraph) for paragraph in paragraphs]
    gone = _repeated_titles(words, _words(title)) | _later_copies(words)
    captions = _captions(words, gone)
    dropped = gone | captions
    left = sum(len(line) for i, line in enumerate(words) if i not in dropped)
    # Only beside a real text is a doubled line a caption; alone it is the news itself.
    if left >= 3 * sum(len(words[i]) for i in captions):
        gone |= captions
    else:
        gone |= {i for i in captions if i - 1 in captions}
    return [paragraph for i, paragraph in enumerate(paragraphs) if i not in gone]


def _repeated_titles(words: list[list[str]], title: list[str]) -> set[int]:
    """Paragraphs that only say the title again, whole or cut."""
    return {
        i
        for i, line in enumerate(words)
        if title
        and (line == title or (len(line) >= _MIN_TITLE_WORDS and line == title[: len(line)]))
    }


def _later_copies(words: list[list[str]]) -> set[int]:
    """Paragraphs that came before, word for word, further up than the line before."""
    first: dict[tuple[str, ...], int] = {}
    copies = set()
    for i, line in enumerate(words):
        before = first.setdefault(tuple(line), i)
        if line and before not in (i, i - 1):
            copies.add(i)
    return copies


def _captions(words: list[list[str]], gone: set[int]) -> set[int]:
    """Neighbours that say the same: a picture's caption and its alternative text."""
    found: set[int] = set()
    left = [i for i in range(len(words)) if i not in gone]
    for above, below in itertools.pairwise(left):
        if _same_caption(words[above], words[below]):
            found |= {above, below}
    return found


def _same_caption(above: list[str], below: list[str]) -> bool:
    if not above or len(above) > _MAX_CAPTION_WORDS:
        return False
    if above == below:
        return True
    a, b = set(above), set(below)
    if {word for word in a ^ b if word.isdigit()}:
        return False
    return min(len(a), len(b)) >= 8 and len(a & b) >= _SAME_CAPTION * len(a | b)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
