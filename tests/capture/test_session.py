"""Statements in flight."""

from __future__ import annotations

from uuid import RFC_4122, UUID

from airflow_provider_ryft.capture import session


def test_an_id_is_a_random_uuid() -> None:
    texts = {session._random_uuid() for _ in range(1_000)}
    ids = {UUID(text) for text in texts}
    assert {str(one) for one in ids} == texts
    assert len(ids) == 1_000
    assert {(one.version, one.variant) for one in ids} == {(4, RFC_4122)}
