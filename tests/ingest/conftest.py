"""What the tests of the client share: clients and clocks, certificates and environments."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from airflow_provider_ryft.ingest import push as push_module
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.sandbox.server import Sandbox
from support.pushes import Clock
from support.transports import server_side


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let retries come at once; return what they would have waited."""
    asked: list[float] = []
    wait = push_module._wait

    def no_wait(state: Any) -> float:
        asked.append(wait(state))
        return 0.0

    monkeypatch.setattr(push_module, "_wait", no_wait)
    return asked


@pytest.fixture
def client(sandbox: Sandbox, token: str) -> Iterator[IngestClient]:
    """Make a client of the sandbox."""
    with IngestClient(token, base_url=sandbox.url) as ready:
        yield ready


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the client look at a clock that a test moves."""
    ours = Clock()
    monkeypatch.setattr(push_module, "time", ours)
    return ours


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Make a certificate authority of its own."""
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write the authority's certificate into a file."""
    path = tmp_path_factory.mktemp("ca") / "bundle.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """Make what a server at 127.0.0.1 needs to speak TLS."""
    return server_side(authority, "127.0.0.1")


@pytest.fixture
def free_port() -> int:
    """Find a port where no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let a test set variables of the environment, without those of this machine."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name)
    return monkeypatch
