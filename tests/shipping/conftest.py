"""What the tests of shipping share: an outbox with a clock, and a client of the sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest
from tenacity import wait_none

from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.sandbox.server import Sandbox
from support.shipments import Clock, Connect


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_ryft.ingest.push._jitter", wait_none())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(tmp_path: Path, clock: Clock) -> Outbox:
    return Outbox(tmp_path / "outbox", clock=clock)


@pytest.fixture
def connect(sandbox: Sandbox, token: str) -> Connect:
    return lambda: IngestClient(token, base_url=sandbox.url)
