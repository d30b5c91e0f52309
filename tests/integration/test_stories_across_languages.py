"""One event told in seven languages is one story; the same kind of event elsewhere is another.

The reports are written for this test, about invented events; model, gazetteer and Redis are real.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from classifiers.model import TopicModel
from connectors.records import Article
from streams.backtest import EveryTopic
from streams.keys import Keys
from streams.redis_client import connect_redis
from streams.screening import screen
from streams.stories import Stories
from tests.reports import START

TARRAGONA = {
    "en": "Three workers were killed and eleven injured when an explosion tore through a chemical "
    "plant in Tarragona, in Spain. Firefighters fought the blaze all night.",
    "es": "Tres trabajadores murieron y once resultaron heridos en una explosión en una planta "
    "química en Tarragona, en España. Los bomberos lucharon toda la noche con el incendio.",
    "fr": "Trois ouvriers ont été tués et onze blessés dans une explosion dans une usine chimique "
    "à Tarragone, en Espagne. Les pompiers ont combattu l'incendie toute la nuit.",
    "it": "Tre operai sono morti e undici sono rimasti feriti in un'esplosione in un impianto "
    "chimico a Tarragona, in Spagna. I pompieri hanno lottato con l'incendio tutta la notte.",
    "de": "Drei Arbeiter wurden bei einer Explosion in einem Chemiewerk in Tarragona in Spanien "
    "getötet und elf verletzt. Die Feuerwehr bekämpfte den Brand die ganze Nacht.",
    "ru": "Трое рабочих погибли и одиннадцать пострадали при взрыве на химическом заводе в "
    "Таррагоне в Испании. Пожарные боролись с огнем всю ночь.",
    "uk": "Троє робітників загинули й одинадцять постраждали під час вибуху на хімічному заводі в "
    "Таррагоні в Іспанії. Пожежники боролися з вогнем усю ніч.",
}
LINZ = {
    "en": "Two people were killed in an explosion at a chemical plant in Linz, Austria, on Monday. "
    "The factory was evacuated and the firefighters put out a blaze.",
    "it": "Due persone sono morte lunedì in un'esplosione in un impianto chimico a Linz, in "
    "Austria. I pompieri hanno spento l'incendio e la fabbrica è stata evacuata.",
    "ru": "Два человека погибли в понедельник при взрыве на химическом заводе в Линце в Австрии. "
    "Пожарные потушили огонь, завод эвакуирован.",
}


@pytest.fixture(scope="module")
def model() -> EveryTopic:
    return EveryTopic(TopicModel.load(slow=False))


@pytest.fixture
async def stories(redis_url: str, redis_prefix: str) -> AsyncIterator[Stories]:
    client: Redis = connect_redis(redis_url)
    yield Stories(client, Keys(redis_prefix), 72 * 3600.0)
    await client.aclose()


def _article(town: str, language: str, text: str) -> Article:
    return Article(
        id=f"{town}-{language}",
        source_id="test",
        publisher=f"Paper {language}",
        title="",
        text=text,
        language=language,
        fetched_at=START,
    )


@pytest.mark.parametrize("seed", range(5))
async def test_an_event_is_one_story_in_seven_languages_and_its_like_elsewhere_another(
    stories: Stories, model: EveryTopic, seed: int
) -> None:
    told = [_article("tarragona", *report) for report in TARRAGONA.items()]
    told += [_article("linz", *report) for report in LINZ.items()]
    random.Random(seed).shuffle(told)
    decisions = await stories.assign(screen(told, model, START), START)
    towns: dict[str | None, set[str]] = {}
    for one, decision in zip(told, decisions, strict=True):
        towns.setdefault(decision.story_id, set()).add(one.id.split("-")[0])
    assert sorted(map(sorted, towns.values())) == [["linz"], ["tarragona"]]
    assert sum(decision.kind == "new" for decision in decisions) == 2


@pytest.mark.parametrize("named", ["en-US", "EN"])
async def test_a_language_with_its_region_is_that_language(
    stories: Stories, model: EveryTopic, named: str
) -> None:
    told = [
        _article("tarragona", "it", TARRAGONA["it"]),
        _article("tarragona", named, TARRAGONA["en"]),
    ]
    first, second = await stories.assign(screen(told, model, START), START)
    assert first.story_id == second.story_id


async def test_a_bomb_and_a_knife_in_one_town_are_two_stories_in_any_language(
    stories: Stories,
) -> None:
    told = [
        _article(
            "knife",
            "de",
            "Ein Mann hat in Kassel an einer Haltestelle mit einem Messer auf Passanten "
            "eingestochen und vier Menschen verletzt, zwei davon schwer.",
        ),
        _article(
            "bomb",
            "en",
            "A car bomb went off at a crowded market in Kassel on Friday, killing 11 people, "
            "police said.",
        ),
        _article(
            "knife",
            "en",
            "A man stabbed four people at a tram stop in Kassel with a knife, wounding two of "
            "them seriously.",
        ),
    ]
    decisions = await stories.assign(screen(told, TopicModel.load(), START), START)
    knife, bomb, again = (decision.story_id for decision in decisions)
    assert knife == again
    assert bomb != knife
