"""Versions of the model on a real Redis: promoted, refused, rolled back, forgotten, hostile."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from redis.asyncio import Redis
from structlog.testing import capture_logs
from typer.testing import CliRunner

from streams.commands import explain
from streams.commands.models import app
from streams.keys import Keys
from streams.live_model import LiveModel, open_last_model, open_model
from streams.model_files import SHIPPED, ModelFileError, ModelFiles, version_of
from streams.model_pickup import AGAIN_S, ModelPickup
from streams.models import ModelVersions, RefusedModelError, UnknownModelError
from streams.redis_client import connect_redis
from streams.settings import RedisSettings, Settings, load_settings
from tests.fakes.alerts import Clock
from tests.fakes.small_models import make_model, make_record


@dataclass
class Room:
    """A newsroom's settings, versions and models: a base and two that were taught."""

    settings: Settings
    redis: Redis
    keys: Keys
    versions: ModelVersions
    files: ModelFiles
    base: str
    taught: str
    better: str

    def pickup(self, live: LiveModel) -> ModelPickup:
        return ModelPickup(live, self.versions, self.files, self.settings)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("models")
    for name in ("base", "taught", "better"):
        make_model(folder / name, name)
    return {name: (folder / name).read_bytes() for name in ("base", "taught", "better")}


@pytest.fixture
async def room(redis_url: str, redis_prefix: str, tmp_path: Path, models: dict[str, bytes]) -> Room:
    base = tmp_path / "base.npz"
    base.write_bytes(models["base"])
    settings = Settings(
        state_dir=tmp_path, model_path=base, redis=RedisSettings(prefix=redis_prefix)
    )
    redis, keys, files = connect_redis(redis_url), Keys(redis_prefix), ModelFiles(settings.models)
    versions = ModelVersions(redis, keys, files, base)
    names = {name: version_of(content) for name, content in models.items()}
    for minute, name in enumerate(("taught", "better")):
        record = make_record(names[name], minute, verdicts=20, people=2)
        await versions.add(record, models[name])
    return Room(settings, redis, keys, versions, files, **names)


async def test_every_version_is_listed_with_what_it_learned_and_who_did_it(room: Room) -> None:
    before = await room.versions.listed()
    assert [each.version for each in before] == [room.better, room.taught, room.base]
    assert [each.state for each in before] == ["ready", "ready", "in force"]
    assert before[0].learned_from == "20 verdicts of 2 people"
    await room.versions.promote(room.taught, "omar")
    better, taught, base = await room.versions.listed()
    assert (taught.state, taught.who) == ("in force", "omar")
    assert (better.state, better.who, base.state) == ("ready", "nadia", "ready")


async def test_a_roll_back_goes_to_the_model_before_and_in_the_end_to_what_ships(
    room: Room,
) -> None:
    await room.versions.promote(room.taught, "omar")
    await room.versions.promote(room.better, "omar")
    await room.versions.promote(room.better, "omar")  # again changes nothing
    assert await room.versions.roll_back("nadia") == room.taught
    assert (await room.versions.listed())[0].why == "rolled back by nadia"
    assert await room.versions.roll_back("nadia") == ""
    assert await room.versions.in_force() == ""
    with pytest.raises(UnknownModelError, match="nothing to roll back"):
        await room.versions.roll_back("nadia")


async def test_two_people_who_promote_at_once_both_get_their_turn(room: Room) -> None:
    wishes = [room.versions.promote(version, "omar") for version in (room.taught, room.better)]
    await asyncio.gather(*wishes)
    turns = await room.versions.turns()
    assert turns is not None
    assert {turn.version for turn in turns.turns} == {"", room.taught, room.better}


async def test_a_refused_model_needs_a_reason_which_is_kept(room: Room, tmp_path: Path) -> None:
    refused = make_record(make_model(tmp_path / "worse", "worse"), 5, refusals=("F1 fell",))
    await room.versions.add(refused, (tmp_path / "worse").read_bytes())
    with pytest.raises(RefusedModelError, match="F1 fell"):
        await room.versions.promote(refused.version, "omar")
    assert await room.versions.in_force() is None
    await room.versions.promote(refused.version, "omar", "protests are no news here")
    assert (await room.versions.listed())[0].why == "forced: protests are no news here"


async def test_a_worker_takes_what_is_in_force_and_starts_with_it_again(room: Room) -> None:
    live = LiveModel(open_last_model(room.settings))
    pickup = room.pickup(live)
    await pickup.look()
    assert live.version == room.base
    await room.versions.promote(room.taught, "omar")
    await pickup.look()
    assert live.version == room.taught
    assert LiveModel(open_last_model(room.settings)).version == room.taught
    await room.versions.roll_back("omar")
    await pickup.look()
    assert live.version == room.base
    assert LiveModel(open_last_model(room.settings)).version == room.base


