"""Reports on invented events, for tests of stories: facts, screened articles and whole texts.

Nothing here decides anything; the stand-in model only reads the topic out of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from classifiers.model import Evidence, Reading
from classifiers.topics import TOPICS, Topic
from connectors.records import Article, ArticleStatus
from streams.facts import EvidenceFact, Facts, PlaceFact
from streams.screening import Screened, screen
from streams.stories import Decision, Stories

WINDOW_S = 72 * 3600
START = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
BRYANSK = PlaceFact("Bryansk", "RU", 53.25, 34.37)
KYIV = PlaceFact("Kyiv", "UA", 50.45, 30.52)
RUSSIA = PlaceFact("Russia", "RU", 60.0, 100.0, is_country=True)

# The words by which the stand-in model knows a topic; texts of these tests use them.
SIGNS = {
    "drone_strike": ("drone",),
    "bombing": ("bomb", "explosive"),
    "sabotage": ("derail", "sabotage"),
    "accident": ("ferry", "collapse", "explosion"),
    "arrest": ("arrested", "detained"),
    "armed_attack": ("gunman",),
    "natural_disaster": ("earthquake", "flood"),
}

DEPOT = (
    "Drones set oil depot near Bryansk ablaze",
    "Three drones hit the Snezhka oil depot outside Bryansk before dawn on Wednesday, governor "
    "Pavel Lirov said. Fire crews fought a blaze of 2,000 square metres while two fuel tanks "
    "burned through the morning. Lirov said four workers were injured and taken to the regional "
    "hospital. Residents of the Bezhitsa district heard a series of blasts shortly after four. "
    "The depot supplies diesel to army units along the border, according to the local news site "
    "Bryansk Segodnya. Air defence shot down another six aircraft, the ministry said.",
)
DEPOT_RETOLD = (
    "Bryansk governor says drone attack on Snezhka depot injured four",
    "A drone attack started a large fire at the Snezhka oil depot in Russia's Bryansk region, "
    "with four workers injured, according to governor Pavel Lirov. Video from the Bezhitsa "
    "district showed black smoke above two burning fuel tanks. Lirov urged residents to keep "
    "their windows shut.",
)
FERRY = (
    "Ferry runs aground off Corvera with 212 passengers",
    "A ferry carrying 212 passengers ran aground off the island of Corvera on Wednesday evening "
    "in thick fog, the coast guard said. Lifeboats brought everybody ashore by midnight. The "
    "operator, Linea Azul, said the captain had taken a wrong turn at the Punta Negra lighthouse.",
)
FERRY_RETOLD = (
    "All 212 passengers safe after ferry runs aground off Corvera",
    "Lifeboats brought 212 passengers ashore after a Linea Azul ferry ran aground in fog near the "
    "Punta Negra lighthouse off the island of Corvera, the coast guard said.",
)
BRIDGE = (
    "Footbridge collapse in Velden injures three",
    "A footbridge over the Traun in Velden collapsed on Wednesday, police said. Three people were "
    "injured. The town hall had closed the footbridge to cyclists in January after an inspection.",
)
BRIDGE_RETOLD = (
    "Three injured as footbridge over the Traun collapses",
    "The footbridge in Velden that collapsed into the Traun on Wednesday had been inspected in "
    "January, the town hall said. Three people were injured, police said.",
)
SPORT = (
    "Corvera win the cup after extra time",
    "Corvera won the island cup on Saturday with a late goal by Mateo Ruiz in front of 9,000.",
)


class SignModel:
    """A stand-in for the topic model: a topic is certain where one of its signs is written."""

    topics: tuple[Topic, ...] = TOPICS

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """0.95 where a sign stands, 0.05 elsewhere."""
        return np.array(
            [
                [
                    0.95 if any(sign in text.lower() for sign in SIGNS.get(topic.id, ())) else 0.05
                    for topic in TOPICS
                ]
                for text in texts
            ],
            dtype=np.float32,
        )

    def read(self, texts: Sequence[str], explain: int = 0, /) -> Reading:
        """Nothing is doubtful, and nothing is explained that was not asked for by itself."""
        return Reading(self.predict(texts))

    def choose(
        self, probabilities_row: NDArray[np.float32] | Sequence[float], /
    ) -> tuple[str, ...]:
        """The topics whose sign was there, in the order of the topics."""
        return tuple(
            topic.id
            for topic, probability in zip(TOPICS, probabilities_row, strict=True)
            if probability > 0.5
        )

    def explain_all(
        self, wanted: Sequence[tuple[str, Sequence[str]]], /
    ) -> list[tuple[Evidence, ...]]:
        """The signs that stand in each text, and its first sentence."""
        return [tuple(_explain(text, topic_id) for topic_id in topics) for text, topics in wanted]


def _explain(text: str, topic_id: str) -> Evidence:
    words = tuple(sign for sign in SIGNS[topic_id] if sign in text.lower())
    return Evidence(topic_id, words, text.split(". ", maxsplit=1)[0])


def article(
    id: str = "a1",  # noqa: A002
    told: tuple[str, str] = DEPOT,
    publisher: str = "Daily Ledger",
    minutes: float = 0,
    status: ArticleStatus = "published",
    language: str = "en",
) -> Article:
    """An article published so many minutes after `START` and fetched a minute later."""
    at = START + timedelta(minutes=minutes)
    return Article(
        id=id,
        source_id="test",
        publisher=publisher,
        title=told[0],
        text=told[1],
        url=f"https://example.org/{id}",
        language=language,
        published_at=at,
        fetched_at=at + timedelta(minutes=1),
        status=status,
    )


def screened(*articles: Article, minutes: float = 2) -> list[Screened]:
    """Articles after screening with the stand-in model, the real rest."""
    return screen(articles, SignModel(), START + timedelta(minutes=minutes))


def facts(
    id: str = "a1",  # noqa: A002
    publisher: str = "Daily Ledger",
    title: str = "Drones set oil depot near Bryansk ablaze",
    minutes: float = 0,
    topics: tuple[tuple[str, float], ...] = (("drone_strike", 0.95),),
    places: tuple[PlaceFact, ...] = (BRYANSK,),
    tolls: tuple[tuple[str, int], ...] = (),
    status: ArticleStatus = "published",
    copy: bool = False,
    language: str = "en",
) -> Facts:
    """The facts of one member of a story."""
    at = (START + timedelta(minutes=minutes)).timestamp()
    whole = Facts(
        article_id=id,
        publisher=publisher,
        fetched_at=at + 60,
        screened_at=at + 61,
        published_at=at,
        status=status,
        title=title,
        url=f"https://example.org/{id}",
        language=language,
        summary=f"{title}.",
        topics=topics,
        evidence=tuple(EvidenceFact(topic, ("drones",), title) for topic, _ in topics),
        places=places,
        tolls=tolls,
    )
    return whole.as_copy() if copy else whole


async def assign(stories: Stories, *articles: Article, minutes: float = 5) -> list[Decision]:
    """Screen and assign, so long after START."""
    now = START + timedelta(minutes=minutes)
    return await stories.assign(screened(*articles, minutes=minutes), now)
