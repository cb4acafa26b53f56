"""What the stand-in answers, and from which sources. A question chooses by a word in it."""

from typing import Any

Frame = dict[str, Any]

RETURNS = {
    "title": "Returns",
    "document_id": "doc_returns",
    "version": 3,
    "place": "How to return",
    "passage": "You can return any item within 30 days of delivery. We pay the postage if the item was faulty.",
    "uri": "",
}
REFUNDS_ZH = {
    "title": "退货与退款",
    "document_id": "doc_refunds_zh",
    "version": 2,
    "place": "退款时间",
    "passage": "我们收到退货后会在 3 个工作日内检查商品，并将款项退回原支付账户。",
    "uri": "",
}
DELIVERY = {
    "title": "Delivery",
    "document_id": "doc_delivery",
    "version": 1,
    "place": "",
    "passage": "Standard delivery takes two to four working days.",
    "uri": "https://shop.example/delivery",
}

_IN_CHINESE = "退款会在收到退货后的 **3 个工作日**内原路退回。\n\n- 银行卡：1 到 3 天\n- 余额：当天"
_COMPARED = "Returns are free within 30 days [1]. Delivery takes two to four working days [2]."
_IN_ENGLISH = (
    "You can return any item within **30 days** of delivery. We pay the postage if the item was faulty.\n\n"
    "1. Open **My orders** and choose `Return`.\n2. Print the label.\n3. Drop the parcel at a post office."
)


def answer_to(question: str) -> tuple[str, Frame] | None:
    """Text and facts of the reply; None where the knowledge does not cover the question."""
    if "unknown" in question or "火星" in question:
        return None
    if "退款" in question:
        return _IN_CHINESE, {"origin": "extractive", "sources": [REFUNDS_ZH]}
    if "compare" in question:
        return _COMPARED, {"origin": "llm", "ai_generated": True, "sources": [RETURNS, DELIVERY]}
    return _IN_ENGLISH, {"origin": "extractive", "sources": [RETURNS]}