async def test_a_worker_elsewhere_gets_the_model_from_redis(room: Room, tmp_path: Path) -> None:
    await room.versions.promote(room.taught, "omar")
    there = room.settings.model_copy(update={"models_dir": tmp_path / "elsewhere"})
    files = ModelFiles(there.models)
    versions = ModelVersions(room.redis, room.keys, files, there.model_path)
    live = LiveModel(open_last_model(there))
    await ModelPickup(live, versions, files, there).look()
    assert live.version == room.taught
    assert files.read(room.taught) is not None


async def test_topics_are_as_configured_now_without_a_restart(room: Room, tmp_path: Path) -> None:
    config = tmp_path / "wirebell.toml"
    changes = itertools.count(1)

    def write(*lines: str) -> None:
        paths = f'state_dir = "{tmp_path}"\nmodel_path = "{room.settings.model_path}"\n'
        config.write_text(paths + "\n".join(lines), encoding="utf-8")
        now = config.stat().st_mtime_ns + next(changes) * 1_000_000_000
        os.utime(config, ns=(now, now))  # two writes within a tick of the clock are still two

    write()
    settings = load_settings(config, {}).model_copy(update={"redis": room.settings.redis})
    live = LiveModel(open_last_model(settings))
    pickup = ModelPickup(live, room.versions, room.files, settings)
    await pickup.look()
    row = [1.0 for _ in live.topics]
    assert {"drone_strike", "cyberattack"} == set(live.choose(row))
    assert ("border", "Border closure") not in live.choices
    (tmp_path / "border.jsonl").write_text("", encoding="utf-8")

    own = ("label = 'Border closure'", "definition = 'Closed.'", "examples = 'border.jsonl'")
    write("[topics.cyberattack]", "enabled = false", "[topics.border]", *own)
    await pickup.look()
    assert live.choose(row) == ("drone_strike",)
    assert live.choices[-1] == ("border", "Border closure")  # also before it is learned
    assert live.version == room.base

    await room.versions.promote(room.taught, "omar")
    await pickup.look()
    assert (live.version, live.choose(row)) == (room.taught, ("drone_strike",))
    write("[topics.cyberattack]", "threshold = 'high'")  # has a fault: what was stays
    await pickup.look()
    assert live.choose(row) == ("drone_strike",)
    write("[topics.drone_strike]", "enabled = false")
    await pickup.look()
    assert (live.version, live.choose(row)) == (room.taught, ("cyberattack",))
    assert ("border", "Border closure") not in live.choices

    path, aside = room.files.path(room.taught), tmp_path / "aside"
    path.rename(aside)
    path.mkdir()
    write("[topics.cyberattack]", "enabled = false")
    with pytest.raises(OSError, match="directory"):
        await pickup.look()
    assert live.choose(row) == ("cyberattack",)
    path.rmdir()
    aside.rename(path)
    await pickup.look()  # nothing was written since: what failed is tried again
    assert live.choose(row) == ("drone_strike",)


async def test_topics_wait_for_a_model_that_can_be_opened_and_the_log_says_so(
    room: Room, tmp_path: Path
) -> None:
    config, moment = tmp_path / "wirebell.toml", Clock()
    paths = f'state_dir = "{tmp_path}"\nmodel_path = "{room.settings.model_path}"\n'
    config.write_text(paths, encoding="utf-8")
    settings = load_settings(config, {}).model_copy(update={"redis": room.settings.redis})
    await room.versions.promote(room.taught, "omar")
    live = LiveModel(open_last_model(settings))
    pickup = ModelPickup(live, room.versions, room.files, settings, clock=moment)
    await pickup.look()
    path, kept = room.files.path(room.taught), room.keys.model_file(room.taught)
    content = path.read_bytes()

    async def spoil_and_turn_off(*topics: str) -> None:
        path.unlink()
        await room.redis.delete(kept)
        off = "".join(f"[topics.{topic}]\nenabled = false\n" for topic in topics)
        config.write_text(paths + off, encoding="utf-8")
        with capture_logs() as logs:
            await pickup.look()
            await pickup.look()  # it is not tried again at once
        (said,) = [line["event"] for line in logs if line["log_level"] == "error"]
        assert "the topics wait until it can be, or for the next model" in said

    row = [1.0 for _ in live.topics]
    await spoil_and_turn_off("cyberattack")
    assert set(live.choose(row)) == {"drone_strike", "cyberattack"}
    path.write_bytes(content)
    await pickup.look()
    assert set(live.choose(row)) == {"drone_strike", "cyberattack"}
    moment.forward(AGAIN_S)
    await pickup.look()
    assert live.choose(row) == ("drone_strike",)

    await spoil_and_turn_off("cyberattack", "drone_strike")
    assert live.choose(row) == ("drone_strike",)
    await room.versions.promote(room.better, "omar")
    await pickup.look()
    assert (live.version, live.choose(row)) == (room.better, ())
    path.write_bytes(content)
    moment.forward(AGAIN_S)
    with capture_logs() as logs:
        await pickup.look()
    assert logs == []  # nothing waits any more


