"""The topics: what a report can be about, in the words shown to editors.

Owns ids, labels and definitions of the fourteen built-in topics and the `Topic` type. Does not own
thresholds that were learned: those travel in the model's artifact, beside the weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Where no artifact says otherwise: as likely as not.
UNTRAINED_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Topic:
    """One subject that a newsroom can ask to be told about.

    `threshold` is the probability, in [0, 1], at and above which a report is said to be about it.
    """

    id: str
    label: str
    definition: str
    threshold: float = UNTRAINED_THRESHOLD


TOPICS: tuple[Topic, ...] = (
    Topic(
        "drone_strike",
        "Drone strike",
        "An attack by an unmanned vehicle in the air, at sea or on land, tried or done; drones "
        "shot down, their debris; hostile drones over an airport or a border.",
    ),
    Topic(
        "bombardment",
        "Bombardment",
        "Missiles, rockets, air strikes by crewed aircraft, artillery, mortars or naval guns, "
        "intercepted ones included.",
    ),
    Topic(
        "sabotage",
        "Sabotage",
        "Deliberate, usually covert damage to or tampering with infrastructure, industry, "
        "transport, communications or military equipment, also suspected or foiled.",
    ),
    Topic(
        "bombing",
        "Bombing",
        "An explosive device: a car, suicide, parcel or roadside bomb, a grenade, a mine, a "
        "device found or defused, an explosion thought deliberate.",
    ),
    Topic(
        "arson",
        "Arson",
        "A fire set on purpose, firebombs and petrol bombs included.",
    ),
    Topic(
        "assassination",
        "Assassination",
        "The killing of a particular public person, an attempt or a plot, poisoning included.",
    ),
    Topic(
        "armed_clash",
        "Armed clash",
        "Fighting between two armed sides: battles, offensives, towns taken, coup fighting.",
    ),
    Topic(
        "armed_attack",
        "Armed attack",
        "One-sided violence against people: shooting, stabbing, ramming, massacre, ambush, raid.",
    ),
    Topic(
        "cyberattack",
        "Cyberattack",
        "Hacking, ransomware, denial of service, theft of data, malware.",
    ),
    Topic(
        "hostage_taking",
        "Hostage-taking",
        "Kidnapping, hostages, hijacking, piracy, mass abduction, and release or rescue from it.",
    ),
    Topic(
        "protest",
        "Protest",
        "Demonstrations, marches, riots, blockades, mass strikes, unrest and its suppression.",
    ),
    Topic(
        "arrest",
        "Arrest",
        "Police or courts acting against persons: arrest, charge, trial, conviction, sentence, "
        "extradition.",
    ),
    Topic(
        "accident",
        "Accident",
        "Transport and industrial accidents, collapses, crushes, fires and explosions that are "
        "not known to be deliberate.",
    ),
    Topic(
        "natural_disaster",
        "Natural disaster",
        "Earthquakes, storms, floods, eruptions, landslides, wildfires, heat waves, droughts.",
    ),
)

TOPIC_IDS: tuple[str, ...] = tuple(topic.id for topic in TOPICS)

#: What editors read for each id. A newsroom's own topics join when its configuration is read, so
#: that every process of a line tells the same labels.
LABELS: dict[str, str] = {topic.id: topic.label for topic in TOPICS}


def name_topics(topics: Iterable[Topic]) -> None:
    """Add the labels of a newsroom's own topics; may be repeated."""
    LABELS.update((topic.id, topic.label) for topic in topics if topic.id not in TOPIC_IDS)
