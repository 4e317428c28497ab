"""What Airflow is told about this provider.

Airflow reads this while it is still reading its own configuration (that is how options come to have defaults), so it is
one literal and imports nothing. Each fact that also stands elsewhere in the package is tested to agree.
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
    }
