"""The fold: what a story looks like after each of its members."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from connectors.records import Alert
from streams.facts import Facts
from streams.publishers import publisher_key
from streams.story import Folded, Step, fold
from tests.reports import BRYANSK, KYIV, RUSSIA, facts

STORY = "0123456789ab"


def _fold(*members: Facts, languages: tuple[str, ...] = ("en",)) -> list[Step]:
    steps: list[Step] = []
    folded: Folded | None = None
    for member in members:
        steps.append(fold(folded, member, STORY, languages))
        folded = steps[-1].folded
    return steps


def _changes(step: Step) -> tuple[str, ...]:
    assert step.alert is not None
    return step.alert.story.changes


def test_first_member_begins_a_story_at_revision_one() -> None:
    (step,) = _fold(facts())
    assert step.outcome == "new"
    assert step.alert is not None
    assert step.alert.id == f"{STORY}:1"
    assert step.alert.kind == "new"
    story = step.alert.story
    assert story.headline == "Drones set oil depot near Bryansk ablaze"
    assert [place.name for place in story.places] == ["Bryansk"]
    assert [report.publisher for report in story.reports] == ["Daily Ledger"]


def test_same_publisher_with_nothing_new_joins_silently() -> None:
    first, second = _fold(facts(), facts("a2", title="More on the depot", minutes=5))
    assert second.outcome == "joined"
    assert second.alert is None
    assert second.folded.story.revision == first.folded.story.revision
    assert second.folded.story.article_count == 2


def test_second_publisher_rings_the_fourth_does_not() -> None:
    steps = _fold(*[facts(f"a{n}", publisher=f"Paper {n}", minutes=n) for n in range(1, 6)])
    assert [step.outcome for step in steps] == ["new", "update", "update", "joined", "update"]
    assert _changes(steps[1]) == ("2 independent publishers",)
    assert steps[4].folded.story.revision == 4


def test_nine_editions_are_one_publisher() -> None:
    names = ["The Courier", "The Courier - World", "Courier | Europe", "courier", "Courier News"]
    names += ["Courier (UK)", "The Courier: Live", "Courier International", "THE COURIER"]
    steps = _fold(*[facts(f"a{n}", publisher=name) for n, name in enumerate(names)])
    assert {publisher_key(name) for name in names[:6]} == {"courier"}
    assert len(steps[-1].folded.story.reports) == 1
    assert steps[-1].folded.story.revision == 1


def test_syndicated_copies_are_no_independent_publishers() -> None:
    steps = _fold(facts(), *[facts(f"c{n}", publisher=f"Copier {n}", copy=True) for n in range(10)])
    assert {step.outcome for step in steps[1:]} == {"duplicate"}
    story = steps[-1].folded.story
    assert (story.revision, len(story.reports), story.article_count) == (1, 1, 11)


def test_copy_with_a_higher_toll_rings_and_is_no_publisher() -> None:
    steps = _fold(
        facts(tolls=(("killed", 3),)),
        facts("c1", publisher="Copier", copy=True, tolls=(("killed", 3),)),
        facts("c2", publisher="Copier", copy=True, tolls=(("killed", 8),)),
    )
    assert [step.outcome for step in steps] == ["new", "duplicate", "update"]
    assert _changes(steps[2]) == ("8 killed, 3 before",)
    assert len(steps[2].folded.story.reports) == 1


def test_publisher_that_copied_counts_once_it_reports_itself() -> None:
    steps = _fold(
        facts(), facts("c1", publisher="Copier", copy=True), facts("a2", publisher="Copier")
    )
    assert _changes(steps[2]) == ("2 independent publishers",)


def test_higher_toll_rings_with_who_said_it() -> None:
    steps = _fold(
        facts(tolls=(("killed", 3),)),
        facts("a2", tolls=(("killed", 7),)),
        facts("a3", tolls=(("killed", 5),)),
    )
    assert _changes(steps[1]) == ("7 killed, 3 before",)
    assert steps[2].outcome == "joined"
    assert steps[2].folded.story.tolls[0].number == 7


def test_a_toll_names_whom_the_report_names_beside_its_publisher() -> None:
    said = msgspec.structs.replace(facts(tolls=(("killed", 3),)), said_by=(("killed", "police"),))
    steps = _fold(said, facts("a2", publisher="Courier", tolls=(("killed", 7),)))
    first, second = (step.folded.story.tolls[0] for step in steps)
    assert (first.said_by, first.publisher) == ("police", "Daily Ledger")
    assert (second.said_by, second.publisher) == ("", "Courier")


def test_a_headline_goes_when_one_as_clear_knows_of_more_dead() -> None:
    floods = "At least 55 killed in flash floods in the Traun valley"
    early = facts(title=floods, tolls=(("killed", 55),))
    silent = facts(
        "a2", title="Flash floods in Traun valley: rescuers are still searching", minutes=1
    )
    said = "Flash floods in the Traun valley killed 130"
    late = facts("a3", title=said, tolls=(("killed", 130),), minutes=2)
    said = "A landslide near the Mur killed 400"
    other = facts("a4", title=said, tolls=(("killed", 400),), minutes=3)
    steps = _fold(early, silent, late, other)
    headlines = [step.folded.story.headline for step in steps]
    assert headlines == [early.title, early.title, late.title, late.title]


@given(st.permutations(range(6)))
def test_what_a_story_says_does_not_hang_on_the_order_in_which_articles_came(
    order: list[int],
) -> None:
    titles = ["Drones set oil depot near Bryansk ablaze", "Oil depot near Bryansk burns: 3 killed"]
    members = [
        msgspec.structs.replace(
            facts(
                f"a{n}",
                publisher=f"Paper {n}",
                title=titles[n % 2] + "!" * (n // 2),
                minutes=n,
                topics=(("drone_strike", 0.9), ("arson", 0.6 + n / 100))[: 1 + n % 2],
                places=(BRYANSK, RUSSIA) if n % 3 else (KYIV,),
                tolls=(("killed", 3),) if n % 2 else (),
            ),
            said_by=(("killed", f"police {n}"),),
        )
        for n in range(6)
    ]
    shuffled = _fold(*[members[n] for n in order])[-1].folded.story
    sorted_ = _fold(*members)[-1].folded.story
    same = {"revision": 0, "changes": ()}
    assert msgspec.structs.replace(shuffled, **same) == msgspec.structs.replace(sorted_, **same)
    assert shuffled.tolls[0].said_by == "police 1"


def test_publishers_stand_in_the_order_of_their_own_clocks() -> None:
    steps = _fold(facts(minutes=9), facts("a2", publisher="Courier", minutes=3))
    assert [report.article_id for report in steps[-1].folded.story.reports] == ["a2", "a1"]


def test_correction_may_lower_a_toll() -> None:
    steps = _fold(
        facts(tolls=(("killed", 12),)), facts(tolls=(("killed", 9),), status="correction")
    )
    assert steps[1].alert is not None
    assert steps[1].alert.kind == "correction"
    assert _changes(steps[1])[0] == "corrected by Daily Ledger"
    story = steps[1].folded.story
    assert story.tolls[0].number == 9
    assert story.corrected.startswith("Daily Ledger: ")


def test_new_topic_rings() -> None:
    steps = _fold(facts(), facts("a2", topics=(("drone_strike", 0.9), ("arson", 0.8))))
    assert _changes(steps[1]) == ("new topic: Arson",)


def test_only_the_best_place_of_an_article_is_a_new_place() -> None:
    steps = _fold(
        facts(places=(BRYANSK,)),
        facts("a2", places=(BRYANSK, KYIV)),
        facts("a3", places=(KYIV,)),
        facts("a4", places=(RUSSIA,)),
    )
    assert [step.outcome for step in steps] == ["new", "joined", "joined", "joined"]
    assert [place.name for place in steps[-1].folded.story.places[:2]] == ["Bryansk", "Kyiv"]
    (_, second) = _fold(facts(places=(BRYANSK,)), facts("a2", places=(KYIV,)))
    assert _changes(second) == ("new place: Kyiv",)


def test_a_country_is_no_place_beside_its_own_town() -> None:
    steps = _fold(
        facts(places=(RUSSIA, KYIV)), facts("a2", publisher="Wire", places=(BRYANSK, RUSSIA))
    )
    shown = [[place.name for place in step.folded.story.places] for step in steps]
    assert shown == [["Russia", "Kyiv"], ["Bryansk", "Kyiv"]]


def test_edited_article_counts_once_and_renews_its_headline() -> None:
    _, edited = _fold(facts(), facts(title="Drones hit depot near Bryansk, 4 hurt", minutes=9))
    story = edited.folded.story
    assert edited.outcome == "joined"
    assert (story.article_count, len(story.reports)) == (1, 1)
    assert story.headline == "Drones hit depot near Bryansk, 4 hurt"
    assert story.reports[0].title == "Drones hit depot near Bryansk, 4 hurt"


def test_story_is_withdrawn_when_its_last_publisher_withdraws() -> None:
    steps = _fold(
        facts(),
        facts("a2", publisher="Courier"),
        facts(status="withdrawn", title="Withdrawn"),
        facts("notice", publisher="Courier", status="withdrawn"),
    )
    kinds = [step.alert.kind for step in steps if step.alert]
    assert kinds == ["new", "update", "correction", "withdrawn"]
    assert [step.folded.story.withdrawn for step in steps] == [False, False, False, True]
    assert steps[-1].folded.story.headline == "Drones set oil depot near Bryansk ablaze"


def test_withdrawn_story_that_is_reported_again_rings() -> None:
    steps = _fold(facts(), facts(status="withdrawn"), facts(title="Depot near Bryansk did burn"))
    assert _changes(steps[2])[0] == "reported again by Daily Ledger"
    assert not steps[2].folded.story.withdrawn


def test_headline_is_the_clearest_in_a_language_the_newsroom_reads() -> None:
    russian = facts(title="Беспилотники подожгли нефтебазу под Брянском", language="ru")
    question = facts("a2", publisher="Courier", title="What happened near Bryansk on Wednesday?")
    plain = facts("a3", publisher="Post", title="Drones set oil depot near Bryansk ablaze")
    steps = _fold(russian, question, plain)
    assert [step.folded.story.headline for step in steps] == [
        russian.title,
        question.title,
        plain.title,
    ]
    backwards = _fold(plain, question, russian)
    assert backwards[-1].folded.story.headline == plain.title


def test_alert_carries_the_clocks_of_the_article_that_made_it() -> None:
    step = _fold(facts(), facts("a2", publisher="Courier", minutes=30))[1]
    assert step.alert is not None
    assert (step.alert.screened_at - step.alert.fetched_at).total_seconds() == 1
    assert step.alert.published_at == step.folded.story.last_seen


_publishers = st.sampled_from(["Post", "Courier", "Courier - World", "Ledger", "Le Phare"])
_members = st.builds(
    facts,
    id=st.sampled_from([f"a{n}" for n in range(8)]),
    publisher=_publishers,
    minutes=st.integers(-60, 600),
    topics=st.sampled_from(
        [(("drone_strike", 0.9),), (("arson", 0.7), ("drone_strike", 0.8)), (("arrest", 0.6),)]
    ),
    places=st.sampled_from([(), (BRYANSK,), (KYIV, BRYANSK), (RUSSIA,)]),
    tolls=st.sampled_from([(), (("killed", 2),), (("killed", 5), ("injured", 9))]),
    status=st.sampled_from(["published", "published", "published", "correction", "withdrawn"]),
    copy=st.booleans(),
    language=st.sampled_from(["en", "ru", ""]),
)


def _from_first(members: list[Facts]) -> list[Facts]:
    first = msgspec.structs.replace(facts("a0"), publisher=members[0].publisher)
    return [first, *members]


@given(st.lists(_members, min_size=1, max_size=20))
def test_same_members_always_give_the_same_alerts(members: list[Facts]) -> None:
    told = [step.alert for step in _fold(*_from_first(members))]
    again = [step.alert for step in _fold(*_from_first(members))]
    assert told == again


@given(st.lists(_members, min_size=1, max_size=20), st.data())
def test_fold_from_a_kept_state_equals_the_fold_from_the_start(
    members: list[Facts], data: Any
) -> None:
    members = _from_first(members)
    steps = _fold(*members)
    at = data.draw(st.integers(0, len(members) - 1))
    kept = msgspec.msgpack.encode(steps[at].folded)
    folded = msgspec.msgpack.decode(kept, type=Folded)
    for member, step in zip(members[at + 1 :], steps[at + 1 :], strict=True):
        resumed = fold(folded, member, STORY, ("en",))
        assert resumed == step
        folded = resumed.folded


@given(st.lists(_members, min_size=1, max_size=20))
def test_revision_rises_by_one_exactly_where_an_alert_is_made(members: list[Facts]) -> None:
    revision = 0
    for step in _fold(*_from_first(members)):
        revision += step.alert is not None
        assert step.folded.story.revision == revision
        if step.alert is not None:
            assert step.alert.id == f"{STORY}:{revision}"
            assert step.alert.story.changes


@given(st.lists(_members, min_size=1, max_size=20))
def test_reports_are_one_a_publisher_and_never_of_copies(members: list[Facts]) -> None:
    members = _from_first(members)
    story = _fold(*members)[-1].folded.story
    keys = [publisher_key(report.publisher) for report in story.reports]
    assert len(keys) == len(set(keys))
    reporting = {publisher_key(member.publisher) for member in members if not member.copy}
    assert set(keys) <= reporting
    assert story.article_count == len({member.article_id for member in members})


@given(st.lists(_members, min_size=1, max_size=12))
def test_alerts_survive_the_way_through_json(members: list[Facts]) -> None:
    for step in _fold(*_from_first(members)):
        if step.alert is not None:
            assert msgspec.json.decode(msgspec.json.encode(step.alert), type=Alert) == step.alert
