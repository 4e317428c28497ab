"""Queries that the server refused."""

from __future__ import annotations

import errno
import json
import time
from pathlib import Path

import pytest

from airflow_provider_ryft.outbox.housekeeping import MAX_DEAD_BYTES
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.results import RefusedQuery
from support.outboxes import FailingDisk, Killed, files, ids_on_disk, leave, line, on_disk


def test_dead_letters_tell_why_and_keep_every_byte(outbox: Outbox) -> None:
    query = line("a", text="SELECT ',\"query\":' -- ü🦆")
    message = 'He said: ,"query":{"a": 1} and "no"'
    assert outbox.add_dead_letters([RefusedQuery(query, 422, message), RefusedQuery(line("b"), 400, "")])
    first, second = outbox.dead_letters()
    assert (first.line, first.status, first.message) == (query, 422, message)
    assert first.payload["queryId"] == "a"
    assert first.at.endswith("Z")
    assert second.line == line("b")
    (file,) = files(outbox, "dead")
    assert [json.loads(text)["query"]["queryId"] for text in file.read_text().splitlines()] == ["a", "b"]


def test_dead_letters_survive_damage(outbox: Outbox) -> None:
    outbox.add_dead_letters([RefusedQuery(line("a"), 400, "no")])
    (file,) = files(outbox, "dead")
    with file.open("ab") as damaged:
        damaged.write(b'\x00\x00\n{"at":"x","query":\n{}\n')
    assert [letter.line for letter in outbox.dead_letters()] == [line("a")]


def test_retry_dead(outbox: Outbox) -> None:
    outbox.add_dead_letters([RefusedQuery(line("a"), 400, "no"), RefusedQuery(line("b"), 400, "no")])
    outbox.add_dead_letters([RefusedQuery(line("c"), 400, "no")])
    assert outbox.retry_dead() == 3
    assert on_disk(outbox.path)["ready"] == [line("a"), line("b"), line("c")]
    assert files(outbox, "dead") == []


def test_retrying_on_a_disk_that_fails_loses_nothing(outbox: Outbox) -> None:
    """Whether it refuses, or the process dies in the middle of it."""
    outbox.add_dead_letters([RefusedQuery(line("a"), 400, "no")])
    disk = FailingDisk()
    failing = Outbox(outbox.path, disk=disk)
    failing.ready_segments()
    disk.refuses_with = errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        failing.retry_dead()
    assert outbox.stats().state.counters == {"refused": 1}
    disk.refuses_with, disk.steps_left = None, 4
    with pytest.raises(Killed):
        failing.retry_dead()
    assert [file.suffix for file in files(outbox, "ready")] == [".new"]
    assert outbox.adopt_orphans() == 1
    assert ids_on_disk(outbox.path) == {"a": 2}, "at least once"


def test_half_written_dead_letters_are_removed(outbox: Outbox) -> None:
    leave(outbox, "a")
    disk = FailingDisk()
    dying = Outbox(outbox.path, disk=disk)
    dying.ready_segments()
    disk.steps_left = 1
    with pytest.raises(Killed):
        dying.add_dead_letters([RefusedQuery(line("b"), 400, "no")])
    assert len(files(outbox, "dead")) == 1
    outbox.adopt_orphans()
    assert files(outbox, "dead") == []


def test_dead_letters_have_caps_of_their_own(tmp_path: Path) -> None:
    later = 0.0
    outbox = Outbox(tmp_path / "outbox", clock=lambda: time.time() + later)
    text = "x" * (MAX_DEAD_BYTES // 2)
    for number in range(3):
        outbox.add_dead_letters([RefusedQuery(line(f"q{number}", text=text), 400, "no")])
    assert outbox.evict() == 2
    assert ids_on_disk(outbox.path, "dead") == {"q2": 1}
    later = 31 * 86400.0
    assert outbox.evict() == 1
    counters = outbox.stats().state.counters
    assert counters == {"refused": 3, "evicted_for_bytes_of_dead": 2, "evicted_for_age_of_dead": 1}
