"""What a model is told: answer from the passages only, in the visitor's language, or say that it cannot. Pure.

Each part has its budget, and all together never more than the limit: passages half of it, the question a fifth, the
rules what they are, and the last rounds whatever is left, the newest first.
"""

from typing import Final

from parley_ai_engine.admission.estimate import PER_MESSAGE, clip, tokens_of
from parley_ai_engine.pipeline.evidence import Evidence
from parley_ai_engine.pipeline.prompts import Prompt, passages
from parley_ai_engine.pipeline.turn import Turn
from parley_ai_engine.providers.port import Ask, Said

SENTINEL = "NOT_SURE"  # what the model says instead of guessing; never shown
ROUNDS: Final = 6
_LANGUAGE: Final = {
    "zh": {"zh": "简体中文", "en": "英文"},
    "en": {"zh": "Simplified Chinese", "en": "English"},
}


def prompt_for(turn: Turn, evidence: Evidence, language: str, prompt: Prompt, limit: int) -> Ask:
    """The rules with the passages, the last rounds, the question; `limit` is in tokens, of everything that is sent."""
    question = clip(turn.question, limit // 5)
    left = limit - tokens_of(question) - 2 * PER_MESSAGE
    rules = _rules(evidence, language, prompt, most=left, share=limit // 2)
    left -= tokens_of(rules)
    recent: list[Said] = []
    for role, text in reversed(turn.recent[-ROUNDS:]):
        left -= tokens_of(text) + PER_MESSAGE
        if left < 0:
            break
        recent.insert(0, Said(role, text))
    return Ask((Said("system", rules), *recent, Said("user", question)))


def _rules(evidence: Evidence, language: str, prompt: Prompt, *, most: int, share: int) -> str:
    """The rules with as many passages as there is room for, the best first; a template that is too long is cut."""
    texts: list[tuple[str, str]] = []
    for source in evidence.passages:
        text = clip(source.passage, share)
        share -= tokens_of(text) + tokens_of(source.title)
        if share < 0 and texts:
            break
        texts.append((source.title, text))
    tongue = prompt.label.split(" ")[0].rpartition(".")[2]
    names = _LANGUAGE.get(tongue, _LANGUAGE["en"])
    told = names.get(language, "the language of the question")
    rules = prompt.render(language=told, sentinel=SENTINEL, passages=passages(texts))
    while tokens_of(rules) > most and texts:
        texts.pop()
        rules = prompt.render(language=told, sentinel=SENTINEL, passages=passages(texts))
    return clip(rules, most)
