"""When a server is left alone, for how long, and by whom."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from airflow_provider_ryft.outbox.circuit_breaker import BreakerPolicy, CircuitBreaker, Gate
from airflow_provider_ryft.outbox.filesystem import FileSystem
from airflow_provider_ryft.outbox.shared_state import OutboxState, SharedState
from support.outboxes import FailingDisk

PAUSES = BreakerPolicy(failures=3, first=30.0, longest=900.0, probe=30.0)
NOW = 1_800_000_000.0


def after(*moments: float) -> CircuitBreaker:
    """Return a breaker after failures at these moments."""
    breaker = CircuitBreaker()
    for moment in moments:
        breaker = breaker.failed(moment, PAUSES, "503")
    return breaker


class TestBreaker:
    """The value."""

    def test_is_open_until_the_third_failure_in_a_row(self) -> None:
        assert after().gate(NOW, PAUSES) is Gate.OPEN
        assert after(NOW, NOW).gate(NOW, PAUSES) is Gate.OPEN
        assert after(NOW, NOW, NOW).gate(NOW, PAUSES) is Gate.SHUT
        assert after(NOW, NOW, NOW).reason == "503"

    def test_each_pause_is_twice_as_long_up_to_the_longest(self) -> None:
        breaker, now = after(NOW, NOW), NOW
        for number in range(10):
            breaker = breaker.failed(now, PAUSES, "503")
            pause = breaker.opens_in(now, PAUSES)
            expected = min(30.0 * 2**number, 900.0)
            assert expected * 0.75 <= pause <= expected
            now += pause + 0.001
            assert breaker.gate(now, PAUSES) is Gate.PROBE

    def test_failures_during_a_pause_are_no_news(self) -> None:
        """Sixteen tasks that fail at once are one outage."""
        breaker = after(*[NOW] * 16)
        assert breaker.opens_in(NOW, PAUSES) <= 30.0
        assert breaker.pauses == 1

    def test_a_retry_after_is_obeyed_up_to_the_longest_pause(self) -> None:
        breaker = CircuitBreaker().failed(NOW, PAUSES, "429", retry_after=120.0)
        assert breaker.opens_in(NOW, PAUSES) == 120.0
        assert breaker.gate(NOW + 121, PAUSES) is Gate.OPEN
        assert CircuitBreaker().failed(NOW, PAUSES, "429", retry_after=1e9).opens_in(NOW, PAUSES) == 900.0
        assert CircuitBreaker().failed(NOW, PAUSES, "429", retry_after=0.0).gate(NOW, PAUSES) is Gate.OPEN

    def test_a_misconfiguration_waits_for_a_person(self) -> None:
        breaker = CircuitBreaker().misconfigured(NOW, PAUSES, "401")
        assert breaker.opens_in(NOW, PAUSES) == 900.0
        assert breaker.gate(NOW + 901, PAUSES) is Gate.PROBE

    def test_one_process_probes_and_after_its_time_another(self) -> None:
        breaker = CircuitBreaker().misconfigured(NOW, PAUSES, "401")
        later = NOW + 901
        probing = breaker.probing(later, PAUSES)
        assert probing.gate(later, PAUSES) is Gate.SHUT
        assert probing.gate(later + 31, PAUSES) is Gate.PROBE

    def test_a_probe_that_fails_means_another_pause_at_once(self) -> None:
        breaker = CircuitBreaker().misconfigured(NOW, PAUSES, "401").failed(NOW + 901, PAUSES, "503")
        assert breaker.gate(NOW + 902, PAUSES) is Gate.SHUT

    @given(st.floats(-1e11, 1e11), st.sampled_from(["failed", "asked", "misconfigured", "probing"]))
    def test_a_clock_that_jumps_costs_the_longest_pause_at_most(self, jump: float, what: str) -> None:
        breaker = {
            "failed": after(NOW, NOW, NOW),
            "asked": CircuitBreaker().failed(NOW, PAUSES, "429", retry_after=1e9),
            "misconfigured": CircuitBreaker().misconfigured(NOW, PAUSES, "401"),
            "probing": CircuitBreaker().misconfigured(NOW - 901, PAUSES, "401").probing(NOW, PAUSES),
        }[what]
        then = NOW + jump
        assert breaker.opens_in(then, PAUSES) <= PAUSES.longest
        assert breaker.gate(then + PAUSES.longest + 1e-3, PAUSES) is not Gate.SHUT or abs(jump) < 2_000

    @given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists))
    def test_nonsense_in_the_file_is_a_new_breaker(self, nonsense: object) -> None:
        fields = ("failures", "pauses", "until", "not_before", "probe_until", "reason")
        read = CircuitBreaker.from_json(dict.fromkeys(fields, nonsense))
        assert read.opens_in(NOW, PAUSES) <= PAUSES.longest
        read.failed(NOW, PAUSES, "503").failed(NOW, PAUSES, "503").gate(NOW, PAUSES)
        assert CircuitBreaker.from_json(nonsense) == CircuitBreaker()


class TestStateFile:
    """What processes share."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "state.json"

    def file(
        self, path: Path, disk: FileSystem | None = None, *, now: float = NOW, patience: float = 0.05
    ) -> SharedState:
        return SharedState(str(path), disk or FileSystem(), lambda: now, PAUSES, patience)

    def test_is_shared(self, path: Path) -> None:
        for _ in range(3):
            self.file(path).failed("503", None)
        assert self.file(path).gate() is Gate.SHUT
        self.file(path).succeeded(accepted=5)
        assert self.file(path).gate() is Gate.OPEN
        assert self.file(path).read().counters == {"accepted": 5}
        assert self.file(path).read().last_success == NOW

    def test_only_one_of_many_probes(self, path: Path) -> None:
        self.file(path).misconfigured("401")
        gates = [self.file(path, now=NOW + 901).gate() for _ in range(5)]
        assert gates == [Gate.PROBE, Gate.SHUT, Gate.SHUT, Gate.SHUT, Gate.SHUT]

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
    def test_damage_is_replaced(self, path: Path, damage: bytes) -> None:
        path.write_bytes(damage)
        file = self.file(path)
        assert file.read() == OutboxState()
        assert file.gate() is Gate.OPEN
        file.succeeded(accepted=1)
        assert json.loads(path.read_bytes())["counters"] == {"accepted": 1}

    def test_a_half_written_one_of_a_dead_process_does_not_matter(self, path: Path) -> None:
        Path(f"{path}.new").write_bytes(b"{")
        self.file(path).count(accepted=1)
        assert self.file(path).read().counters == {"accepted": 1}

    def test_who_does_not_get_the_lock_goes_on_and_counts_later(self, path: Path) -> None:
        file, disk = self.file(path, patience=0.01), FileSystem()
        lock = disk.lock(f"{path}.lock", create=True)
        assert lock is not None
        file.count(accepted=2)
        file.count(accepted=3, refused=1)
        assert file.read().counters == {}
        disk.close(lock)
        file.count()
        assert file.read().counters == {"accepted": 5, "refused": 1}

    def test_nothing_is_lost_between_threads(self, path: Path) -> None:
        def count() -> None:
            for _ in range(50):
                self.file(path, patience=60.0).count(accepted=1)

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert self.file(path).read().counters == {"accepted": 200}

    def test_a_disk_that_takes_nothing_is_no_reason_to_stay_silent(self, path: Path) -> None:
        self.file(path).misconfigured("401")
        disk = FailingDisk()
        disk.refuses_with = 30
        file = self.file(path, disk, now=NOW + 901)
        file.count(accepted=1)
        assert file.gate() is Gate.PROBE

    def test_a_limit_is_believed_for_a_day(self, path: Path) -> None:
        self.file(path).learn_limit(1000)
        assert self.file(path, now=NOW + 3600).limit() == 1000
        assert self.file(path, now=NOW + 90_000).limit() is None
        assert self.file(path, now=NOW - 90_000).limit() is None
        assert self.file(path.with_name("other")).limit() is None

    def test_touches_nothing_where_there_is_no_folder(self, tmp_path: Path) -> None:
        file = self.file(tmp_path / "none" / "state.json", now=time.time())
        file.failed("503", None)
        assert file.gate() is Gate.OPEN
        assert list(tmp_path.iterdir()) == []
