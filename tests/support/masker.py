"""Airflow's secrets masker: what a test teaches it, it forgets at the test's end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_ryft.redaction import known_secrets

SECRET = "hunter2-hunter2"


def maskers() -> list[Any]:
    """Return the maskers of this process, that of tasks first."""
    return [sys.modules[name]._secrets_masker() for name in known_secrets.MASKER_MODULES if name in sys.modules]


@pytest.fixture(autouse=True)
def secrets_stay_in_their_test() -> Iterator[None]:
    """Forget the passwords of a test's connections: 2.11 masks a short one in every text of every later test."""
    before = [(masker, set(masker.patterns), masker.replacer) for masker in maskers()]
    yield
    for masker in maskers():
        known = [(patterns, replacer) for other, patterns, replacer in before if other is masker]
        masker.patterns, masker.replacer = known[0] if known else (set(), None)


@pytest.fixture
def mask_secret(secrets_stay_in_their_test: None) -> Callable[[str], None]:
    """Return what teaches the masker of the task's process a secret; it knows :data:`SECRET` already."""
    from airflow.providers.common.compat.sdk import mask_secret

    mask_secret(SECRET)
    return mask_secret


@pytest.fixture
def replace_maskers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], Any]], None]:
    """Return what puts a function in the place of Airflow's maskers."""

    def replace(mask: Callable[[str], Any]) -> None:
        monkeypatch.setattr(known_secrets, "_last", None)
        monkeypatch.setattr(known_secrets, "_masks", lambda _modules: [mask])

    return replace
