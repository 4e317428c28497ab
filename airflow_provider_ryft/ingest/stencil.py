"""Queries that are alike, written faster than one by one."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_ryft.ingest.query import FailureInfo, Number, Query, QueryContext, QueryState

_GAPS = ("query_id", "query", "timestamp", "duration_ms")


class Stencil:
    """What many queries have in common, checked and written once; what it lacks is checked and written for each.

    :param context: where they ran
    :param query_state: how they ended
    :param tags: their labels
    :param failure_info: why they failed
    :raises InvalidQueryError: for a value that the API would not take
    """

    __slots__ = ("_form", "_keys")

    def __init__(
        self,
        *,
        context: QueryContext,
        query_state: QueryState,
        tags: tuple[str, ...] = (),
        failure_info: FailureInfo | None = None,
    ) -> None:
        alike = Query(
            context=context,
            query_id="?",
            query="",
            query_state=query_state,
            timestamp=datetime(1970, 1, 1, tzinfo=timezone.utc),
            duration_ms=0,
            tags=tags,
            failure_info=failure_info,
        )
        pieces = {attribute: piece.replace("%", "%%") for attribute, piece in alike.pieces().items()}
        keys = [Query.key(attribute) for attribute in _GAPS]
        pieces.update(zip(_GAPS, (f'"{key.path}":%s' for key in keys), strict=True))
        self._form = f"{{{','.join(pieces.values())}}}"
        self._keys = keys

    def encode(self, query_id: str, query: str, timestamp: datetime, duration_ms: Number) -> bytes:
        """Return one query as :meth:`Query.encode` would.

        :raises InvalidQueryError: for a value that the API would not take
        """
        of_id, of_text, of_time, of_duration = self._keys
        return (
            self._form
            % (
                of_id.write(of_id.check(of_id.path, query_id)),
                of_text.write(of_text.check(of_text.path, query)),
                of_time.write(of_time.check(of_time.path, timestamp)),
                of_duration.write(of_duration.check(of_duration.path, duration_ms)),
            )
        ).encode()
