"""A statement, with its task and its connection, as the query that Ryft takes.

What a task and a connection say is worked out once. Whatever else is wrong, the statement is reported: a part that
cannot be read is left out, counted in :attr:`QueryBuilder.omitted_parts` and logged at debug level. Only what cannot be
checked for secrets is withheld, and says so.

Every query has the tag ``source:airflow``, and ``name:value`` tags for what is known of ``dag_id``, ``task_id``,
``run_id``, ``try_number``, ``map_index`` (of a mapped task), ``operator``, ``owner``, each ``dag_tag``, ``conn_id`` and
``conn_type``; those of ``[ryft] tags`` are as they were given. What was done to the query is told by
``query_text:truncated``, ``query_text:withheld``, ``tags:withheld``, ``duration:estimated`` and ``duration:unknown``.
``query_state:unknown`` says that nobody saw how the query ended; the state is the task's then.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from weakref import ref

from airflow_provider_ryft import __version__
from airflow_provider_ryft.capture.statement import Statement
from airflow_provider_ryft.ingest.fields import FAILURE, ErrorType, QueryState, QueryType
from airflow_provider_ryft.ingest.query_template import QueryTemplate, json_id, json_text, json_time
from airflow_provider_ryft.query_builder.connection_context import (
    ConnectionContext,
    apply_overrides,
    connection_context,
    sql_dialect,
)
from airflow_provider_ryft.redaction.redact import (
    KnownSecrets,
    MaskingError,
    RedactedPrefix,
    known_secrets,
    redact,
    redact_prefix,
)
from airflow_provider_ryft.settings import Settings
from airflow_provider_ryft.sql.first_word import is_several
from airflow_provider_ryft.sql.query_type import query_type

if TYPE_CHECKING:
    from airflow_provider_ryft.ingest.query import FailureInfo

log = logging.getLogger(__name__)

Part = TypeVar("Part")

LONGEST_MESSAGE = 2_000
LONGEST_TAG = 500

WITHHELD = "/* withheld by airflow_provider_ryft: it could not be checked for secrets */"

OWN_WORDS = "(withheld: what SQL code says when it raises an exception itself)"

SOURCE = "source:airflow"


class TaskFacts(NamedTuple):
    """What the queries of one try of one task have in common; a fact that is not known is ``None``.

    :param map_index: the position of a mapped task instance; -1 if the task is not mapped
    :param operator: the operator's name, or its decorator's
    :param dag_tags: the DAG's tags, sorted
    """

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    try_number: int | None = None
    map_index: int = -1
    operator: str | None = None
    owner: str | None = None
    dag_tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, task_instance: Any) -> TaskFacts:
        """Read a task instance as the task's process has it, in Airflow 2.11 and 3; never raises.

        :param task_instance: with its ``task``, and that with its ``dag``
        """
        task = _get(task_instance, "task")
        map_index = _get(task_instance, "map_index")
        tags = _get(_get(task, "dag"), "tags")
        return cls(
            dag_id=_text(_get(task_instance, "dag_id")),
            task_id=_text(_get(task_instance, "task_id")),
            run_id=_text(_get(task_instance, "run_id")),
            try_number=_whole(_get(task_instance, "try_number")),
            map_index=-1 if (index := _whole(map_index)) is None else index,
            operator=_text(_get(task, "operator_name")) or _text(_get(task, "task_type")),
            owner=_text(_get(task, "owner")),
            dag_tags=tuple(sorted(filter(None, map(_text, tags)))) if isinstance(tags, (list, tuple, set)) else (),
        )

    def tags(self) -> list[str]:
        """Return the facts as tags, ``name:value``."""
        facts = {
            "dag_id": self.dag_id,
            "task_id": self.task_id,
            "run_id": self.run_id,
            "try_number": self.try_number,
            "map_index": self.map_index if self.map_index >= 0 else None,
            "operator": self.operator,
            "owner": self.owner,
        }
        tags = [f"{name}:{value}" for name, value in facts.items() if value is not None]
        return tags + [f"dag_tag:{tag}" for tag in self.dag_tags]


class ConnectionDetails:
    """What the statements of one hook, in one schema, have in common."""

    __slots__ = ("_connection", "_hook", "_schema", "dialect", "place", "tags")

    def __init__(
        self,
        statement: Statement,
        hook: ref[Any] | None,
        sql_dialect: str | None,
        connection_context: ConnectionContext,
        tags: tuple[str, ...],
    ) -> None:
        self._connection = statement.connection
        self._hook = hook
        self._schema = statement.schema
        self.dialect = sql_dialect
        self.place = connection_context
        self.tags = tags

    def fits(self, statement: Statement) -> bool:
        """Tell whether it was worked out for the statement's very connection and hook, and its schema."""
        hook = None if self._hook is None else self._hook()
        return self._connection is statement.connection and hook is statement.hook and self._schema == statement.schema


