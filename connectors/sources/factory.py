"""Every source from its settings: the one place that knows all kinds."""

from __future__ import annotations

from connectors.sources.feed import FeedSource
from connectors.sources.files import FilesSource
from connectors.sources.ingest import IngestSource
from connectors.sources.page import PageSource
from connectors.sources.settings import (
    AnySource,
    FeedSettings,
    FilesSettings,
    PageSettings,
)
from connectors.sources.source import Source
from connectors.sources.stdin import StdinSource
from connectors.web_client import WebClient

STDIN = "-"


def make_source(settings: AnySource, web_client: WebClient) -> Source:
    """Make the source that `settings` describe. It opens nothing before its first poll."""
    if isinstance(settings, FeedSettings):
        return FeedSource(settings, web_client)
    if isinstance(settings, PageSettings):
        return PageSource(settings, web_client)
    if isinstance(settings, FilesSettings):
        if str(settings.path) == STDIN:
            return StdinSource(settings)
        return FilesSource(settings)
    return IngestSource(settings)
