"""The topic model that a worker uses: one at a time, changed between two batches.

Owns loading a model with the newsroom's thresholds, and the swap. Which model it should be is
model_pickup.py's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from classifiers import artifact
from classifiers.array_files import ArtifactError
from classifiers.feature_space import feature_space
from classifiers.model import Evidence, Reading, TopicModel
from classifiers.topics import Topic
from streams.live_topics import choices_of
from streams.model_files import ModelFiles
from streams.settings import Settings
from streams.topic_settings import OFF, default_thresholds, lowest_thresholds

_log = structlog.get_logger("wirebell.model")


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model as the line uses it: it chooses a topic at the lowest threshold that anybody asks
    for; `defaults` are the line's own thresholds, for everybody who asks for no other. `choices`
    are id and label of what people can say that a report is about.
    """

    model: TopicModel
    defaults: Mapping[str, float]
    choices: Sequence[tuple[str, str]] = ()

    def default(self, topic: str) -> float:
        """The line's own threshold of a topic; never reached for one that it does not know."""
        return self.defaults.get(topic, OFF)


def open_model(settings: Settings, path: Path | None = None, *, late: bool = True) -> OpenedModel:
    """A model file, or the base, with the newsroom's thresholds. Blocks for a few 100 ms. The slow
    reader is looked at, and loaded when it is first needed: a line at rest does without. Unless
    `late` it is loaded here: who judges a model must not find out later that a part is missing.

    Raises:
        ArtifactError: the file is not a model of ours, or made for other features.
    """
    file = path or settings.model_path or artifact.SHIPPED
    trained = artifact.load(file)
    made_for = trained.facts.get("feature_space", "")
    if made_for and made_for != feature_space(trained.bits):
        raise ArtifactError(f"{file}: made for other features than these; train it anew")
    defaults = default_thresholds(trained.topics, settings.topics)
    thresholds = lowest_thresholds(defaults, settings.subscriptions)
    asked = settings.classifier
    model = TopicModel.load(trained, thresholds, slow=asked.reader, doubt=asked.doubt, late=late)
    return OpenedModel(model, defaults, choices_of(settings.topics))


def open_last_model(settings: Settings) -> OpenedModel:
    """The model that was last in force here; the base where there was none or it is spoilt.

    Raises:
        ArtifactError: the base is not a model of ours.
    """
    files = ModelFiles(settings.models)
    try:
        version = files.remembered()
        if version and files.read(version) is not None:
            return open_model(settings, files.path(version))
    except (ArtifactError, OSError) as error:
        _log.warning("the model last in force cannot be used; the base is", error=str(error))
    return open_model(settings)


def unlearned_topics(settings: Settings, topics: Sequence[Topic]) -> list[str]:
    """Topics of the newsroom's own that a model has not learned yet."""
    known = {topic.id for topic in topics}
    return [name for name, entry in settings.topics.items() if entry.is_own and name not in known]


class LiveModel:
    """The model in use. Answers like a `TopicModel`; a swap is seen from the next call on, so
    whoever screens a batch does it with one `current` model, or in one go on the event loop, where
    the swap is made too.
    """

    def __init__(self, opened: OpenedModel | Future[OpenedModel]) -> None:
        """A model that is still being opened is waited for by the first who asks something of it:
        ask off the event loop until it is `loaded`.
        """
        self._held = opened

    @property
    def loaded(self) -> bool:
        """Whether the model is there."""
        return not isinstance(self._held, Future) or self._held.done()

    async def ready(self) -> None:
        """Return when the model is loaded; the event loop goes on meanwhile."""
        held = self._held
        if isinstance(held, Future):
            # Shielded: a worker that is stopped meanwhile must not cancel the loading.
            await asyncio.shield(asyncio.wrap_future(held))

    @property
    def _opened(self) -> OpenedModel:
        # Read once and never written back: who waited must not undo a swap made meanwhile.
        held = self._held
        return held.result() if isinstance(held, Future) else held

    @property
    def current(self) -> TopicModel:
        """The model itself, for a batch that is screened in a thread: a swap does not touch it."""
        return self._opened.model

    @property
    def version(self) -> str:
        """Which model is in use."""
        return self._opened.model.version

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Its topics, in the order of its probabilities."""
        return self._opened.model.topics

    @property
    def left_out(self) -> Mapping[str, Sequence[int]]:
        """By topic, the histogram of probabilities on left-out reports; may be empty."""
        return self._opened.model.left_out

    @property
    def choices(self) -> Sequence[tuple[str, str]]:
        """Id and label of what people can say that a report is about, as configured now."""
        return self._opened.choices

    def default_threshold(self, topic: str) -> float:
        """The line's own threshold of a topic; never reached for one that it does not know."""
        return self._opened.default(topic)

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See TopicModel."""
        return self._opened.model.predict(texts)

    def read(self, texts: Sequence[str], explain: int = 0) -> Reading:
        """See TopicModel."""
        return self._opened.model.read(texts, explain)

    def choose(
        self, probabilities_row: NDArray[np.float32] | Sequence[float], /
    ) -> tuple[str, ...]:
        """See TopicModel."""
        return self._opened.model.choose(probabilities_row)

    def explain_all(
        self, wanted: Sequence[tuple[str, Sequence[str]]], /
    ) -> list[tuple[Evidence, ...]]:
        """See TopicModel."""
        return self._opened.model.explain_all(wanted)

    def swap(self, opened: OpenedModel) -> None:
        """Use another model from now on."""
        self._held = opened
