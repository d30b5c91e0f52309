"""What is known of a version of the topic model, and which one is in force: the records.

Owns their JSON. Where they are kept is models.py's.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

State = Literal["in force", "ready", "refused"]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Figures on one pinned set; the interval is the 95 % one of macro-F1."""

    macro_f1: float
    low: float
    high: float
    micro_f1: float
    false_bells_per_1000: float


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A version as it was trained. `course` is the pinned evaluation that `scores` and `answers`
    (packed bits, reports x built-in topics) belong to, `reader` how the line then read twice ("":
    it did not); `refusals` say why it did not replace `against`, empty where it might.
    """

    version: str
    trained_at: datetime | None
    trained_by: str
    verdicts: int = 0
    people: int = 0
    own_topics: tuple[str, ...] = ()
    labels: int = 0
    course: str = ""
    against: str = ""
    scores: dict[str, Score] = {}
    answers: dict[str, bytes] = {}
    reader: str = ""
    changes: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A model that came into force; version "" is the one that ships. `forced` is the reason
    given for one that the evaluation had refused.
    """

    version: str
    at: datetime
    who: str
    forced: str = ""


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """Which model is in force: the last of `turns`; a roll-back goes to the one before. `undone`
    is the last turn that was rolled back, `undone_by` and `undone_at` say by whom and when.
    """

    turns: tuple[Turn, ...]
    undone: Turn | None = None
    undone_by: str = ""
    undone_at: datetime | None = None

    @property
    def version(self) -> str:
        """The version; "" is the one that ships."""
        return self.turns[-1].version


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of versions. `who` brought it into force, or trained it."""

    version: str
    trained_at: datetime | None
    scores: dict[str, Score]
    state: State
    why: str
    who: str
    learned_from: str
    shipped: bool = False
