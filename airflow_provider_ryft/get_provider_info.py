"""The provider's metadata for Airflow.

Airflow reads this while it is still reading its own configuration (that is how options come to have defaults), so it is
one literal and imports nothing. What it repeats of the rest of the package is tested to agree.
"""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, as Airflow's ``provider_info.schema.json`` has it."""
    return {
        "package-name": "airflow-provider-ryft",
        "name": "Ryft",
        "description": "Reports the SQL that Airflow runs to `Ryft <https://ryft.io>`__.",
        "integrations": [
            {
                "integration-name": "Ryft",
                "external-doc-url": "https://ryft.io",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": "Ryft", "python-modules": ["airflow_provider_ryft.hooks.ryft"]}],
        "operators": [{"integration-name": "Ryft", "python-modules": ["airflow_provider_ryft.operators.ryft"]}],
        "cli": ["airflow_provider_ryft.cli.definition.airflow_commands"],
        "connection-types": [
            {
                "connection-type": "ryft",
                "hook-class-name": "airflow_provider_ryft.hooks.ryft.RyftIngestHook",
                "hook-name": "Ryft",
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "schema"],
                    "relabeling": {"host": "Address", "password": "Ingest token"},
                    "placeholders": {
                        "host": "https://ingest.ryft.io",
                        "password": "the token that Ryft gave you",
                    },
                },
                "conn-fields": {
                    "connect_timeout": {
                        "label": "Connect timeout",
                        "description": "Seconds for opening a connection; 5 if empty.",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
                    },
                    "read_timeout": {
                        "label": "Read timeout",
                        "description": "Seconds between two bytes of an answer; 30 if empty.",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
                    },
                    "deadline": {
                        "label": "Deadline",
                        "description": "Seconds for one batch, with its retries and waits; 60 if empty.",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
                    },
                    "max_batch_count": {
                        "label": "Queries in a batch",
                        "description": "Queries in one request; 500 if empty.",
                        "schema": {"type": ["integer", "null"], "minimum": 1},
                    },
                    "max_batch_bytes": {
                        "label": "Bytes in a batch",
                        "description": "Bytes of one request; 1048576 if empty.",
                        "schema": {"type": ["integer", "null"], "minimum": 1},
                    },
                    "verify": {
                        "label": "Verify",
                        "description": "Path of a CA bundle, or false to trust any certificate; true if empty.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "proxies": {
                        "label": "Proxy",
                        "description": "Address of a proxy, or JSON of proxies by scheme; the environment's if empty.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "allow_http": {
                        "label": "Allow http",
                        "description": "Send the token over plain http to other machines, where others can read it.",
                        "schema": {"type": ["boolean", "null"], "default": False},
                    },
                },
            }
        ],
        "config": {
            "ryft": {
                "description": "How the queries of Airflow's tasks are reported to Ryft.",
                "options": {
                    "disabled": {
                        "description": "Report nothing: no listener is registered and nothing is observed.",
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": None,
                        "default": "False",
                        "sensitive": False,
                    },
                    "conn_id": {
                        "description": "The Airflow connection of type ``ryft`` that holds the ingest token.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "ryft_prod",
                        "default": "ryft_default",
                        "sensitive": False,
                    },
                    "tags": {
                        "description": (
                            "Tags for every query, in addition to those of its DAG and task: a JSON list, or texts "
                            "separated by commas."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "env:prod, team:data",
                        "default": "",
                        "sensitive": False,
                    },
                    "contexts": {
                        "description": (
                            "The catalog, schema and user to report, by connection id or connection type, as JSON. "
                            "What is given here goes before what the connection says; null leaves the field out."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": '{"trino_default": {"catalog": "lake", "schema": "gold", "user": "etl"}}',
                        "default": "",
                        "sensitive": False,
                    },
                    "mask_literals": {
                        "description": (
                            "Replace the literals of every statement, and what its failure message quotes, before it "
                            "leaves."
                        ),
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": None,
                        "default": "False",
                        "sensitive": False,
                    },
                    "max_query_length": {
                        "description": (
                            "Characters of a statement that are reported; the rest is cut off, and the query is tagged"
                            " as truncated."
                        ),
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": "100000",
                        "default": "1048576",
                        "sensitive": False,
                    },
                    "exclude_dags": {
                        "description": (
                            "DAG ids whose queries are not reported: patterns such as ``test_*``, separated by commas."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "test_*, sandbox",
                        "default": "",
                        "sensitive": False,
                    },
                    "exclude_operators": {
                        "description": (
                            "Operators whose queries are not reported: patterns of the class name, its full path, or a"
                            " decorator's name, separated by commas."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "BranchSQLOperator, my_package.*",
                        "default": "",
                        "sensitive": False,
                    },
                    "exclude_connections": {
                        "description": "Connection ids whose queries are not reported: patterns separated by commas.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "hr_*, payroll",
                        "default": "",
                        "sensitive": False,
                    },
                    "exclude_connection_types": {
                        "description": "Connection types whose queries are not reported: patterns separated by commas.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "sqlite, duckdb",
                        "default": "",
                        "sensitive": False,
                    },
                    "selective_enable": {
                        "description": "Report only DAGs and tasks that were given to ``enable_ryft`` in their code.",
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": None,
                        "default": "False",
                        "sensitive": False,
                    },
                    "outbox_path": {
                        "description": (
                            "Where queries wait that are not delivered yet: a folder, or, where disks do not last, a "
                            "place in an object store such as ``s3://conn_id@bucket/ryft``; ``ryft-outbox`` in "
                            "Airflow's home if empty."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/var/lib/airflow/ryft-outbox",
                        "default": "",
                        "sensitive": False,
                    },
                    "outbox_max_bytes": {
                        "description": "Bytes that the outbox may hold; the oldest queries are dropped first.",
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": None,
                        "default": "268435456",
                        "sensitive": False,
                    },
                    "outbox_max_age": {
                        "description": "Seconds after which an undelivered query is dropped.",
                        "version_added": "0.1.0",
                        "type": "float",
                        "example": None,
                        "default": "604800",
                        "sensitive": False,
                    },
                    "delivery_timeout": {
                        "description": (
                            "Seconds that the end of a task may take for delivering its queries; at most 15."
                        ),
                        "version_added": "0.1.0",
                        "type": "float",
                        "example": None,
                        "default": "4",
                        "sensitive": False,
                    },
                    "delivery": {
                        "description": (
                            "``inline`` delivers at the end of each task; ``outbox`` leaves it to ``airflow ryft "
                            "outbox ship`` or a DAG."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "outbox",
                        "default": "inline",
                        "sensitive": False,
                    },
                },
            }
        },
    }
