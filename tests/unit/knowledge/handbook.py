"""A small handbook in two languages, and ways to search it without a store."""

from parley_knowledge.documents import Draft, Record, content_hash_of, document_id_of
from parley_knowledge.index import Shelf, Snapshot
from parley_knowledge.ingest import chunks_of
from parley_knowledge.text import language_from

RETURNS_ZH = Draft(
    "handbook/zh/returns.md", "退货与退款", "签收后七天内可以无理由退货。\n\n退款会在三个工作日内原路退回。"
)
DELIVERY_ZH = Draft("handbook/zh/delivery.md", "配送", "普通快递两到四天送达。满九十九元包邮。")
RETURNS_EN = Draft(
    "handbook/en/returns.md",
    "Returns",
    "You may return an item within 30 days of delivery. Refunds reach your card within five working days.",
)
HOURS_EN = Draft("handbook/en/hours.md", "Opening hours", "Our shops open at 9 am and close at 8 pm, Sundays included.")
HANDBOOK = (RETURNS_ZH, DELIVERY_ZH, RETURNS_EN, HOURS_EN)


def a_draft(text: str = "门店每天九点开门。", *, uri: str = "handbook/营业时间.md", title: str = "营业时间") -> Draft:
    return Draft(uri, title, text)


def a_record(draft: Draft, *, tenant: str = "demo", version: int = 1, chunk_set: str = "set_1") -> Record:
    return Record(
        tenant_id=tenant,
        document_id=document_id_of(draft.uri),
        uri=draft.uri,
        title=draft.title,
        language=language_from(draft.language, draft.text),
        version=version,
        content_hash=content_hash_of(draft),
        chunk_set=chunk_set,
        chunk_count=len(chunks_of(draft.text, draft.title)),
    )


def a_snapshot(*drafts: Draft) -> Snapshot:
    added = [(a_record(draft), chunks_of(draft.text, draft.title)) for draft in drafts or HANDBOOK]
    return Shelf().change(added, [], 1)
