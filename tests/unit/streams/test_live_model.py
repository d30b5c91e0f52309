"""The model in use has the newsroom's thresholds, and is for the features that are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifiers import artifact, reader, reader_file
from classifiers.array_files import ArtifactError
from streams.live_model import LiveModel, open_model
from streams.model_files import SHIPPED
from streams.settings import Settings, SubscriptionSettings, Target
from streams.topic_settings import TopicSettings
from tests.fakes.small_models import make_model
from tests.unit.classifiers.small_reader import small_reader, spoil

ROW = (0.35, 0.6)  # drone_strike, cyberattack


def _settings(path: Path, **thresholds: float) -> Settings:
    asking = SubscriptionSettings(id="desk", thresholds=thresholds, deliver=(Target(sink="c"),))
    return Settings(
        model_path=path,
        topics={"cyberattack": TopicSettings(enabled=False)},
        sinks={"c": {"type": "console"}},  # type: ignore[dict-item]
        subscriptions=(asking,),
    )


def test_it_chooses_at_the_lowest_threshold_asked_for_and_knows_the_lines_own(
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.npz"
    make_model(path, "base")
    (own,) = (t.threshold for t in artifact.load(path).topics if t.id == "drone_strike")
    assert own > ROW[0]
    live = LiveModel(open_model(_settings(path)))
    assert live.choose(ROW) == ()
    live.swap(open_model(_settings(path, drone_strike=0.3, cyberattack=0.1)))
    assert live.choose(ROW) == ("drone_strike",)  # what is turned off stays off
    assert live.default_threshold("drone_strike") == own
    assert live.default_threshold("cyberattack") > 1
    assert live.default_threshold("wombats") > 1


def test_a_model_made_for_other_features_is_refused(tmp_path: Path) -> None:
    make_model(tmp_path / "model.npz", "base")
    made = artifact.load(tmp_path / "model.npz")
    artifact.save(replace(made, facts={"feature_space": "another"}), tmp_path / "other.npz")
    with pytest.raises(ArtifactError, match="other features"):
        open_model(Settings(), tmp_path / "other.npz")


def test_the_shipped_model_is_where_everybody_looks_for_it() -> None:
    assert SHIPPED == artifact.SHIPPED
    assert artifact.load(SHIPPED).version == open_model(Settings()).model.version


def test_a_line_goes_on_with_a_broken_reader_but_no_judge_takes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "reader.npz"
    reader_file.save(small_reader(), broken)
    spoil(broken, "widen.npy")
    monkeypatch.setattr(reader_file, "SHIPPED", broken)
    reader.shipped.cache_clear()
    try:
        model = open_model(Settings()).model
        text = "Two hurt as fire breaks out near the depot; police do not rule out intent"
        assert np.array_equal(model.predict([text]), model.alone().predict([text]))
        with pytest.raises(ArtifactError, match=str(broken)):
            open_model(Settings(), late=False)
        with pytest.raises(ArtifactError, match=str(broken)):
            model.open_reader()
    finally:
        reader.shipped.cache_clear()
