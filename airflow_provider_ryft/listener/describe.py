"""A statement, with its task and its connection, as the query that Ryft takes.

What a task and a connection say is worked out once. Whatever else is wrong, the statement is reported: a part that
cannot be read is left out, counted in :attr:`Describer.left_out` and logged at debug level. Only what cannot be checked
for secrets is withheld, and says so.

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
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeVar
from weakref import ref

from airflow_provider_ryft import __version__
from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo, Query, QueryContext, QueryState, QueryType
from airflow_provider_ryft.ingest.stencil import Stencil
from airflow_provider_ryft.listener.contexts import Place, dialect, override, place
from airflow_provider_ryft.listener.secrets import Head, MaskingError, known_secrets, redact, redact_head
from airflow_provider_ryft.listener.statement import Statement
from airflow_provider_ryft.settings import Settings
from airflow_provider_ryft.sql.query_type import query_type

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


class _Connected(NamedTuple):
    """What the statements of one hook, in one schema, have in common."""

    connection: Any
    hook: ref[Any] | None
    schema: str | None
    dialect: str | None
    place: Place
    tags: tuple[str, ...]

    def fits(self, statement: Statement) -> bool:
        """Tell whether it was worked out for the statement's very connection and hook, and its schema."""
        hook = None if self.hook is None else self.hook()
        return self.connection is statement.connection and hook is statement.hook and self.schema == statement.schema


class _Text(NamedTuple):
    """A statement's text on its way out.

    :param reported: as it is reported
    :param redacted: without secrets, and otherwise as it is; ``None`` if it could not be checked
    :param is_delicate: whether an engine that quotes it could tell more than the text may
    :param tags: what was done to it
    """

    reported: str
    redacted: str | None = None
    is_delicate: bool = True
    tags: tuple[str, ...] = ()


class _Forms(NamedTuple):
    """How the queries of statements are written that have all but their text, id and times in common."""

    interrupted: Stencil
    finished: Stencil


class _Parts(NamedTuple):
    """What was worked out for a statement when it began; its end needs no more, unless something has changed.

    :param source: the statement's own text
    :param connected: what its connection says
    :param known: what stands for the secrets that were known
    :param server_version: the engine's version
    :param text: its text on its way out
    :param context: where it runs
    :param tags: those that do not depend on how it ends
    """

    source: str
    connected: _Connected
    known: tuple[object, ...]
    server_version: str | None
    text: _Text
    context: QueryContext
    tags: tuple[str, ...]

    def fit(self, statement: Statement, known: tuple[object, ...]) -> bool:
        """Tell whether they were worked out for the statement as it is now, and with the secrets that are known now."""
        return (
            self.text.redacted is not None
            and self.known == known
            and self.source == statement.text
            and self.server_version == statement.server_version
            and self.connected.fits(statement)
        )


