"""The names of segments."""

from __future__ import annotations

from airflow_provider_ryft.outbox.segment_name import SegmentName


def test_names_sort_by_age_and_tell_what_is_inside() -> None:
    name = SegmentName.new().holding(12, 345)
    assert SegmentName.parse(str(name)) == name
    assert str(name) < str(SegmentName.new())
    assert SegmentName.parse(".nfs000001") is None
