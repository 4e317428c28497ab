"""Builds the query that Ryft takes from a statement, its task and its connection.

Whatever else is wrong, the statement is reported: a part that cannot be read is omitted, counted in
:attr:`QueryBuilder.omitted_parts` and logged at debug level. Only what cannot be checked for secrets is withheld, and
says so.

Every query has the tag ``source:airflow``, and ``name:value`` tags for what is known of ``dag_id``, ``task_id``,
``run_id``, ``try_number``, ``map_index`` (of a mapped task), ``operator``, ``owner``, each ``dag_tag``, ``conn_id`` and
``conn_type``; those of ``[ryft] tags`` are as they were given. What was done to the query is in the tags
``query_text:truncated``, ``query_text:withheld``, ``tags:withheld``, ``duration:estimated`` and ``duration:unknown``.
``query_state:unknown`` says that the end of the query was not observed; the state is the task's then.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_provider_ryft.capture.statement import Statement, text_or_none
from airflow_provider_ryft.ingest.fields import ErrorType
from airflow_provider_ryft.ingest.query_template import json_id, json_time
from airflow_provider_ryft.query_builder.connection_context import ConnectionReader
from airflow_provider_ryft.query_builder.statement_text import StatementText, StatementTexts
from airflow_provider_ryft.query_builder.task_facts import TaskFacts
from airflow_provider_ryft.query_builder.templates import SOURCE, TemplateCache, user_agent
from airflow_provider_ryft.redaction.known_secrets import known_secrets
from airflow_provider_ryft.redaction.redact import redact
from airflow_provider_ryft.settings import Settings

log = logging.getLogger(__name__)


class QueryBuilder:
    """Builds the queries of one try of one task; usable from any thread.

    :param settings: the options of ``[ryft]``
    :param facts: the task's
    """

    def __init__(self, settings: Settings, facts: TaskFacts) -> None:
        self.omitted_parts: Counter[str] = Counter()
        self._settings = settings
        self._connections = ConnectionReader(settings.contexts, self._omit)
        self._texts = StatementTexts(settings, self._omit)
        self._templates = TemplateCache((*facts.tags(), *settings.tags), self._omit)
        # The larger part of the work for a statement is to redact its text: it is kept from its start to its end.
        self._running: dict[str, StatementText] = {}

    def get_ready(self) -> None:
        """Do now what the first statement would have to wait for otherwise."""
        user_agent()
        redact(SOURCE)

    def build_interrupted(self, statement: Statement) -> bytes:
        """Build the query that is reported if the process dies while the statement runs.

        How long it will have run by then is not known: the query is tagged ``duration:unknown``.

        :param statement: one that runs
        :return: the encoded query
        """
        secrets = known_secrets()
        connection = self._connections.details(statement)
        text = self._running[statement.query_id] = self._texts.prepare(statement.text, connection.dialect, secrets)
        template = self._templates.find(statement, connection, text, secrets).interrupted
        started_at = _in_utc(statement.started_at)
        return template.encode(json_id(_query_id(statement)), text.json, json_time(started_at), _ms_since(started_at))

    def build_finished(self, statement: Statement) -> bytes:
        """Build the query of a statement that has ended.

        A duration that is not known is the time since the statement started, and the query is tagged
        ``duration:estimated``.

        :param statement: with its error, if it failed
        :return: the encoded query
        """
        secrets = known_secrets()
        connection = self._connections.details(statement)
        text = self._running.pop(statement.query_id, None)
        if text is None or not text.is_current(statement.text, connection.dialect, secrets):
            text = self._texts.prepare(statement.text, connection.dialect, secrets)
        templates = self._templates.find(statement, connection, text, secrets)
        failure = None if statement.error is None else self._failure(statement.error, text)
        duration_ms = _known_duration(statement.duration_ms)
        template = templates.ended(failure, is_duration_known=duration_ms is not None)
        started_at = _in_utc(statement.started_at)
        if duration_ms is None:
            duration_ms = _ms_since(started_at)
        return template.encode(json_id(_query_id(statement)), text.json, json_time(started_at), duration_ms)

    def discard(self, statement: Statement) -> None:
        """Forget a statement that has started, and of which no query is to be built after all."""
        self._running.pop(statement.query_id, None)

    def _failure(self, error: BaseException, text: StatementText) -> Mapping[str, Any]:
        """Return the attributes of what is known of a failure."""
        try:
            # What only a failure needs is imported with the first: most tasks have none.
            from airflow_provider_ryft.query_builder.failure_message import describe_failure

            return describe_failure(error, text, self._settings, self._omit)
        except Exception as fault:
            self._omit("failure", fault)
            return {"error_type": ErrorType.USER_ERROR}

    def _omit(self, part: str, error: Exception) -> None:
        # The message of the error may quote what it is about: only its type is logged.
        self.omitted_parts[part] += 1
        log.debug("The %s of a statement cannot be read: %s", part, type(error).__name__)


def _query_id(statement: Statement) -> str:
    return text_or_none(statement.engine_id) or statement.query_id


def _known_duration(milliseconds: object) -> float | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)):
        return None
    return round(milliseconds, 3) if math.isfinite(milliseconds) and milliseconds >= 0 else None


def _in_utc(moment: datetime) -> datetime:
    """Return an aware time; one without a zone is in UTC, as Airflow's own times are."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def _ms_since(moment: datetime) -> float:
    elapsed = (datetime.now(timezone.utc) - moment).total_seconds()
    return round(elapsed * 1000, 3) if elapsed > 0 else 0.0
