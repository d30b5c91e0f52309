"""How each kind of source is configured: names, types, units, defaults, limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl

SourceId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class SourceSettings(BaseModel):
    """What every source has. `publisher` names who is speaking; editions share one name."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: SourceId
    publisher: str = ""
    language: Annotated[str, Field(pattern=r"^([a-z]{2})?$")] = ""
    enabled: bool = True


class FeedSettings(SourceSettings):
    """An RSS, Atom or JSON feed. `fetch_pages` also fetches the article behind each item."""

    type: Literal["feed"] = "feed"
    url: HttpUrl
    interval_s: Annotated[float, Field(ge=10, le=86_400)] = 120
    fetch_pages: bool = False
    allow_private: bool = False
    """Let this feed be on a private address; for a newsroom's own servers only."""


class PageSettings(SourceSettings):
    """Article pages, each read once and again when it changes."""

    type: Literal["page"] = "page"
    urls: Annotated[tuple[HttpUrl, ...], Field(min_length=1, max_length=1_000)]
    interval_s: Annotated[float, Field(ge=10, le=86_400)] = 600
    allow_private: bool = False


class FilesSettings(SourceSettings):
    """A directory of txt, html, json, jsonl (each may be .gz), or "-" for standard input.

    `per_second` plays the articles at that pace (0: as fast as they can be published);
    `restamp` gives each article the time at which it is played, for samples.
    """

    type: Literal["files"] = "files"
    path: Path
    interval_s: Annotated[float, Field(ge=1, le=86_400)] = 10
    per_second: Annotated[float, Field(ge=0, le=100_000)] = 0
    restamp: bool = False


class IngestSettings(SourceSettings):
    """HTTP `POST /articles`. Any address but loopback needs a token."""

    type: Literal["ingest"] = "ingest"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8086
    token: str = Field(default="", repr=False)
    max_body_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = 5_000_000


AnySource = Annotated[
    FeedSettings | PageSettings | FilesSettings | IngestSettings, Field(discriminator="type")
]