class Describer:
    """Describes the statements of one try of one task; usable from any thread.

    :param settings: the options of ``[ryft]``
    :param facts: the task's
    """

    def __init__(self, settings: Settings, facts: TaskFacts) -> None:
        self._settings = settings
        self._tags = (*facts.tags(), *settings.tags)
        self._connected: dict[str | None, _Connected] = {}
        self._running: dict[str, _Parts] = {}
        self._last_masked: tuple[object, tuple[Place, tuple[str, ...]]] | None = None
        self.left_out: Counter[str] = Counter()

    def begun(self, statement: Statement) -> bytes:
        """Describe a statement as it is to be reported if the process dies while it runs.

        How long it will have run by then is not known: the query is tagged ``duration:unknown``.

        :param statement: one that runs
        :return: the encoded query
        """
        parts = self._running[statement.query_id] = self._work_out(statement, known_secrets())
        form = _forms(parts.context, parts.tags).interrupted
        started_at = _aware(statement.started_at)
        return form.encode(_query_id(statement), parts.text.reported, started_at, _since(started_at))

    def ended(self, statement: Statement) -> bytes:
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
        started_at, duration, tags = _aware(statement.started_at), _duration(statement.duration_ms), parts.tags
        if duration is None:
            duration, tags = _since(started_at), (*tags, "duration:estimated")
        if statement.error is None:
            form = _forms(parts.context, tags).finished
            return form.encode(_query_id(statement), parts.text.reported, started_at, duration)
        return Query(
            context=parts.context,
            query_id=_query_id(statement),
            query=parts.text.reported,
            query_state=QueryState.FAILED,
            timestamp=started_at,
            duration_ms=duration,
            tags=tags,
            failure_info=self._failure(statement.error, parts),
        ).encode()

    def forget(self, statement: Statement) -> None:
        """Forget a statement that began, and is not to be described after all."""
        self._running.pop(statement.query_id, None)

    def _failure(self, error: BaseException, parts: _Parts) -> FailureInfo:
        failure = self._part("failure", lambda: _read_failure(error), _UNKNOWN)
        return replace(failure, failure_message=self._message(failure, parts))

    def _work_out(self, statement: Statement, known: tuple[object, ...]) -> _Parts:
        connected = self._connection(statement)
        text = self._text(statement.text, connected.dialect)
        kind = self._part("query type", lambda: self._kind(statement.text, connected.dialect), None)
        where, described = self._masked_once(connected, known)
        version = statement.server_version
        return _Parts(
            source=statement.text,
            connected=connected,
            known=known,
            server_version=version,
            text=text,
            context=_context(where, kind, _text(version)),
            tags=(SOURCE, *described, *text.tags, *(() if statement.outcome_known else ("query_state:unknown",))),
        )

    def _part(self, name: str, read: Callable[[], Part], otherwise: Part) -> Part:
        """Read one part of a description; if that fails the part is left out, and the rest is reported."""
        try:
            return read()
        except Exception as error:
            # The message of the error may quote what it is about: only its type is told.
            self.left_out[name] += 1
            log.debug("The %s of a statement cannot be told: %s", name, type(error).__name__)
            return otherwise

    def _connection(self, statement: Statement) -> _Connected:
        known = self._connected.get(statement.conn_id)
        if known is None or not known.fits(statement):
            known = self._connected[statement.conn_id] = self._connect(statement)
        return known

    def _connect(self, statement: Statement) -> _Connected:
        connection, hook, conn_id = statement.connection, statement.hook, statement.conn_id
        spoken = self._part("dialect", lambda: dialect(connection, hook), None)
        found = self._part("context", lambda: place(connection, hook), Place())
        if schema := _text(statement.schema):
            found = found._replace(schema=schema)
        conn_type = _text(_get(connection, "conn_type")) or spoken
        found = override(found, self._settings.contexts, conn_id, spoken, conn_type)
        tags = {"conn_id": conn_id, "conn_type": conn_type}
        return _Connected(
            connection,
            self._part("hook", lambda: None if hook is None else ref(hook), None),
            statement.schema,
            spoken,
            found,
            tuple(f"{name}:{value}" for name, value in tags.items() if value),
        )

    def _masked_once(self, connected: _Connected, known: tuple[object, ...]) -> tuple[Place, tuple[str, ...]]:
        """Return :meth:`_masked`: the same for all statements of a connection, until a secret becomes known."""
        asked = (connected.place, connected.tags, known)
        last = self._last_masked
        if last is None or last[0] != asked or last[1] == _UNTOLD:
            last = self._last_masked = (asked, self._masked(connected.place, (*self._tags, *connected.tags)))
        return last[1]

    def _text(self, text: str, spoken: str | None) -> _Text:
        """Mask a text, then cut it, so that nothing survives by being cut in half."""
        longest = self._settings.max_query_length
        try:
            head = redact_head(text, longest)
            reported = self._without_literals(head, spoken) if self._settings.mask_literals else head.text
        except Exception as error:
            self.left_out["text"] += 1
            log.debug("The text of a statement is withheld: %s", type(error).__name__)
            return _Text(WITHHELD, tags=("query_text:withheld",))
        is_cut = len(text) > longest
        if is_cut:
            mark = f"\n/* cut off by airflow_provider_ryft: it has {len(text)} characters, {longest} are allowed */"
            reported = reported[: longest - len(mark)] + mark
        is_delicate = self._settings.mask_literals or is_cut or head.had_secret
        return _Text(reported, head.text, is_delicate, ("query_text:truncated",) if is_cut else ())

    def _kind(self, text: str, spoken: str | None) -> QueryType | None:
        """Tell the type of a text; of one that is cut, only if what is cut off can hardly change it."""
        longest = self._settings.max_query_length
        if len(text) <= longest:
            return query_type(text, spoken)
        kind = query_type(text[:longest], spoken)
        return kind if kind in _OUTRANKED_BY_NONE or _is_one_query(text, kind) else None

    def _without_literals(self, head: Head, spoken: str | None) -> str:
        """Mask the literals of a text that has no secrets any more.

        :raises MaskingError: if a secret took a quote with it, after which nobody can tell code from literals
        """
        if head.took_code:
            raise MaskingError("a secret has a quote in it")
        from airflow_provider_ryft.sql.masking import mask_literals

        return mask_literals(head.text, spoken)

    def _message(self, failure: FailureInfo, parts: _Parts) -> str | None:
        """Make what an engine said fit to leave: it may quote the statement, whole or in part."""
        message, text = failure.failure_message, parts.text
        if not message:
            return None
        try:
            from airflow_provider_ryft.listener.discretion import discreet, is_in_own_words

            if self._settings.mask_literals and is_in_own_words(failure):
                return OWN_WORDS
            said = redact_head(message, _LONGEST_LOOKED_AT).text
            if text.redacted and len(text.redacted) >= _SHORTEST_QUOTED:
                said = said.replace(text.redacted, "(the statement)")
            if text.is_delicate:
                said = discreet(said)
            said = _cut(said, LONGEST_MESSAGE)
            return self._without_repeated(said, parts) if self._settings.mask_literals else said
        except Exception as error:
            self.left_out["failure message"] += 1
            log.debug("A failure message is withheld: %s", type(error).__name__)
            return WITHHELD

    def _without_repeated(self, message: str, parts: _Parts) -> str:
        """Take from a message what it repeats of a statement's literals.

        :raises MaskingError: if these cannot be told
        """
        if len(parts.source) > self._settings.max_query_length:
            raise MaskingError("the literals of a text that is cut are not known")
        from airflow_provider_ryft.listener.discretion import unrepeated
        from airflow_provider_ryft.sql.masking import literals

        left = unrepeated(message, literals(parts.source, parts.connected.dialect))
        if left is None:
            raise MaskingError("a literal is spelt in numbers")
        return left

    def _masked(self, place: Place, tags: Sequence[str]) -> tuple[Place, tuple[str, ...]]:
        """Mask all short texts of a description at once; what cannot be checked for secrets is left out."""
        texts = [_bounded(text) for text in (*(part or "" for part in place), *tags)]
        try:
            masked = redact(_BETWEEN.join(texts))
            if masked.count(_BETWEEN) != len(texts) - 1:  # a secret with the separator in it
                masked = _BETWEEN.join(redact(text) for text in texts)
        except MaskingError as error:
            self.left_out["tags and context"] += 1
            log.debug("The tags and the context of a statement are withheld: %s", error)
            return _UNTOLD
        return _split(masked)