class ReportedText:
    """A statement's text on its way out.

    :param reported: as it is reported
    :param redacted: without secrets, and otherwise as it is; ``None`` if it could not be checked
    :param is_delicate: whether an engine that quotes it could tell more than the text may
    :param tags: what was done to it
    """

    __slots__ = ("is_delicate", "redacted", "reported", "tags")

    def __init__(
        self, reported: str, redacted: str | None, *, is_delicate: bool = True, tags: tuple[str, ...] = ()
    ) -> None:
        self.reported = reported
        self.redacted = redacted
        self.is_delicate = is_delicate
        self.tags = tags


class QueryTemplates:
    """What the queries of statements have in common that differ in their text, id and times.

    :param context: the attributes of their context
    :param tags: those that do not depend on how a statement ends
    """

    __slots__ = ("context", "finished", "interrupted", "tags")

    def __init__(self, context: Mapping[str, Any], tags: tuple[str, ...]) -> None:
        self.context = context
        self.tags = tags
        self.finished = QueryTemplate(context=context, query_state=QueryState.FINISHED, tags=tags)
        self.interrupted = QueryTemplate(
            context=context,
            query_state=QueryState.FAILED,
            tags=(*tags, "duration:unknown"),
            failure_info=INTERRUPTED,
        )


class PreparedStatement:
    """What was worked out for a statement when it began; its end needs no more, unless something has changed.

    :param statement: as it is then
    :param connected: what its connection says
    :param known: the secrets that were known
    :param text: its text on its way out
    :param form: what it has in common with others
    """

    __slots__ = (
        "_server_version",
        "_started_at",
        "_written_time",
        "connected",
        "form",
        "known",
        "source",
        "text",
        "written_id",
        "written_text",
    )

    def __init__(
        self,
        statement: Statement,
        connected: ConnectionDetails,
        known: KnownSecrets,
        text: ReportedText,
        form: QueryTemplates,
    ) -> None:
        self.source = statement.text
        self._server_version = statement.server_version
        self.connected = connected
        self.known = known
        self.text = text
        self.form = form
        self.written_id = json_id(_query_id(statement))
        self.written_text = json_text(text.reported)
        self._started_at: datetime | None = None
        self._written_time = ""

    def fit(self, statement: Statement, known: KnownSecrets) -> bool:
        """Tell whether they were worked out for the statement as it is now, and with the secrets that are known now."""
        return (
            self.known is known
            and self.text.redacted is not None
            and self.source == statement.text
            and self._server_version == statement.server_version
            and self.connected.fits(statement)
        )

    def written_time(self, started_at: datetime) -> str:
        """Write when the statement started, once for its beginning and its end."""
        if started_at is not self._started_at:
            self._started_at, self._written_time = started_at, json_time(started_at)
        return self._written_time


