"""When the circuit breaker opens, for how long, and who probes then."""

from __future__ import annotations

from hypothesis import given, strategies as st

from airflow_provider_ryft.outbox.circuit_breaker import BreakerPolicy, CircuitBreaker, CircuitState

POLICY = BreakerPolicy(failure_threshold=3, first_pause=30.0, max_pause=900.0, probe_timeout=30.0)
NOW = 1_800_000_000.0


def after(*moments: float) -> CircuitBreaker:
    """Return a breaker after failures at these moments."""
    breaker = CircuitBreaker()
    for moment in moments:
        breaker = breaker.after_failure(moment, POLICY, "503")
    return breaker


def test_is_closed_until_the_third_failure_in_a_row() -> None:
    assert after().circuit_state(NOW, POLICY) is CircuitState.CLOSED
    assert after(NOW, NOW).circuit_state(NOW, POLICY) is CircuitState.CLOSED
    assert after(NOW, NOW, NOW).circuit_state(NOW, POLICY) is CircuitState.OPEN
    assert after(NOW, NOW, NOW).reason == "503"


def test_each_pause_is_twice_as_long_up_to_the_longest() -> None:
    breaker, now = after(NOW, NOW), NOW
    for number in range(10):
        breaker = breaker.after_failure(now, POLICY, "503")
        pause = breaker.remaining_pause(now, POLICY)
        expected = min(30.0 * 2**number, 900.0)
        assert expected * 0.75 <= pause <= expected
        now += pause + 0.001
        assert breaker.circuit_state(now, POLICY) is CircuitState.HALF_OPEN


def test_failures_during_a_pause_do_not_count() -> None:
    """Sixteen tasks that fail at once are one outage."""
    breaker = after(*[NOW] * 16)
    assert breaker.remaining_pause(NOW, POLICY) <= 30.0
    assert breaker.pauses == 1


def test_a_retry_after_is_obeyed_up_to_the_longest_pause() -> None:
    breaker = CircuitBreaker().after_failure(NOW, POLICY, "429", retry_after=120.0)
    assert breaker.remaining_pause(NOW, POLICY) == 120.0
    assert breaker.circuit_state(NOW + 121, POLICY) is CircuitState.CLOSED
    assert CircuitBreaker().after_failure(NOW, POLICY, "429", retry_after=1e9).remaining_pause(NOW, POLICY) == 900.0
    assert (
        CircuitBreaker().after_failure(NOW, POLICY, "429", retry_after=0.0).circuit_state(NOW, POLICY)
        is CircuitState.CLOSED
    )


def test_a_misconfiguration_waits_for_manual_action() -> None:
    breaker = CircuitBreaker().after_misconfiguration(NOW, POLICY, "401")
    assert breaker.remaining_pause(NOW, POLICY) == 900.0
    assert breaker.circuit_state(NOW + 901, POLICY) is CircuitState.HALF_OPEN


def test_one_process_probes_and_after_its_time_another() -> None:
    breaker = CircuitBreaker().after_misconfiguration(NOW, POLICY, "401")
    later = NOW + 901
    probing = breaker.start_probe(later, POLICY)
    assert probing.circuit_state(later, POLICY) is CircuitState.OPEN
    assert probing.circuit_state(later + 31, POLICY) is CircuitState.HALF_OPEN


def test_a_probe_that_fails_means_another_pause_at_once() -> None:
    breaker = CircuitBreaker().after_misconfiguration(NOW, POLICY, "401").after_failure(NOW + 901, POLICY, "503")
    assert breaker.circuit_state(NOW + 902, POLICY) is CircuitState.OPEN


@given(st.floats(-1e11, 1e11), st.sampled_from(["failed", "asked", "misconfigured", "probing"]))
def test_a_clock_that_jumps_costs_the_longest_pause_at_most(jump: float, what: str) -> None:
    breaker = {
        "failed": after(NOW, NOW, NOW),
        "asked": CircuitBreaker().after_failure(NOW, POLICY, "429", retry_after=1e9),
        "misconfigured": CircuitBreaker().after_misconfiguration(NOW, POLICY, "401"),
        "probing": CircuitBreaker().after_misconfiguration(NOW - 901, POLICY, "401").start_probe(NOW, POLICY),
    }[what]
    then = NOW + jump
    assert breaker.remaining_pause(then, POLICY) <= POLICY.max_pause
    assert breaker.circuit_state(then + POLICY.max_pause + 1e-3, POLICY) is not CircuitState.OPEN or abs(jump) < 2_000


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists))
def test_nonsense_in_the_file_is_a_new_breaker(nonsense: object) -> None:
    fields = ("failures", "pauses", "until", "not_before", "probe_until", "reason")
    read = CircuitBreaker.from_json(dict.fromkeys(fields, nonsense))
    assert read.remaining_pause(NOW, POLICY) <= POLICY.max_pause
    read.after_failure(NOW, POLICY, "503").after_failure(NOW, POLICY, "503").circuit_state(NOW, POLICY)
    assert CircuitBreaker.from_json(nonsense) == CircuitBreaker()