async def test_where_redis_was_emptied_the_model_in_use_works_on(room: Room) -> None:
    await room.versions.promote(room.taught, "omar")
    live = LiveModel(open_last_model(room.settings))
    await room.pickup(live).look()
    await room.redis.delete(
        room.keys.models, room.keys.model_in_force, room.keys.model_file(room.taught)
    )
    await room.pickup(live).look()
    assert live.version == room.taught
    assert LiveModel(open_last_model(room.settings)).version == room.taught
    (base,) = await room.versions.listed()
    assert "Redis has forgotten" in base.why


@pytest.mark.parametrize("hostile", ["other bytes", "a pickle", "a bomb"])
async def test_hostile_bytes_are_refused_and_the_model_in_use_works_on(
    room: Room, hostile: str, models: dict[str, bytes]
) -> None:
    content = {
        "other bytes": models["better"],
        "a pickle": b"cos\nsystem\n(S'touch /pwned'\ntR.",
        "a bomb": _bomb(),
    }[hostile]
    version = room.taught if hostile == "other bytes" else version_of(content)
    await room.versions.add(make_record(version), models["taught"])
    await room.redis.set(room.keys.model_file(version), content)
    for path in room.files.directory.glob("*.npz"):
        path.unlink()
    if hostile == "other bytes":
        with pytest.raises(ModelFileError, match="its bytes are another's"):
            await room.versions.promote(version, "mallory")
        await room.redis.set(
            room.keys.model_in_force,
            json.dumps({"turns": [{"version": version, "at": "2026-03-01T08:00:00Z", "who": "m"}]}),
        )
    else:
        await room.versions.promote(version, "mallory")
    live = LiveModel(open_model(room.settings))
    pickup = room.pickup(live)
    await pickup.look()
    await pickup.look()  # and it is not tried again at once
    assert live.version == room.base
    assert open_last_model(room.settings).model.version == room.base


async def test_a_spoilt_file_of_the_last_model_gives_way_to_the_base(room: Room) -> None:
    await room.versions.promote(room.taught, "omar")
    await room.pickup(LiveModel(open_model(room.settings))).look()
    room.files.path(room.taught).write_bytes(b"half a mod")
    assert open_last_model(room.settings).model.version == room.base


def test_the_command_lists_promotes_and_rolls_back(
    redis_url: str, redis_prefix: str, tmp_path: Path, models: dict[str, bytes]
) -> None:
    taught = version_of(models["taught"])
    explaining = typer.Typer()
    explaining.command()(explain.command)
    config = tmp_path / "wirebell.toml"
    config.write_text(
        f'state_dir = "{tmp_path}"\n[redis]\nurl = "{redis_url}"\nprefix = "{redis_prefix}"\n',
        encoding="utf-8",
    )

    async def add() -> None:
        redis = connect_redis(redis_url)
        versions = ModelVersions(redis, Keys(redis_prefix), ModelFiles(tmp_path / "models"))
        await versions.add(make_record(taught, verdicts=3, people=1), models["taught"])
        await redis.aclose()

    asyncio.run(add())

    def run(*words: str, code: int = 0) -> str:
        # Where it stands does not matter: every other promotion has it in front.
        named = ["--config", str(config)]
        order = [*named, *words] if "promote" in words else [*words, *named]
        result = CliRunner().invoke(app, order)
        assert result.exit_code == code, result.output
        return str(result.output)

    def which(*words: str) -> str:
        named = [] if words else ["--config", str(config)]
        result = CliRunner().invoke(explaining, ["Drone hits a depot", *named, *words])
        assert result.exit_code == 0, result.output
        return str(result.stderr)

    shipped = version_of(SHIPPED.read_bytes())
    assert "3 verdicts of 1 person" in run()
    assert f"model {shipped}, which ships: nothing else" in which()
    assert f"{taught} is in force" in run("promote", taught)
    assert f"model {taught}, in force on this line" in which()
    assert f"model {shipped}, from {SHIPPED}" in which("--model", str(SHIPPED))
    away = config.read_text(encoding="utf-8").replace(redis_url, "redis://127.0.0.1:1/0")
    config.write_text(away, encoding="utf-8")
    assert f"model {taught}, last in force here" in which()
    config.write_text(away.replace("redis://127.0.0.1:1/0", redis_url), encoding="utf-8")
    listed = json.loads(run("--json"))
    assert [each["state"] for each in listed] == ["in force", "ready"]
    assert listed[1]["version"] == version_of(SHIPPED.read_bytes())
    assert "the model that ships is in force again" in run("roll-back")
    assert f"model {shipped}, which ships: in force on this line" in which()
    assert "nothing to roll back" in run("roll-back", code=1)
    assert "there is no model 0123456789ab" in run("promote", "0123456789ab", code=1)


def _bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.npy", b"\0" * 300_000_000)
    return buffer.getvalue()