class QueryBuilder:
    """Describes the statements of one try of one task; usable from any thread.

    :param settings: the options of ``[ryft]``
    :param facts: the task's
    """

    def __init__(self, settings: Settings, facts: TaskFacts) -> None:
        self._settings = settings
        self._tags = (*facts.tags(), *settings.tags)
        self._connected: dict[str | None, ConnectionDetails] = {}
        self._forms: tuple[KnownSecrets | None, dict[object, QueryTemplates]] = None, {}
        self._running: dict[str, PreparedStatement] = {}
        self.omitted_parts: Counter[str] = Counter()

    def get_ready(self) -> None:
        """Do now what the first statement would have to wait for otherwise."""
        _user_agent()
        redact(SOURCE)

    def build_interrupted(self, statement: Statement) -> bytes:
        """Describe a statement as it is to be reported if the process dies while it runs.

        How long it will have run by then is not known: the query is tagged ``duration:unknown``.

        :param statement: one that runs
        :return: the encoded query
        """
        parts = self._running[statement.query_id] = self._work_out(statement, known_secrets())
        started_at = _aware(statement.started_at)
        form, time = parts.form.interrupted, parts.written_time(started_at)
        return form.encode(parts.written_id, parts.written_text, time, _since(started_at))

    def build_finished(self, statement: Statement) -> bytes:
        """Describe a statement that has ended.

        A duration that is not known is the time since the statement started, and the query is tagged
        ``duration:estimated``.

        :param statement: with its error, if it failed
        :return: the encoded query
        """
        known = known_secrets()
        parts = self._running.pop(statement.query_id, None)
        if parts is None or not parts.fit(statement, known):
            parts = self._work_out(statement, known)
        started_at, duration = _aware(statement.started_at), _duration(statement.duration_ms)
        if statement.error is not None or duration is None:
            return self._odd(statement, parts, started_at, duration)
        query_id = json_id(_query_id(statement)) if statement.engine_id else parts.written_id
        return parts.form.finished.encode(query_id, parts.written_text, parts.written_time(started_at), duration)

    def discard(self, statement: Statement) -> None:
        """Forget a statement that began, and is not to be described after all."""
        self._running.pop(statement.query_id, None)

    def _odd(
        self, statement: Statement, parts: PreparedStatement, started_at: datetime, duration: float | None
    ) -> bytes:
        """Describe a statement that has failed, or whose duration is not known."""
        tags, error = parts.form.tags, statement.error
        stencil = QueryTemplate(
            context=parts.form.context,
            query_state=QueryState.FINISHED if error is None else QueryState.FAILED,
            tags=(*tags, "duration:estimated") if duration is None else tags,
            failure_info=None if error is None else self._failure(error, parts),
        )
        query_id, time = json_id(_query_id(statement)), parts.written_time(started_at)
        return stencil.encode(query_id, parts.written_text, time, _since(started_at) if duration is None else duration)

    def _failure(self, error: BaseException, parts: PreparedStatement) -> Mapping[str, Any]:
        """Return the attributes of what is known of a failure."""
        try:
            # What only a failure needs is imported with the first: most tasks have none.
            from airflow_provider_ryft.failures.classify import failure_info

            failure = failure_info(error)
        except Exception as fault:
            self._leave_out("failure", fault)
            return {"error_type": ErrorType.USER_ERROR}
        attributes = {attribute: getattr(failure, attribute) for attribute in FAILURE}
        return {**attributes, "failure_message": self._message(failure, parts)}

    def _work_out(self, statement: Statement, known: KnownSecrets) -> PreparedStatement:
        connected = self._connection(statement)
        text = self._text(statement.text, connected.dialect, known)
        kind = self._kind(statement.text, connected.dialect)
        form = self._form(statement, connected, known, text.tags, kind)
        return PreparedStatement(statement, connected, known, text, form)

    def _form(
        self,
        statement: Statement,
        connected: ConnectionDetails,
        known: KnownSecrets,
        tags: tuple[str, ...],
        kind: QueryType | None,
    ) -> QueryTemplates:
        """Find the form of a statement among those of its connection, or make it."""
        of, forms = self._forms  # at one stroke, because another thread may know of another secret
        if of is not known or len(forms) >= _MOST_FORMS:
            forms = {}
            self._forms = known, forms
        version, outcome_known = statement.server_version, statement.outcome_known
        key = connected.place, connected.tags, kind, version, outcome_known, tags
        form = forms.get(key)
        if form is None:
            masked = self._masked(connected.place, (*self._tags, *connected.tags))
            connection_context, described = masked or (ConnectionContext(), ("tags:withheld",))
            unknown = () if outcome_known else ("query_state:unknown",)
            form = _make_form(connection_context, kind, _text(version), (SOURCE, *described, *tags, *unknown))
            if masked is not None:
                forms[key] = form
        return form

    def _part(self, name: str, read: Callable[[], Part], otherwise: Part) -> Part:
        """Read one part of a description; if that fails the part is left out, and the rest is reported."""
        try:
            return read()
        except Exception as error:
            self._leave_out(name, error)
            return otherwise

    def _leave_out(self, name: str, error: Exception) -> None:
        # The message of the error may quote what it is about: only its type is told.
        self.omitted_parts[name] += 1
        log.debug("The %s of a statement cannot be told: %s", name, type(error).__name__)

    def _connection(self, statement: Statement) -> ConnectionDetails:
        known = self._connected.get(statement.conn_id)
        if known is None or not known.fits(statement):
            known = self._connected[statement.conn_id] = self._connect(statement)
        return known

    def _connect(self, statement: Statement) -> ConnectionDetails:
        connection, hook, conn_id = statement.connection, statement.hook, statement.conn_id
        spoken = self._part("dialect", lambda: sql_dialect(connection, hook), None)
        found = self._part("context", lambda: connection_context(connection, hook), ConnectionContext())
        if schema := _text(statement.schema):
            found = found._replace(schema=schema)
        conn_type = _text(_get(connection, "conn_type")) or spoken
        found = apply_overrides(found, self._settings.contexts, conn_id, spoken, conn_type)
        tags = {"conn_id": conn_id, "conn_type": conn_type}
        return ConnectionDetails(
            statement,
            self._part("hook", lambda: None if hook is None else ref(hook), None),
            spoken,
            found,
            tuple(f"{name}:{value}" for name, value in tags.items() if value),
        )

    def _text(self, text: str, spoken: str | None, known: KnownSecrets) -> ReportedText:
        """Mask a text, then cut it, so that nothing survives by being cut in half."""
        longest = self._settings.max_query_length
        try:
            head = redact_prefix(text, longest, known)
            reported = self._without_literals(head, spoken) if self._settings.mask_literals else head.text
        except Exception as error:
            self._leave_out("text", error)
            return ReportedText(WITHHELD, None, tags=("query_text:withheld",))
        is_cut = len(text) > longest
        if is_cut:
            mark = f"\n/* cut off by airflow_provider_ryft: it has {len(text)} characters, {longest} are allowed */"
            reported = reported[: longest - len(mark)] + mark
        is_delicate = self._settings.mask_literals or is_cut or head.had_secret
        tags = ("query_text:truncated",) if is_cut else ()
        return ReportedText(reported, head.text, is_delicate=is_delicate, tags=tags)

    def _kind(self, text: str, spoken: str | None) -> QueryType | None:
        """Tell the type of a text; of one that is cut, only if what is cut off can hardly change it."""
        longest = self._settings.max_query_length
        try:
            if len(text) <= longest:
                return query_type(text, spoken)
            kind = query_type(text[:longest], spoken)
            return kind if kind in _OUTRANKED_BY_NONE or _is_one_query(text, kind) else None
        except Exception as error:
            self._leave_out("query type", error)
            return None

    def _without_literals(self, head: RedactedPrefix, spoken: str | None) -> str:
        """Mask the literals of a text that has no secrets any more.

        :raises MaskingError: if a secret took a quote with it, after which nobody can tell code from literals
        """
        if head.removed_delimiters:
            raise MaskingError("a secret has a quote in it")
        from airflow_provider_ryft.sql.masking import mask_literals

        return mask_literals(head.text, spoken)

    def _message(self, failure: FailureInfo, parts: PreparedStatement) -> str | None:
        """Make what an engine said fit to leave: it may quote the statement, whole or in part."""
        message, text = failure.failure_message, parts.text
        if not message:
            return None
        try:
            from airflow_provider_ryft.redaction.error_messages import is_raised_by_sql_code, strip_quoted_values

            if self._settings.mask_literals and is_raised_by_sql_code(failure):
                return OWN_WORDS
            said = redact_prefix(message, _LONGEST_LOOKED_AT).text
            if text.redacted and len(text.redacted) >= _SHORTEST_QUOTED:
                said = said.replace(text.redacted, "(the statement)")
            if text.is_delicate:
                said = strip_quoted_values(said)
            said = _cut(said, LONGEST_MESSAGE)
            return self._without_repeated(said, parts) if self._settings.mask_literals else said
        except Exception as error:
            self._leave_out("failure message", error)
            return WITHHELD

    def _without_repeated(self, message: str, parts: PreparedStatement) -> str:
        """Take from a message what it repeats of a statement's literals.

        :raises MaskingError: if these cannot be told
        """
        if len(parts.source) > self._settings.max_query_length:
            raise MaskingError("the literals of a text that is cut are not known")
        from airflow_provider_ryft.redaction.error_messages import remove_literals
        from airflow_provider_ryft.sql.masking import literals

        left = remove_literals(message, literals(parts.source, parts.connected.dialect))
        if left is None:
            raise MaskingError("a literal is spelt in numbers")
        return left

    def _masked(
        self, connection_context: ConnectionContext, tags: Sequence[str]
    ) -> tuple[ConnectionContext, tuple[str, ...]] | None:
        """Mask all short texts of a description at once; ``None`` if they cannot be checked for secrets."""
        texts = [_bounded(text) for text in (*(part or "" for part in connection_context), *tags)]
        try:
            masked = redact(_BETWEEN.join(texts))
            if masked.count(_BETWEEN) != len(texts) - 1:  # a secret with the separator in it
                masked = _BETWEEN.join(redact(text) for text in texts)
        except MaskingError as error:
            self.omitted_parts["tags and context"] += 1
            log.debug("The tags and the context of a statement are withheld: %s", error)
            return None
        return _split(masked)


