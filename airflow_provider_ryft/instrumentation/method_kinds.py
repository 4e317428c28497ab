"""What a hook's method does, from its name and its bytecode."""

from __future__ import annotations

from types import CodeType

from airflow_provider_ryft.capture.method_kind import MethodKind

_CHUNK_METHODS = frozenset({"get_df_by_chunks", "get_pandas_df_by_chunks"})
_ROW_METHODS = frozenset({"bulk_insert_rows", "insert_rows"})
_SCRIPT_METHODS = frozenset({"get_results", "to_csv"})
_STATEMENT_METHODS = frozenset(
    {"bulk_dump", "bulk_load", "copy_expert", "export_to_file", "get_df", "get_pandas_df", "get_polars_df"}
)
# These run what they are given through ``_run_command``, unless their code says otherwise.
_RUN_METHODS = frozenset({"get_first", "get_records", "run"})

# They report to hook lineage what they submit; how it ends is another method's work.
_SUBMITTERS = frozenset({("SnowflakeSqlApiHook", "execute_query")})

LINEAGE = "send_sql_hook_lineage"


def method_kind(hook_class: str, method: str, names: set[str]) -> MethodKind | None:
    """Return what a public method does; ``None`` if it runs no statements.

    :param names: what the code of the method names
    """
    reports_lineage = LINEAGE in names
    if (hook_class, method) in _SUBMITTERS:
        return MethodKind.SUBMIT
    if "send_hook_lineage_for_bq_job" in names or (hook_class, method) == ("BigQueryHook", "get_df"):
        return MethodKind.JOB
    if method in _CHUNK_METHODS:
        return MethodKind.CHUNKS
    if method in _ROW_METHODS:
        return MethodKind.ROWS
    if method in _SCRIPT_METHODS:
        return MethodKind.SCRIPT
    if method in _STATEMENT_METHODS:
        return MethodKind.STATEMENT
    if method not in _RUN_METHODS:
        return MethodKind.SCRIPT if reports_lineage else None
    if "_run_command" in names or not (reports_lineage or "execute" in names):
        return MethodKind.DELEGATE
    if method != "run":
        return MethodKind.STATEMENT
    return MethodKind.SCRIPT if reports_lineage else MethodKind.BATCH


def names_in(code: CodeType) -> set[str]:
    """Return the global names and the attributes that some code uses."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= names_in(constant)
    return names
