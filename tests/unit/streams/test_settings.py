"""The configuration: every fault at once, file and key named, no secret ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.sinks.settings import SlackSettings
from connectors.sources.settings import IngestSettings
from streams.settings import STARTER, Settings, SettingsError, load_settings

SECRET = "xoxb-fake-canary-0000"  # a visibly fake token


def _write(folder: Path, text: str) -> Path:
    path = folder / "wirebell.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _faults(path: Path, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path, environment or {})
    return caught.value.faults


def test_the_starter_configuration_is_valid() -> None:
    settings = load_settings(STARTER, {})
    assert settings.sources
    assert settings.subscriptions


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_settings(_write(tmp_path, ""), {}) == Settings()


def test_all_faults_are_told_at_once_with_file_and_key(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        """
        [kafka]
        partitions = 0
        [newsroom]
        time_zone = "Mars/Olympus"
        [topics.sabotag]
        threshold = 0.5
        [page]
        prot = 8087
        """,
    )
    faults = _faults(path)
    assert len(faults) == 4
    assert all(str(path) in fault for fault in faults)
    for key in ("kafka.partitions", "newsroom.time_zone", "topics", "page.prot"):
        assert any(key in fault for fault in faults), key
    assert any("sabotag" in fault and "sabotage" in fault for fault in faults)


def test_faults_between_tables_are_told_beside_those_of_fields(tmp_path: Path) -> None:
    feed = '[[sources]]\ntype = "feed"\nid = "bbc"\nurl = "https://news.example/rss"\n'
    text = f"""
        {feed}{feed}interval_s = 1
        [topics.dragons]
        [redis]
        url = "http://127.0.0.1"
        [newsroom]
        languages = ["english"]
        [page]
        host = "0.0.0.0"
        [sinks.desk]
        type = "slack"
        token = "{SECRET}"
        channel = "#desk"
        [[subscriptions]]
        id = "news"
        deliver = [{{ sink = "slak" }}]
        [[subscriptions]]
        id = "empty"
        deliver = []
        """
    path = _write(tmp_path, text)
    told = [fault.removeprefix(f"{path}: ").split(": ")[0] for fault in _faults(path)]
    assert sorted(told) == sorted(
        [
            "sources.bbc.interval_s",
            "sources",
            "topics.dragons",
            "redis.url",
            "newsroom.languages.0",
            "page",
            "sinks.desk.channel",
            "subscriptions.news",
            "subscriptions.empty.deliver",
        ]
    )


def test_a_subscription_to_an_unknown_sink_is_a_fault(tmp_path: Path) -> None:
    faults = _faults(
        _write(tmp_path, '[[subscriptions]]\nid = "desk"\ndeliver = [{ sink = "slak" }]\n')
    )
    assert any("subscriptions.desk" in fault and "'slak'" in fault for fault in faults)


def test_the_same_id_twice_is_a_fault(tmp_path: Path) -> None:
    feed = '[[sources]]\ntype = "feed"\nid = "bbc"\nurl = "https://news.example/rss"\n'
    assert any("'bbc' is used twice" in fault for fault in _faults(_write(tmp_path, feed * 2)))


def test_a_secret_never_shows_in_a_fault_or_a_repr(tmp_path: Path) -> None:
    text = f"""
        [sinks.desk]
        type = "slack"
        token = "{SECRET}"
        time_zone = 5
        [sinks.hook]
        type = "webhook"
        url = "not a url"
        secret = "{SECRET}"
        """
    assert SECRET not in "\n".join(_faults(_write(tmp_path, text)))
    sound = f'[sinks.desk]\ntype = "slack"\ntoken = "{SECRET}"\n'
    assert SECRET not in repr(load_settings(_write(tmp_path, sound), {}))


def test_a_value_is_read_from_the_environment(tmp_path: Path) -> None:
    path = _write(tmp_path, '[sinks.desk]\ntype = "slack"\ntoken = "${DESK_TOKEN}"\n')
    sink = load_settings(path, {"DESK_TOKEN": SECRET}).sinks["desk"]
    assert sink.type == "slack"
    assert sink.token.get_secret_value() == SECRET
    assert any("sinks.desk.token" in fault and "DESK_TOKEN" in fault for fault in _faults(path))


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = _write(tmp_path, '[kafka]\nbootstrap_servers = "a:1"\n')
    settings = load_settings(
        path,
        {
            "WIREBELL_KAFKA__BOOTSTRAP_SERVERS": "b:2",
            "WIREBELL_KAFKA__EMBEDDED": "true",
            "WIREBELL_LOG_LEVEL": "DEBUG",
            "PATH": "/bin",
        },
    )
    assert settings.kafka.bootstrap_servers == "b:2"
    assert settings.kafka.embedded
    assert settings.log_level == "DEBUG"


def test_a_mistyped_variable_of_the_environment_is_a_fault(tmp_path: Path) -> None:
    faults = _faults(_write(tmp_path, ""), {"WIREBELL_KAFKA__BOOTSTRAP": "b:2", "WIREBELL_X": "1"})
    assert faults == [
        "environment: WIREBELL_KAFKA__BOOTSTRAP is not a setting",
        "environment: WIREBELL_X is not a setting",
    ]


def test_broken_toml_and_a_missing_file_are_clear_errors(tmp_path: Path) -> None:
    assert "line 1" in _faults(_write(tmp_path, "[kafka\n"))[0]
    assert "No such file" in _faults(tmp_path / "absent.toml")[0]


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = _write(tmp_path, '[[sources]]\ntype = "files"\nid = "drop"\npath = "inbox"\n')
    source = load_settings(path, {}).sources[0]
    assert source.type == "files"
    assert source.path == tmp_path / "inbox"


def test_the_examples_of_an_own_topic_are_relative_to_the_file(tmp_path: Path) -> None:
    text = '[topics.border]\nlabel = "Border"\ndefinition = "Closed."\nexamples = "b.jsonl"\n'
    settings = load_settings(_write(tmp_path, text), {})
    assert settings.topics["border"].examples == tmp_path / "b.jsonl"
    assert settings.models == settings.state_dir / "models"


def test_the_token_that_acts_is_another_than_the_one_that_reads(tmp_path: Path) -> None:
    path = tmp_path / "wirebell.toml"
    path.write_text('[page]\ntoken = "open-sesame"\nact_token = "open-sesame"\n', encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    (fault,) = caught.value.faults
    assert "act_token must not be the same" in fault
    assert "open-sesame" not in fault


def test_what_listens_by_default_leaves_each_other_its_port() -> None:
    settings = load_settings(STARTER)
    metrics = range(settings.metrics.port, settings.metrics.port + 3)  # the workers' follow it
    slack = SlackSettings(type="slack", token=SecretStr("xoxb-1")).listen_port
    ingest = IngestSettings(type="ingest", id="pushed").port
    ports = [settings.page.port, slack, ingest, *metrics]
    assert len(set(ports)) == len(ports)
