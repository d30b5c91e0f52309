"""How the ledger keeps an alert: small, whole, and readable for as long as it is kept."""

from __future__ import annotations

import zlib

import pytest

from connectors.records import encode
from streams import kept_alerts
from streams.kept_alerts import pack_alert, unpack_alert
from tests.fakes.alerts import make_alert


def test_an_alert_is_kept_whole_in_less_than_half_the_room() -> None:
    raw = encode(make_alert())
    assert unpack_alert(pack_alert(raw)) == raw
    assert len(pack_alert(raw)) < 0.5 * len(raw)


def test_what_was_kept_as_plain_json_is_read_as_it_is() -> None:
    assert unpack_alert(b'{"id":"a:1"}') == b'{"id":"a:1"}'


def test_what_is_kept_now_can_be_read_by_later_versions() -> None:
    # Alerts are kept for weeks, in this form: another dictionary needs another mark.
    assert zlib.crc32(kept_alerts._DICTIONARY) == 540_805_840
    assert pack_alert(b"{}")[:1] == b"\x01"


def test_what_is_not_ours_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        unpack_alert(b"\x01\xff\xff\xff")
