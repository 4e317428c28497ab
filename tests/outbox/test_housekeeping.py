"""What dead processes leave behind is adopted, and what exceeds the limits is evicted, the oldest first."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_ryft.outbox.outbox import Outbox
from support.outboxes import FailingDisk, files, ids_on_disk, leave, line, on_disk, write

if TYPE_CHECKING:
    import pytest


def test_files_of_a_living_process_are_no_orphans(outbox: Outbox) -> None:
    journal = outbox.open_journal()
    write(journal, "a")
    assert outbox.adopt_orphans() == 0
    assert ids_on_disk(outbox.path, "open") == {"a": 1}


def test_orphans_are_made_ready(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    disk = FailingDisk()
    journal = Outbox(outbox.path, disk=disk).open_journal()
    write(journal, "a", "b")
    journal.record_start("c", line("c", interrupted=True))
    disk.kill()
    assert outbox.adopt_orphans() == 3
    assert on_disk(outbox.path)["ready"] == [line("a"), line("b"), line("c", interrupted=True)]
    assert [name.queries for name in outbox.ready_segments()] == [3]
    assert "1 statements of process" in caplog.text
    assert outbox.adopt_orphans() == 0


def test_orphans_without_queries_are_removed(outbox: Outbox) -> None:
    disk = FailingDisk()
    journal = Outbox(outbox.path, disk=disk).open_journal()
    journal.record_start("a", line("a", interrupted=True))
    journal.record_end("a", None)
    disk.kill()
    assert outbox.adopt_orphans() == 0
    assert files(outbox, "open") == files(outbox, "ready") == []


def test_orphans_of_another_machine_are_adopted_when_they_are_old(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shared file system that is mounted without locks must not make the living look dead."""
    disk = FailingDisk()
    with monkeypatch.context() as there:
        there.setattr("airflow_provider_ryft.outbox.segment_name.this_host", lambda: "elsewhere")
        write(Outbox(outbox.path, disk=disk).open_journal(), "a")
    disk.kill()
    assert outbox.adopt_orphans() == 0
    (left,) = files(outbox, "open")
    assert "elsewhere" in left.name
    os.utime(left, (0, time.time() - 4_000))
    assert outbox.adopt_orphans() == 1


def test_a_number_of_segments_beyond_the_limit(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    outbox.max_segments = 2
    for number in range(4):
        leave(outbox, f"{number}-a", f"{number}-b")
    assert ids_on_disk(outbox.path, "ready") == dict.fromkeys(["2-a", "2-b", "3-a", "3-b"], 1)
    assert outbox.stats().state.counters == {"evicted_for_number": 4}
    assert caplog.text.count("2 evicted for number") == 2


def test_bytes_beyond_the_limit(outbox: Outbox) -> None:
    leave(outbox, "a")
    outbox.max_bytes = 2 * outbox.ready_segments()[0].size
    leave(outbox, "b")
    leave(outbox, "c")
    assert ids_on_disk(outbox.path, "ready") == {"b": 1, "c": 1}
    outbox.max_bytes = 1
    assert outbox.evict() == 2
    assert outbox.stats().state.counters == {"evicted_for_bytes": 3}


def test_an_age_beyond_the_limit(tmp_path: Path) -> None:
    later = 0.0
    outbox = Outbox(tmp_path / "outbox", clock=lambda: time.time() + later)
    leave(outbox, "a")
    later = outbox.max_age - 100
    assert outbox.evict() == 0
    later += 200
    assert outbox.evict() == 1
    assert outbox.stats().state.counters == {"evicted_for_age": 1}


def test_a_clock_that_went_back_evicts_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox", clock=lambda: 0.0)
    leave(outbox, "a")
    assert outbox.evict() == 0
    assert outbox.stats().ready.age == 0


def test_other_files_are_left_as_they_are(outbox: Outbox) -> None:
    leave(outbox, "a")
    note = Path(outbox.path, "ready", "README.txt")
    note.write_text("not a segment")
    outbox.max_segments = 0
    assert outbox.evict() == 1
    assert note.exists()