_MOST_FORMS = 256
_LONGEST_LOOKED_AT = 1 << 16
_LONGEST_SURVEYED = 1 << 24
_LONGEST_SHORT = 1 << 12
_LONGEST_NAME = 16
_SHORTEST_QUOTED = 12
_BETWEEN = "\0"

INTERRUPTED = {
    "error_type": ErrorType.EXTERNAL,
    "error_name": "TASK_INTERRUPTED",
    "failure_message": "The task's process ended while the statement ran. Whether the engine finished it is not known.",
}


# The values of a large INSERT may well hold a semicolon, and what follows them is hardly another kind of change.
_OUTRANKED_BY_NONE = (QueryType.INSERT, QueryType.MERGE)


def _is_one_query(text: str, kind: QueryType | None) -> bool:
    """Tell whether a text is a single statement, and no ``SELECT ... INTO``, if that is quickly told."""
    if len(text) > _LONGEST_SURVEYED or is_several(text):
        return False
    return kind is not QueryType.SELECT or "into" not in text.lower()


@lru_cache(maxsize=64)  # for a process whose masker does not tell what it knows, so that nothing else can be kept
def _make_form(
    connection_context: ConnectionContext, kind: QueryType | None, server_version: str | None, tags: tuple[str, ...]
) -> QueryTemplates:
    context = {
        **connection_context._asdict(),
        "query_type": kind,
        "server_version": server_version,
        "user_agent": _user_agent(),
    }
    return QueryTemplates(context, tags)


