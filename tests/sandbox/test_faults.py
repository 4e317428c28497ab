"""Faults are given in Python or JSON, checked, and applied in turn."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.sandbox.faults import Fault, Faults

NAMES = (
    "status, body, content_type, retry_after, location, delay, drip, hang, reset, refuse, max_bytes, times, probability"
)
QUERY = {"queryId": "q-7", "query": "SELECT 'poison'"}


@pytest.mark.parametrize(
    "mapping",
    [
        {},
        {"status": 503, "body": "later", "content_type": "text/html", "retry_after": "Wed, soon", "times": 3},
        {"status": 308, "location": "https://elsewhere.example.com/"},
        {"delay": 2, "drip": 0.5, "probability": 0},
        {"hang": True},
        {"reset": "before"},
        {"reset": "body"},
        {"reset": "stored", "probability": 0.1},
        {"refuse": "^q-7$"},
        {"refuse": ""},
        {"max_bytes": 0, "times": 1},
    ],
)
def test_a_fault_comes_from_json_and_goes_back(mapping: dict[str, Any]) -> None:
    assert Fault.from_mapping(mapping).to_mapping() == mapping


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        ([], "A fault must be a JSON object, not []"),
        ("status", "A fault must be a JSON object, not 'status'"),
        (
            {"stauts": 503},
            f"A fault has no 'stauts'; allowed: {NAMES}",
        ),
        ({"status": "503"}, "status: must be a whole number, not '503'"),
        ({"status": True}, "status: must be a whole number, not True"),
        ({"status": None}, "status: must be a whole number, not None"),
        ({"status": 99}, "status: must be from 200 to 599, not 99"),
        ({"status": 600}, "status: must be from 200 to 599, not 600"),
        ({"retry_after": 5}, "retry_after: must be text, not 5"),
        ({"hang": 1}, "hang: must be true or false, not 1"),
        ({"delay": "1"}, "delay: must be a number, not '1'"),
        ({"delay": -1}, "delay: must be from 0 to 86400, not -1"),
        ({"drip": float("nan")}, "drip: must be from 0 to 86400, not nan"),
        ({"times": 0}, "times: must be 1 or more, not 0"),
        ({"times": 1.5}, "times: must be a whole number, not 1.5"),
        ({"max_bytes": -1}, "max_bytes: must be 0 or more, not -1"),
        ({"probability": 50}, "probability: must be from 0 to 1, not 50"),
        ({"reset": "after"}, "reset: must be one of before, body, stored, not 'after'"),
        ({"retry_after": "1\r\nX: y"}, "retry_after: must be printable ASCII, as a header is, not '1\\r\\nX: y'"),
        ({"location": "ü"}, "location: must be printable ASCII, as a header is, not 'ü'"),
        (
            {"refuse": "("},
            "refuse: '(' is not a regular expression: missing ), unterminated subpattern at position 0",
        ),
        ({"refuse": "x", "status": 503}, "refuse and max_bytes are faults of their own: give them as such"),
        ({"refuse": "x", "max_bytes": 1}, "refuse and max_bytes are faults of their own: give them as such"),
        ({"max_bytes": 1, "delay": 1.0}, "refuse and max_bytes are faults of their own: give them as such"),
    ],
)
def test_a_fault_that_means_nothing_is_explained_in_one_sentence(mapping: object, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Fault.from_mapping(mapping)
    assert str(raised.value) == sentence


def test_a_fault_in_python_is_checked_alike() -> None:
    with pytest.raises(ConfigurationError, match="probability"):
        Fault(status=503, probability=2)


@pytest.mark.parametrize(
    ("pattern", "refuses"), [("^q-7$", True), ("poison", True), ("^poison", False), ("q-8", False), ("", True)]
)
def test_a_fault_refuses_by_id_or_text(pattern: str, refuses: bool) -> None:
    assert Fault(refuse=pattern).refuses(QUERY) is refuses


@pytest.mark.parametrize("query", [None, 1, "poison", ["poison"], {}, {"queryId": 7, "query": None}])
def test_a_fault_refuses_no_pattern_in_what_is_no_query(query: object) -> None:
    assert not Fault(refuse="poison|7").refuses(query)


def applied(faults: Faults, count: int) -> list[Fault]:
    return [faults.take(10, [])[1] for _ in range(count)]


def test_faults_apply_to_requests_one_after_the_other() -> None:
    first, second, always = Fault(status=503, times=2), Fault(status=429, times=1), Fault(delay=1.0)
    faults = Faults()
    faults.set(first, second, always)
    assert applied(faults, 5) == [first, first, second, always, always]


def test_faults_that_are_used_up_leave_a_good_server() -> None:
    faults = Faults()
    faults.set(Fault(hang=True, times=1))
    assert applied(faults, 3) == [Fault(hang=True, times=1), Fault(), Fault()]
    assert faults.waiting() == []


def test_rules_apply_in_addition_to_other_faults() -> None:
    refuse, small, later = Fault(refuse="poison"), Fault(max_bytes=100), Fault(status=503)
    faults = Faults()
    faults.set(refuse, small, later)
    assert faults.take(100, []) == ([], later)
    assert faults.take(101, []) == ([small], later)
    assert faults.take(100, [QUERY]) == ([refuse], later)
    assert faults.take(101, [QUERY]) == ([refuse, small], later)


def test_a_rule_counts_only_requests_that_it_is_for() -> None:
    faults = Faults()
    faults.set(Fault(refuse="poison", times=1))
    assert [len(faults.take(1, queries)[0]) for queries in ([], [QUERY], [QUERY])] == [0, 1, 0]


def test_waiting_says_how_often_each_is_left() -> None:
    faults = Faults()
    faults.set(Fault(status=503, times=3), Fault(status=429))
    applied(faults, 2)
    assert faults.waiting() == [Fault(status=503, times=1), Fault(status=429)]


def test_setting_replaces_what_waits() -> None:
    faults = Faults()
    faults.set(Fault(status=503))
    faults.set(Fault(status=500))
    assert applied(faults, 1) == [Fault(status=500)]
    faults.set()
    assert applied(faults, 1) == [Fault()]


def test_chance_is_repeatable_and_near_what_was_asked() -> None:
    runs = []
    for seed in (1, 1, 2):
        faults = Faults(seed)
        faults.set(Fault(status=503, probability=0.3))
        runs.append([fault.status == 503 for fault in applied(faults, 1_000)])
    assert runs[0] == runs[1] != runs[2]
    assert 250 < sum(runs[0]) < 350


def test_probability_0_is_never() -> None:
    faults = Faults()
    faults.set(Fault(status=503, probability=0))
    assert applied(faults, 100) == [Fault()] * 100
