"""Operators that push a DAG's own queries to Ryft, and send what tasks could not deliver."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_ryft import configured_outbox, settings
from airflow_provider_ryft.exceptions import ConfigurationError, DeliveryError, InvalidQueryError, RefusedQueriesError
from airflow_provider_ryft.hooks.ryft import RyftIngestHook
from airflow_provider_ryft.ingest.query import Query, QueryContext
from airflow_provider_ryft.shipping.shipper import ship_outbox

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_ryft.results import PushResult

# Root of the ids of queries that came without one. Never change it: a retry must find the ids of the first try.
_NAMESPACE = uuid.UUID("5d1c0bb2-3a0e-5f0f-9a3b-6f1d8a4f2c11")

_MAX_LISTED = 20
_ON_REFUSED = ("fail", "skip")


class RyftPushQueriesOperator(BaseOperator):
    """Push queries to Ryft.

    All queries are checked before the first byte is sent. One that has no ``queryId`` gets one that stays the same over
    retries of the task; one that has no ``context`` gets an empty one.

    :param queries: a query, or several: payloads of the Ingest API,
        :class:`~airflow_provider_ryft.ingest.query.Query` objects, JSON text of one or several, or the output of
        another task (templated)
    :param tags: tags that each query gets before its own (templated)
    :param context: fields of the API's ``context`` for the queries that do not have them (templated)
    :param on_refused: what to do when the server refuses single queries: ``fail`` (after all others were delivered) or
        ``skip`` (and log them)
    :param ryft_conn_id: the Airflow connection with the ingest token (templated)
    :return: as XCom, how many queries were ``accepted`` and ``refused``, the first ``refused_ids``, and the
        ``requests``, ``retries``, ``bytes`` and ``seconds`` it took
    :raises InvalidQueryError: if a query is not one that the API takes; all of them are listed
    :raises DeliveryError: if queries could not be delivered
    :raises RefusedQueriesError: if the server refused some, and ``on_refused`` is ``fail``
    """

    template_fields: Sequence[str] = ("queries", "tags", "context", "ryft_conn_id")
    template_fields_renderers = {"queries": "json", "context": "json"}  # noqa: RUF012  # as in BaseOperator
    ui_color = "#d7ecff"

    def __init__(
        self,
        *,
        queries: Any,
        tags: Sequence[str] = (),
        context: Mapping[str, Any] | None = None,
        on_refused: str = "fail",
        ryft_conn_id: str = RyftIngestHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if on_refused not in _ON_REFUSED:
            raise ConfigurationError(f"on_refused must be one of {', '.join(_ON_REFUSED)}, not {on_refused!r}")
        self.queries = queries
        self.tags = tags
        self.context = context
        self.on_refused = on_refused
        self.ryft_conn_id = ryft_conn_id

    @cached_property
    def hook(self) -> RyftIngestHook:
        """The hook of the connection."""
        return RyftIngestHook(self.ryft_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        """Check all queries and deliver them; return how many were accepted and refused."""
        queries = self._checked(_several(self.queries), _identity(context["ti"]))
        with self.hook.get_conn():
            result = self.hook.push_queries(queries)
        self._log_summary(result)
        if result.refused and self.on_refused == "fail":
            head = "".join(f"\n  {refused.query_id}: {refused.message}" for refused in result.refused[:_MAX_LISTED])
            raise RefusedQueriesError(
                f"Ryft accepted {result.accepted} queries and refused {len(result.refused)}; the first of these:{head}",
                result,
            )
        return {
            "accepted": result.accepted,
            "refused": len(result.refused),
            "refused_ids": [refused.query_id for refused in result.refused[:_MAX_LISTED]],
            "requests": result.requests,
            "retries": result.retries,
            "bytes": result.bytes,
            "seconds": round(result.seconds, 3),
        }

    def _checked(self, given: Iterable[object], identity: str) -> list[Query]:
        """Make each of the given values a query, or list everything that is wrong with them."""
        tags = _default_tags(self.tags)
        defaults = QueryContext.from_payload({} if self.context is None else self.context).to_payload()
        queries: list[Query] = []
        wrong: list[str] = []
        for position, value in enumerate(given):
            try:
                queries.append(_query(value, tags, defaults, f"{identity}/{position}"))
            except InvalidQueryError as error:
                wrong.append(f"queries[{position}] {error}")
        if wrong:
            total = len(wrong) + len(queries)
            raise InvalidQueryError(
                "", f"{len(wrong)} of {total} queries are not valid; nothing was sent.\n" + "\n".join(wrong)
            )
        return queries

    def _log_summary(self, result: PushResult) -> None:
        self.log.info(
            "Ryft accepted %d queries and refused %d, in %d requests (%d of them retries, %d bytes, %.1f s).",
            result.accepted,
            len(result.refused),
            result.requests,
            result.retries,
            result.bytes,
            result.seconds,
        )
        if self.on_refused == "skip":
            for refused in result.refused[:_MAX_LISTED]:
                self.log.warning("Ryft refused query %s (%d): %s", refused.query_id, refused.status, refused.message)


class RyftShipOutboxOperator(BaseOperator):
    """Send the queries that tasks on this machine could not deliver, and those of tasks that were killed.

    The next task that delivers its own queries sends some of them too; this operator sends all. Run it on each machine
    that runs tasks (``queue``), unless they share an outbox. Where that is in an object store one task sends for all:
    let there be one at a time (``max_active_runs=1``), because two may both send a query, with the same id.

    :param path: the outbox, a folder or the URL of a place in an object store; that of ``[ryft] outbox_path`` if not
        given (templated)
    :param timeout: seconds for all of it
    :param ryft_conn_id: the Airflow connection with the ingest token (templated)
    :return: as XCom, how many queries were ``accepted`` and ``refused``, and how many are ``left``
    :raises DeliveryError: if the server would not take what is left
    """

    template_fields: Sequence[str] = ("path", "ryft_conn_id")
    ui_color = "#d7ecff"

    def __init__(
        self,
        *,
        path: str | None = None,
        timeout: float = 300.0,
        ryft_conn_id: str = RyftIngestHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.timeout = timeout
        self.ryft_conn_id = ryft_conn_id

    def execute(self, context: Context) -> dict[str, int]:  # noqa: ARG002  # the base class's argument
        """Send what is there, orphans of killed tasks included."""
        outbox = configured_outbox.find(self.path, settings.read())
        shipped = ship_outbox(outbox, RyftIngestHook(self.ryft_conn_id).get_conn, deadline=self.timeout)
        left = outbox.stats().ready.queries
        self.log.info(
            "Ryft accepted %d queries from %s and refused %d; %d are left.",
            shipped.accepted,
            outbox.path,
            shipped.refused,
            left,
        )
        if left and shipped.problem:
            raise DeliveryError(f"{left} queries are left in {outbox.path}: {shipped.problem}")
        return {"accepted": shipped.accepted, "refused": shipped.refused, "left": left}


def _several(queries: object) -> Iterable[object]:
    """Return what was given as an iterable of single queries."""
    if isinstance(queries, str):
        try:
            queries = json.loads(queries)
        except ValueError as error:
            raise InvalidQueryError("queries", f"is text, but not JSON: {error}") from None
    if isinstance(queries, (Mapping, Query)):
        return [queries]
    if isinstance(queries, Iterable) and not isinstance(queries, (str, bytes)):
        return queries
    raise InvalidQueryError(
        "queries", f"must be a query, a list of queries or JSON text of them, not {type(queries).__name__}"
    )


def _query(value: object, tags: Sequence[str], context: Mapping[str, Any], identity: str) -> Query:
    """Make one query of a payload or a query, with the defaults for what it does not say."""
    if isinstance(value, Query):
        merged = QueryContext.from_payload({**context, **value.context.to_payload()})
        return replace(value, context=merged, tags=_merged(tags, value.tags))
    if not isinstance(value, Mapping):
        return Query.from_payload(value)  # type: ignore[arg-type]  # which says what is wrong with it
    payload = {"queryId": str(uuid.uuid5(_NAMESPACE, identity)), "context": {}, **value}
    if isinstance(payload["context"], Mapping):
        payload["context"] = {**context, **payload["context"]}
    query = Query.from_payload(payload)
    return replace(query, tags=_merged(tags, query.tags))


def _default_tags(tags: object) -> list[str]:
    if not isinstance(tags, (list, tuple)) or not all(isinstance(tag, str) for tag in tags):
        raise InvalidQueryError("tags", f"must be a list of texts, not {tags!r:.80}")
    return list(tags)


def _merged(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *second]))


def _identity(task_instance: Any) -> str:
    """Name the place of a task in a run; the same for each of its tries."""
    ti = task_instance
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"
