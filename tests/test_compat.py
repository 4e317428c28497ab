"""What Airflow says of a deferral, in each of its ways."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.compat import resumed_with

EVENT = {"status": "success", "ids": ["1", "2"]}


def encoded() -> list[Any]:
    """Return what Airflow's own serializers make of it."""
    from airflow.serialization.serialized_objects import BaseSerialization

    try:
        from airflow.sdk.serde import serialize
    except ImportError:
        from airflow.serialization.serde import serialize
    return [serialize({"event": EVENT}), BaseSerialization.serialize({"event": EVENT}), {"event": EVENT}]


@pytest.mark.parametrize("given", encoded())
@pytest.mark.parametrize("is_from_server", [True, False])
def test_the_event_is_read(given: Any, is_from_server: bool) -> None:
    holder = SimpleNamespace(next_method="execute_complete", next_kwargs=given)
    instance = SimpleNamespace(_ti_context_from_server=holder) if is_from_server else holder
    assert resumed_with(instance) == EVENT


@pytest.mark.parametrize("given", [None, {}, {"event": None}, {"event": "done"}, {"error": "Trigger timeout"}])
def test_a_deferral_without_an_event_to_read(given: Any) -> None:
    assert resumed_with(SimpleNamespace(next_method="__fail__", next_kwargs=given)) == {}


def test_no_deferral() -> None:
    context = SimpleNamespace(next_method=None, next_kwargs=None)
    for instance in (SimpleNamespace(), context, SimpleNamespace(_ti_context_from_server=context)):
        assert resumed_with(instance) is None
