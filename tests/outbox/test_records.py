"""The format of a file, and what is left of one that is damaged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings, strategies as st

from airflow_provider_ryft.outbox.records import BEGIN, DROP, END, SENT, record, replay
from support.outboxes import line


def test_a_torn_end_was_never_acknowledged() -> None:
    whole = record(BEGIN, 1, line("a", interrupted=True)) + record(END, 1, line("a"))
    for length in range(len(record(BEGIN, 1, line("a", interrupted=True))), len(whole)):
        found = replay(whole[:length])
        assert list(found.lines.values()) == [line("a", interrupted=True)]
        assert (found.interrupted, found.damaged) == (1, 0)
    assert replay(whole).lines == {1: line("a")}


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_costs_what_it_hits(data: st.DataObject) -> None:
    """Whatever is overwritten, the other queries are there, and no query is there that was never written."""
    records = [record(END, number, line(f"q{number}")) for number in range(5)]
    whole = b"".join(records)
    start = data.draw(st.integers(0, len(whole) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=40))
    damaged = whole[:start] + junk + whole[start + len(junk) :]
    borders = [len(b"".join(records[:number])) for number in range(6)]
    hit = {number for number in range(5) if borders[number] < start + len(junk) and start < borders[number + 1]}
    found = replay(damaged)
    assert {number: line(f"q{number}") for number in range(5) if number not in hit}.items() <= found.lines.items()
    assert set(found.lines.values()) <= {line(f"q{number}") for number in range(5)}


def test_damage_is_counted() -> None:
    damaged = record(BEGIN, 1, line("a", interrupted=True)) + record(END, 1, line("a")).replace(b"SELECT", b"DELETE")
    found = replay(damaged)
    assert found.lines == {}, "it did end, so it was not interrupted"
    assert found.damaged == 1


@pytest.mark.parametrize("kind", [DROP, SENT])
def test_what_is_settled_is_not_reported(kind: bytes) -> None:
    begun = record(BEGIN, 1, line("a", interrupted=True))
    assert replay(begun + record(kind, 1)).lines == {}
    assert replay(begun + record(END, 1, line("a")) + record(kind, 1)).lines == {}


def test_a_newline_in_a_query_does_not_tear_it() -> None:
    found = replay(record(END, 1, b'{"queryId":\n"a"}'))
    assert json.loads(found.lines[1]) == {"queryId": "a"}
