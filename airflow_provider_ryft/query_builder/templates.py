"""What the queries of one connection have in common: their context and their tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from airflow_provider_ryft import __version__
from airflow_provider_ryft.capture.statement import Statement, text_or_none
from airflow_provider_ryft.ingest.fields import ErrorType, QueryState, QueryType
from airflow_provider_ryft.ingest.query_template import QueryTemplate
from airflow_provider_ryft.query_builder.connection_context import ConnectionDetails
from airflow_provider_ryft.query_builder.connection_rules import ConnectionContext
from airflow_provider_ryft.query_builder.statement_text import StatementText, shorten
from airflow_provider_ryft.redaction.known_secrets import KnownSecrets, MaskingError
from airflow_provider_ryft.redaction.redact import redact

SOURCE = "source:airflow"

MAX_TAG_LENGTH = 500

_MAX_TEMPLATES = 256
_MAX_MASKED_LENGTH = 1 << 12
_MAX_NAME_LENGTH = 16
_SEPARATOR = "\0"

_INTERRUPTED = {
    "error_type": ErrorType.EXTERNAL,
    "error_name": "TASK_INTERRUPTED",
    "failure_message": "The task's process ended while the statement ran. Whether the engine finished it is not known.",
}


class QueryTemplates:
    """What the queries of statements have in common that differ in their text, id, times and outcome.

    :param context: the attributes of their context
    :param tags: those that do not depend on how a statement ends
    """

    __slots__ = ("_context", "_finished", "_tags", "interrupted")

    def __init__(self, context: Mapping[str, Any], tags: tuple[str, ...]) -> None:
        self._context = context
        self._tags = tags
        self._finished = QueryTemplate(context=context, query_state=QueryState.FINISHED, tags=tags)
        self.interrupted = QueryTemplate(
            context=context, query_state=QueryState.FAILED, tags=(*tags, "duration:unknown"), failure_info=_INTERRUPTED
        )

    def ended(self, failure: Mapping[str, Any] | None, *, is_duration_known: bool) -> QueryTemplate:
        """Return what a statement that has ended is reported with.

        :param failure: the attributes of what it failed with, if it did
        :param is_duration_known: whether its duration is the engine's
        """
        if failure is None and is_duration_known:
            return self._finished
        return QueryTemplate(
            context=self._context,
            query_state=QueryState.FINISHED if failure is None else QueryState.FAILED,
            tags=self._tags if is_duration_known else (*self._tags, "duration:estimated"),
            failure_info=failure,
        )


class TemplateCache:
    """Finds or makes the templates of statements.

    It takes 4 us to encode a query with a template, and 21 us without. To compare with what was found last takes 1 us
    less than to look it up.

    :param tags: what the task and the options add to each query
    :param omit: counts and logs a part that cannot be read
    """

    def __init__(self, tags: tuple[str, ...], omit: Callable[[str, Exception], None]) -> None:
        self._tags = tags
        self._omit = omit
        self._cached: tuple[KnownSecrets | None, dict[object, QueryTemplates]] = None, {}
        self._last: tuple[object, QueryTemplates | None] = None, None

    def find(
        self, statement: Statement, connection: ConnectionDetails, text: StatementText, secrets: KnownSecrets
    ) -> QueryTemplates:
        """Return the templates of a statement.

        :param statement: as it is now
        :param connection: what its connection says
        :param text: its text
        :param secrets: those that are known now
        """
        version, outcome_known = statement.server_version, statement.outcome_known
        key = connection.context, connection.tags, text.query_type, version, outcome_known, text.tags
        last, found = self._last  # atomically, because another thread may know another secret
        if found is not None and last == (secrets, key):
            return found
        cached_for, templates = self._cached
        if cached_for is not secrets or len(templates) >= _MAX_TEMPLATES:
            templates = {}
            self._cached = secrets, templates
        found = templates.get(key)
        if found is not None:
            self._last = (secrets, key), found
            return found
        unknown = () if outcome_known else ("query_state:unknown",)
        try:
            context, tags = _redacted(connection.context, (*self._tags, *connection.tags))
        except MaskingError as error:
            self._omit("tags and context", error)
            tags = (SOURCE, "tags:withheld", *text.tags, *unknown)
            return _templates(ConnectionContext(), text.query_type, text_or_none(version), tags)
        tags = (SOURCE, *tags, *text.tags, *unknown)
        templates[key] = found = _templates(context, text.query_type, text_or_none(version), tags)
        return found


@lru_cache(maxsize=64)  # for a process whose masker does not show its secrets, so that nothing else can be kept
def _templates(
    context: ConnectionContext, query_type: QueryType | None, server_version: str | None, tags: tuple[str, ...]
) -> QueryTemplates:
    attributes = {
        **context._asdict(),
        "query_type": query_type,
        "server_version": server_version,
        "user_agent": user_agent(),
    }
    return QueryTemplates(attributes, tags)


@cache
def user_agent() -> str:
    """Return what sends the queries, with the versions of this package and of Airflow."""
    import airflow

    return f"airflow-provider-ryft/{__version__} apache-airflow/{airflow.__version__}"


def _redacted(context: ConnectionContext, tags: Sequence[str]) -> tuple[ConnectionContext, tuple[str, ...]]:
    """Redact all short texts of a query at once.

    :raises MaskingError: if they cannot be checked for secrets
    """
    texts = [_bounded(text) for text in (*(part or "" for part in context), *tags)]
    redacted = redact(_SEPARATOR.join(texts)).split(_SEPARATOR)
    if len(redacted) != len(texts):  # a secret with the separator in it
        redacted = [redact(text) for text in texts]
    parts = [shorten(text, MAX_TAG_LENGTH) for text in redacted]
    size = len(context)
    return ConnectionContext(*(part or None for part in parts[:size])), tuple(parts[size:])


def _bounded(text: str) -> str:
    """Return a text that is short enough to be redacted with each query; cut, it could end in half a secret."""
    if len(text) > _MAX_MASKED_LENGTH:
        name, colon, _ = text[:_MAX_NAME_LENGTH].partition(":")
        text = f"{name if colon else ''}{colon}(too long)"
    return text.replace(_SEPARATOR, "")
