"""Every Redis key of Wirebell in one place, all under one hash tag (one cluster slot), so
that one script can touch them together.
"""

from __future__ import annotations


class Keys:
    """Names of keys under `{prefix}`. What each holds is said beside it."""

    __slots__ = ("_tag",)

    def __init__(self, prefix: str) -> None:
        self._tag = f"{{{prefix}}}:"

    @property
    def tag(self) -> str:
        """What every key starts with, for scripts that make their own names."""
        return self._tag

    @property
    def processes(self) -> str:
        """Hash: process id -> JSON heartbeat (streams/heartbeat.py)."""
        return self._tag + "processes"

    @property
    def verdict(self) -> str:
        """String, gone after seconds: the page's last verdict, JSON (streams/dashboard)."""
        return self._tag + "verdict"

    @property
    def sources(self) -> str:
        """Hash: source id -> JSON status after its last poll (streams/source_status.py)."""
        return self._tag + "sources"

    def cursor(self, cluster_id: str) -> str:
        """Hash: source id -> JSON cursor. Tied to the Kafka cluster the articles went to."""
        return f"{self._tag}cursors:{cluster_id}"

    @property
    def nudges(self) -> str:
        """Channel: something has been produced to the embedded broker (streams/fetch_pace.py)."""
        return self._tag + "nudges"

    @property
    def stories(self) -> str:
        """Sorted set: story id by last seen (seconds), the page's list of stories."""
        return self._tag + "stories"

    def story(self, story_id: str) -> str:
        """What is kept of one story (streams/stories.py)."""
        return f"{self._tag}story:{story_id}"

    @property
    def delivery_log(self) -> str:
        """List: the last delivery attempts, newest first, JSON (streams/ledger.py)."""
        return self._tag + "ledger:log"

    @property
    def destinations(self) -> str:
        """Set: every destination that was ever wanted (streams/ledger.py)."""
        return self._tag + "ledger:dests"

    @property
    def subscription_starts(self) -> str:
        """Hash: subscription id -> epoch seconds when it began (streams/ledger.py)."""
        return self._tag + "ledger:starts"

    @property
    def canary(self) -> str:
        """String, gone after an hour: the number of the last canary told (streams/canary.py)."""
        return self._tag + "canary"

    @property
    def incident(self) -> str:
        """String: the incident that people were told of, JSON (streams/incident_desk.py)."""
        return self._tag + "incident"

    @property
    def paused_sources(self) -> str:
        """Hash: source id -> since when it is paused and by whom (streams/source_wishes.py)."""
        return self._tag + "sources:paused"

    @property
    def hurried_sources(self) -> str:
        """Set: sources that a person wants asked now (streams/source_wishes.py)."""
        return self._tag + "sources:hurried"

    @property
    def source_rhythms(self) -> str:
        """Hash: source id -> its silences by hour of the week (streams/source_rhythm.py)."""
        return self._tag + "sources:rhythms"

    @property
    def feedback(self) -> str:
        """Hash: id -> what an editor decided, JSON (streams/feedback_store.py)."""
        return self._tag + "feedback"

    @property
    def feedback_order(self) -> str:
        """Sorted set: its ids by when it was decided, seconds (streams/feedback_store.py)."""
        return self._tag + "feedback:order"

    @property
    def models(self) -> str:
        """Hash: model version -> JSON record of it (streams/models.py)."""
        return self._tag + "models"

    @property
    def model_in_force(self) -> str:
        """String: which model is in force, since when and by whom, JSON (streams/models.py)."""
        return self._tag + "models:in-force"

    def model_file(self, version: str) -> str:
        """String: the bytes of a promoted model (streams/models.py)."""
        return f"{self._tag}models:file:{version}"

    def funnel(self, five_minutes: int) -> str:
        """Hash, gone after eight days: topic|outcome -> articles of five minutes, numbered from
        1970 (streams/quality.py).
        """
        return f"{self._tag}quality:funnel:{five_minutes}"

    def probabilities(self, version: str, day: int) -> str:
        """Hash, gone after weeks: topic|bin -> articles of one day, numbered from 1970, by one
        model (streams/quality.py).
        """
        return f"{self._tag}quality:probabilities:{version}:{day}"

    def left_out(self, version: str) -> str:
        """String, gone after weeks: how a model's probabilities fell on reports left out of its
        fit, JSON (streams/quality.py).
        """
        return f"{self._tag}quality:left-out:{version}"

    @property
    def replayed(self) -> str:
        """Sorted set: dead letter -> epoch seconds of its replay (streams/replay_marks.py)."""
        return self._tag + "dead-letters:replayed"

    @property
    def actions(self) -> str:
        """List: the last actions from the page, newest first, JSON (streams/action_log.py)."""
        return self._tag + "actions"
