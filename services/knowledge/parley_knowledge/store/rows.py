"""Records and labels as both stores write them."""

import json
from typing import Any, Final

from parley_knowledge.documents import Labels, Record

# What is stored of a content beside its tenant; `version` and `source` belong to the releases.
COLUMNS: Final = (
    "chunk_set", "document_id", "uri", "title", "language", "content_hash", "chunk_count",
)  # fmt: skip


def labels_json(labels: Labels) -> str:
    """Only what is set."""
    values = {
        "audiences": labels.audiences,
        "channels": labels.channels,
        "valid_from": labels.valid_from,
        "valid_until": labels.valid_until,
    }
    return json.dumps({name: value for name, value in values.items() if value}, ensure_ascii=False)


def labels_of(text: str) -> Labels:
    """The reverse."""
    found = json.loads(text)
    return Labels(
        tuple(found.get("audiences", ())),
        tuple(found.get("channels", ())),
        found.get("valid_from", 0.0),
        found.get("valid_until", 0.0),
    )


def record_of(tenant: str, values: dict[str, Any], labels: str) -> Record:
    """A record from its columns."""
    return Record(tenant_id=tenant, version=0, labels=labels_of(labels), **values)
