"""What the queries of a connection have in common: made once, and without secrets."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.query_builder import failure_message, templates
from airflow_provider_ryft.query_builder.task_facts import TaskFacts
from airflow_provider_ryft.query_builder.templates import SOURCE
from airflow_provider_ryft.redaction import known_secrets
from support.built_queries import Refused, connection, make_statement, query_builder

pytestmark = pytest.mark.usefixtures("mask_secret")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets an item whenever templates are made."""
    made: list[int] = []
    make = templates.QueryTemplates
    monkeypatch.setattr(templates, "QueryTemplates", lambda *arguments: made.append(1) or make(*arguments))
    templates._templates.cache_clear()
    return made


def test_the_source_is_no_secret(mask_secret: Callable[[str], None]) -> None:
    """A password that is a common word does not take the tag away by which our queries are found."""
    mask_secret("airflow")
    assert query_builder().query(make_statement()).tags[0] == SOURCE


def test_a_separator_in_a_secret_does_not_shift_the_tags(mask_secret: Callable[[str], None]) -> None:
    """Tags stay where they are even if a secret spans what is put between them."""
    mask_secret("load\0run_id:manual")
    tags = query_builder().query(make_statement()).tags
    assert tags[:4] == (SOURCE, "dag_id:etl", "task_id:load", "run_id:manual__1")


def test_long_messages_and_tags_are_cut() -> None:
    """Neither an exception with a whole log in it nor an odd owner makes a huge record."""
    facts = TaskFacts(owner="x" * 1_000, dag_id="y" * 1_000_000, dag_tags=("z" * 500,))
    query = query_builder(facts, tags=("w" * 1_000_000,)).query(make_statement(error=Refused("long " * 1_000_000)))
    failure: Any = query.failure_info
    assert len(failure.failure_message) == failure_message.MAX_MESSAGE_LENGTH
    assert failure.failure_message.endswith("…")
    assert "dag_id:(too long)" in query.tags
    assert "(too long)" in query.tags
    assert max(map(len, query.tags)) == templates.MAX_TAG_LENGTH
    assert len(query.encode()) < 5_000


def test_templates_are_made_once_whatever_their_hooks(made: list[int]) -> None:
    """A task may make a hook, and look its connection up, for each of its statements."""
    builder = query_builder()
    for number in range(20):
        statement = make_statement(f"SELECT {number}", connection=connection(login="ann"), hook=SimpleNamespace())
        builder.build_interrupted(statement)
        assert builder.query(statement).context.user == "ann"
    assert len(made) == 1


def test_templates_are_made_once_where_the_masker_does_not_show_its_secrets(
    monkeypatch: pytest.MonkeyPatch, made: list[int]
) -> None:
    monkeypatch.setattr(known_secrets, "_masker", lambda _module: None)
    monkeypatch.setattr(known_secrets, "_last", None)
    builder = query_builder()
    for number in range(20):
        builder.build_interrupted(make_statement(f"SELECT {number}"))
    assert len(made) == 1


def test_the_cache_is_bounded() -> None:
    builder = query_builder()
    for number in range(600):
        builder.build_finished(make_statement(connection=connection(login=f"user-{number}"), hook=SimpleNamespace()))
    assert len(builder._templates._cached[1]) <= templates._MAX_TEMPLATES
