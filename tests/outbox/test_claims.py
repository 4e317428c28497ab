"""Which sender has which segment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_ryft.outbox.filesystem import FileSystem
from airflow_provider_ryft.outbox.outbox import Outbox
from support.outboxes import files, leave, line, on_disk

if TYPE_CHECKING:
    import pytest


def test_a_segment_is_with_one_sender_only(outbox: Outbox) -> None:
    leave(outbox, "a")
    (name,) = outbox.ready_segments()
    with outbox.open_claims() as ours, outbox.open_claims() as theirs:
        assert ours.claim_segment(name) is not None
        assert outbox.ready_segments() == []
        assert theirs.claim_segment(name) is None
        assert outbox.adopt_orphans() == 0
    assert outbox.ready_segments() == [name]


def test_what_was_settled_is_not_given_back(outbox: Outbox) -> None:
    leave(outbox, "a", "b", "c")
    with outbox.open_claims() as claims:
        segment = claims.claim_segment(outbox.ready_segments()[0])
        assert segment is not None
        claims.mark_settled(segment, list(segment.lines)[:2])
    assert on_disk(outbox.path)["ready"] == [line("c")]
    (name,) = outbox.ready_segments()
    assert name.queries == 1
    assert name.size == files(outbox, "ready")[0].stat().st_size


def test_a_segment_that_was_evicted_meanwhile(outbox: Outbox) -> None:
    leave(outbox, "a")
    (name,) = outbox.ready_segments()
    outbox.purge("ready")
    with outbox.open_claims() as claims:
        assert claims.claim_segment(name) is None


def test_a_segment_that_is_evicted_while_it_is_claimed(tmp_path: Path) -> None:
    class Evicting(FileSystem):
        def lock(self, path: str, *, create: bool = False) -> int | None:
            descriptor = super().lock(path, create=create)
            if "ready" in path:
                os.unlink(path)
            return descriptor

    outbox = Outbox(tmp_path / "outbox", disk=Evicting())
    leave(outbox, "a")
    with outbox.open_claims() as claims:
        assert claims.claim_segment(outbox.ready_segments()[0]) is None


def test_an_empty_segment_is_removed(outbox: Outbox) -> None:
    leave(outbox, "a")
    (file,) = files(outbox, "ready")
    file.write_bytes(b"")
    with outbox.open_claims() as claims:
        assert claims.claim_segment(outbox.ready_segments()[0]) is None
    assert files(outbox, "ready") == files(outbox, "claimed") == []


def test_damage_is_counted(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    leave(outbox, "a", "b")
    (file,) = files(outbox, "ready")
    file.write_bytes(file.read_bytes().replace(b'["end"', b'["enx"', 1))
    with outbox.open_claims() as claims:
        segment = claims.claim_segment(outbox.ready_segments()[0])
        assert segment is not None
    assert outbox.stats().state.counters == {"damaged": 1}
    assert "1 queries in Ryft's outbox" in caplog.text
