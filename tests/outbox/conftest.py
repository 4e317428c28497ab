"""An outbox for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_ryft.outbox.outbox import Outbox


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """Return an outbox of which nothing is on disk yet."""
    return Outbox(tmp_path / "outbox")
