"""Whether a visitor complains, so that the answer begins with understanding instead of rules."""

import re
from typing import Final

_COMPLAINT: Final = re.compile(
    r"投诉|太差|差劲|气死|生气|失望|受骗|骗(人|子|我)|坑(人|我)|垃圾|没人(管|理|回)|不负责|忍无可忍|无语|欺骗|差评|赔偿"
    r"|\b(?:complain\w*|unacceptable|terrible|awful|disgusting|disappoint\w+|furious|angry|ripped off|scam\w*)\b"
    r"|\b(?:rubbish|worst|fed up|ridiculous|outrageous|still waiting|nobody (?:answers|cares|helps))\b",
    re.IGNORECASE,
)


def complains(text: str) -> bool:
    """By its words alone; a question about how complaints work is taken for one too, which does no harm."""
    return bool(_COMPLAINT.search(text))
