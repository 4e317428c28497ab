"""What processes share: the circuit breaker, the server's limit, and the counters."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from airflow_provider_ryft.outbox.circuit_breaker import BreakerPolicy, CircuitState
from airflow_provider_ryft.outbox.filesystem import FileSystem
from airflow_provider_ryft.outbox.shared_state import OutboxState, SharedState
from support.outboxes import FailingDisk

NOW = 1_800_000_000.0


def shared(path: Path, disk: FileSystem | None = None, *, now: float = NOW, patience: float = 0.05) -> SharedState:
    return SharedState(str(path), disk or FileSystem(), lambda: now, BreakerPolicy(), patience)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_is_shared(path: Path) -> None:
    for _ in range(3):
        shared(path).record_failure("503", None)
    assert shared(path).circuit_state() is CircuitState.OPEN
    shared(path).record_success(accepted=5)
    assert shared(path).circuit_state() is CircuitState.CLOSED
    assert shared(path).read_state().counters == {"accepted": 5}
    assert shared(path).read_state().last_success == NOW


def test_only_one_of_many_probes(path: Path) -> None:
    shared(path).record_misconfiguration("401")
    states = [shared(path, now=NOW + 901).circuit_state() for _ in range(5)]
    assert states == [CircuitState.HALF_OPEN] + 4 * [CircuitState.OPEN]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\x00" * 100,
        b"{",
        b"[]",
        b'{"breaker": 1, "counters": {"a": "b"}, "last_success": []}',
        b"[" * 100_000,
    ],
)
def test_damage_is_replaced(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    file = shared(path)
    assert file.read_state() == OutboxState()
    assert file.circuit_state() is CircuitState.CLOSED
    file.record_success(accepted=1)
    assert json.loads(path.read_bytes())["counters"] == {"accepted": 1}


def test_a_half_written_one_of_a_dead_process_does_not_matter(path: Path) -> None:
    Path(f"{path}.new").write_bytes(b"{")
    shared(path).add_counts(accepted=1)
    assert shared(path).read_state().counters == {"accepted": 1}


def test_without_the_lock_it_goes_on_and_counts_later(path: Path) -> None:
    file, disk = shared(path, patience=0.01), FileSystem()
    lock = disk.lock(f"{path}.lock", create=True)
    assert lock is not None
    file.add_counts(accepted=2)
    file.add_counts(accepted=3, refused=1)
    assert file.read_state().counters == {}
    disk.close(lock)
    file.add_counts()
    assert file.read_state().counters == {"accepted": 5, "refused": 1}


def test_nothing_is_lost_between_threads(path: Path) -> None:
    def count() -> None:
        for _ in range(50):
            shared(path, patience=60.0).add_counts(accepted=1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared(path).read_state().counters == {"accepted": 200}


def test_a_disk_that_takes_nothing_is_no_reason_to_stay_silent(path: Path) -> None:
    shared(path).record_misconfiguration("401")
    disk = FailingDisk()
    disk.refuses_with = 30
    file = shared(path, disk, now=NOW + 901)
    file.add_counts(accepted=1)
    assert file.circuit_state() is CircuitState.HALF_OPEN


def test_a_limit_is_believed_for_a_day(path: Path) -> None:
    shared(path).record_size_limit(1000)
    assert shared(path, now=NOW + 3600).size_limit() == 1000
    assert shared(path, now=NOW + 90_000).size_limit() is None
    assert shared(path, now=NOW - 90_000).size_limit() is None
    assert shared(path.with_name("other")).size_limit() is None


def test_touches_nothing_where_there_is_no_folder(tmp_path: Path) -> None:
    file = shared(tmp_path / "none" / "state.json", now=time.time())
    file.record_failure("503", None)
    assert file.circuit_state() is CircuitState.CLOSED
    assert list(tmp_path.iterdir()) == []
