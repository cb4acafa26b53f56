"""What needs no knowledge: courtesies, and the wish for a person. First match wins.

Matched against the whole message, so that a question which merely begins with a greeting is still a question.
"""

import re
from dataclasses import dataclass
from typing import Final

_END = r"[\s,，.。!！~～?？]*$"


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern and what it leads to: a reply by language, or a handoff."""

    name: str
    pattern: re.Pattern[str]
    replies: dict[str, str]
    handoff: bool = False


def _whole(words: str) -> re.Pattern[str]:
    return re.compile(rf"^\s*({words}){_END}", re.IGNORECASE)


_PERSON = re.compile(
    r"(转|找|要|叫|接|换)(一?[个位名])?(人工|真人|客服人员)|人工(客服|服务)|^\s*(人工|真人|客服)[\s!！。]*$"
    r"|\b(talk|speak|chat)\s+(to|with)\s+(a\s+|an\s+|some)?(real\s+)?(human|person|agent|someone|representative)"
    r"|\b(real|live)\s+(human|person|agent)\b|^\s*(human|agent|operator|representative)(\s+please)?[\s.!]*$",
    re.IGNORECASE,
)

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "asked_for_person",
        _PERSON,
        {"zh": "好的，我请一位同事来接手，请稍候。", "en": "Of course. A person will take over; please wait a moment."},
        handoff=True,
    ),
    Rule(
        "greeting",
        _whole(
            r"你好|您好|嗨|哈喽|在吗|在么|早上好|下午好|晚上好|hi|hello|hey|good (morning|afternoon|evening)|hi there"
        ),
        {"zh": "您好！请问有什么可以帮您？", "en": "Hello! How can I help?"},
    ),
    Rule(
        "thanks",
        _whole(r"谢谢|谢谢你|谢谢您|多谢|感谢|好的谢谢|thanks|thank you|thanks a lot|thx|ok thanks|great,? thanks"),
        {"zh": "不客气，还有问题随时告诉我。", "en": "You're welcome. Just write if there is anything else."},
    ),
    Rule(
        "goodbye",
        _whole(r"再见|拜拜|回头见|bye|goodbye|see you"),
        {"zh": "再见，祝您愉快！", "en": "Goodbye, and have a good day!"},
    ),
)


def matching_rule(text: str) -> Rule | None:
    """The first rule that fits, if any."""
    return next((rule for rule in RULES if rule.pattern.search(text)), None)


NOT_SURE: Final = {
    "zh": "这个问题我没有把握，不想随便回答。我不知道准确答案，会请一位同事来接手，请稍候。",
    "en": "I don't know this one, and I will not guess. A person will take over.",
}