def _split(masked: str) -> tuple[ConnectionContext, tuple[str, ...]]:
    parts = [_cut(text, LONGEST_TAG) for text in masked.split(_BETWEEN)]
    size = len(ConnectionContext._fields)
    return ConnectionContext(*(part or None for part in parts[:size])), tuple(parts[size:])


@cache
def _user_agent() -> str:
    import airflow

    return f"airflow-provider-ryft/{__version__} apache-airflow/{airflow.__version__}"


def _query_id(statement: Statement) -> str:
    return _text(statement.engine_id) or statement.query_id


def _duration(milliseconds: object) -> float | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)):
        return None
    return round(milliseconds, 3) if math.isfinite(milliseconds) and milliseconds >= 0 else None


def _aware(moment: datetime) -> datetime:
    """Take a time without a zone for UTC, which is what Airflow's own times are in."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def _since(moment: datetime) -> float:
    elapsed = (datetime.now(timezone.utc) - moment).total_seconds()
    return round(elapsed * 1000, 3) if elapsed > 0 else 0.0


def _bounded(text: str) -> str:
    """Return a text that is short enough to be masked with every statement; cut, it could end in half a secret."""
    if len(text) > _LONGEST_SHORT:
        name, colon, _ = text[:_LONGEST_NAME].partition(":")
        text = f"{name if colon else ''}{colon}(too long)"
    return text.replace(_BETWEEN, "")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _get(holder: object, name: str) -> Any:
    """Return an attribute, ``None`` if there is none or if it cannot be read."""
    try:
        return getattr(holder, name, None)
    except Exception as error:
        log.debug("%s of %s cannot be read: %s", name, type(holder).__name__, type(error).__name__)
        return None


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, (str, int)) and str(value).strip() else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