_UNTOLD = Place(), ("tags:withheld",)

_LONGEST_LOOKED_AT = 1 << 16
_LONGEST_SURVEYED = 1 << 24
_LONGEST_SHORT = 1 << 12
_LONGEST_NAME = 16
_SHORTEST_QUOTED = 12
_BETWEEN = "\0"

_UNKNOWN = FailureInfo(error_type=ErrorType.USER_ERROR)
_INTERRUPTED = FailureInfo(
    error_type=ErrorType.EXTERNAL,
    error_name="TASK_INTERRUPTED",
    failure_message="The task's process ended while the statement ran. Whether the engine finished it is not known.",
)


# The values of a large INSERT may well hold a semicolon, and what follows them is hardly another kind of change.
_OUTRANKED_BY_NONE = (QueryType.INSERT, QueryType.MERGE)


def _is_one_query(text: str, kind: QueryType | None) -> bool:
    """Tell whether a text is a single statement, and no ``SELECT ... INTO``, if that is quickly told."""
    if len(text) > _LONGEST_SURVEYED:
        return False
    end = text.find(";")
    if end >= 0 and text[end:].strip("; \t\r\n"):
        return False
    return kind is not QueryType.SELECT or "into" not in text.lower()


def _read_failure(error: BaseException) -> FailureInfo:
    # What only a failure needs is imported with the first: most tasks have none.
    from airflow_provider_ryft.listener.failures import failure_info

    return failure_info(error)


# These are the same for the statements of a connection, unless Airflow learns another secret.
@lru_cache(maxsize=64)
def _split(masked: str) -> tuple[Place, tuple[str, ...]]:
    parts = [_cut(text, LONGEST_TAG) for text in masked.split(_BETWEEN)]
    size = len(Place._fields)
    return Place(*(part or None for part in parts[:size])), tuple(parts[size:])


@lru_cache(maxsize=64)
def _context(where: Place, kind: QueryType | None, server_version: str | None) -> QueryContext:
    return QueryContext(
        catalog=where.catalog,
        schema=where.schema,
        query_type=kind,
        server_version=server_version,
        user=where.user,
        user_agent=_user_agent(),
    )


@lru_cache(maxsize=64)
def _forms(context: QueryContext, tags: tuple[str, ...]) -> _Forms:
    return _Forms(
        Stencil(
            context=context,
            query_state=QueryState.FAILED,
            tags=(*tags, "duration:unknown"),
            failure_info=_INTERRUPTED,
        ),
        Stencil(context=context, query_state=QueryState.FINISHED, tags=tags),
    )


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
    elapsed = (datetime.now(timezone.utc) - _aware(moment)).total_seconds() * 1000
    return round(max(elapsed, 0.0), 3)


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
