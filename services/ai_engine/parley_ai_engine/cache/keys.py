"""When two questions are the same: all that a model is told is, and the knowledge behind it. Pure.

Exact on purpose. Of the 40 nearest pairs of examples/shop/paraphrases.jsonl by character n-grams, 38 of the Chinese and
all of the English have different answers ("how much is a box of walnut crisps", "calories in a walnut crisp"): a cache
by such a score is wrong long before it is useful, and a Chinese model of meaning does not come with Parley.
"""

import re
import unicodedata
from hashlib import blake2b

from parley_ai_engine.providers.port import Ask

_SPACE = re.compile(r"\s+")
_END = " .。!！?？~～,，"


def key_of(tenant: str, models: str, knowledge: int, ask: Ask) -> str | None:
    """The key of an answer; None for what is never remembered: pictures, tools, shapes, nothing asked.

    The rendered prompt stands in it, and so do language, prompt version, passages, rounds and facts.
    """
    if ask.tools or ask.schema is not None or any(said.pictures or said.calls for said in ask.messages):
        return None
    *told, question = ask.messages
    asked = normalised(question.text)
    if not asked:
        return None
    digest = blake2b(digest_size=16)
    for part in (tenant, models, str(knowledge), *(f"{said.role}:{said.text}" for said in told), asked):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()


def normalised(question: str) -> str:
    """Width, case, spaces and the mark at the end make no difference."""
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", question)).casefold().strip(_END)
