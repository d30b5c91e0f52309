"""How each kind of source is configured: names, types, units, defaults, limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, model_validator

from connectors.addresses import is_loopback

SourceId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class SourceSettings(BaseModel):
    """What every source has. `publisher` names who is speaking; editions share one name."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    id: SourceId
    """Name of the source; stable, it is what the cursor is kept under."""
    publisher: str = ""
    """Who is speaking; editions of one publisher share one name."""
    language: Annotated[str, Field(pattern=r"^([a-z]{2})?$")] = ""
    """Language of its articles (ISO 639-1); empty lets it be identified."""
    enabled: bool = True
    """Whether the source is polled."""


class FeedSettings(SourceSettings):
    """An RSS, Atom or JSON feed. `fetch_pages` also fetches the article behind each item."""

    type: Literal["feed"] = "feed"
    """An RSS, Atom or JSON feed."""
    url: HttpUrl
    """Where the feed is."""
    interval_s: Annotated[float, Field(ge=10, le=86_400)] = 120
    """Seconds between two polls."""
    fetch_pages: bool = False
    """Whether the page behind each item is fetched for its full text."""
    allow_private: bool = False
    """Let this feed be on a private address; for a newsroom's own servers only."""


class PageSettings(SourceSettings):
    """Article pages, each read once and again when it changes."""

    type: Literal["page"] = "page"
    """Article pages."""
    urls: Annotated[tuple[HttpUrl, ...], Field(min_length=1, max_length=1_000)]
    """The pages."""
    interval_s: Annotated[float, Field(ge=10, le=86_400)] = 600
    """Seconds between two looks at them."""
    allow_private: bool = False
    """Let the pages be on a private address."""


class FilesSettings(SourceSettings):
    """A directory of txt, html, json, jsonl (each may be .gz), or "-" for standard input.

    `per_second` plays the articles at that pace (0: as fast as they can be published);
    `restamp` gives each article the time at which it is played, for samples.
    """

    type: Literal["files"] = "files"
    """Files in a folder, or standard input."""
    path: Path
    """The folder or file, or "-"."""
    interval_s: Annotated[float, Field(ge=1, le=86_400)] = 10
    """Seconds between two looks at the folder."""
    per_second: Annotated[float, Field(ge=0, le=100_000)] = 0
    """Articles a second to play them at; 0 is as fast as they are taken."""
    restamp: bool = False
    """Whether each article gets the time at which it is played."""


class IngestSettings(SourceSettings):
    """HTTP `POST /articles`. Any address but loopback needs a token."""

    type: Literal["ingest"] = "ingest"
    """HTTP POST /articles."""
    host: str = "127.0.0.1"
    """Address to listen on; any but loopback needs a token."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8086
    """Port to listen on; 0 lets the system choose."""
    token: SecretStr = SecretStr("")
    """Bearer token that a sender must show."""
    max_body_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = 5_000_000
    """Largest request body taken, in bytes."""

    @model_validator(mode="after")
    def _open_only_with_a_token(self) -> Self:
        if not self.token.get_secret_value() and not is_loopback(self.host):
            raise ValueError("host is not loopback, so a token is needed")
        return self


AnySource = Annotated[
    FeedSettings | PageSettings | FilesSettings | IngestSettings, Field(discriminator="type")
]
