"""What a question asks about: its terms without the words that every question has."""

import re
from functools import cache
from typing import Final

from parley_knowledge.index import normalised, terms

# Words of asking, politeness and the speaker. They say that something is asked, never what.
_CHINESE: Final = (
    "请问一下|请问|麻烦|你们|您们|我们|咱们|他们|你好|您好|谢谢|为什么|什么时候|什么|怎么样|怎么办|怎么|怎样|如何|"
    "多少|多久|哪里|哪儿|哪些|哪个|哪种|哪|是不是|能不能|可不可以|可以|能否|是否|有没有|要不要|会不会|一下|一个|这个|那个|"
    "这种|那种|这些|那些|这|那|我想要|我想|想要|需要|应该|我的|我|你|您|的话|如果|的|了|吗|呢|吧|啊|呀|么|嘛|和|与|跟|把|被|就|都|也|还|"
    "是|在|有|会|能|要|想|对|给|让|请|为|之|其|及|或|等"
)
_QUESTION_WORDS = re.compile(f"(?:{_CHINESE})")
_ENGLISH: Final = (
    "a an the this that these those i me my mine we us our you your yours he she it its they them their there "
    "here is are was were be been being am do does did doing done have has had having can could will would shall "
    "should may might must what which who whom whose when where why how if so as of at by for from in into on "
    "onto to with about and or but not no yes please thanks thank hello hi hey get got any some just also too "
    "very than then don't doesn't didn't can't won't isn't aren't i'm i've i'd i'll you're it's that's what's "
    "there's"
)


@cache
def _empty_words() -> frozenset[str]:
    return frozenset(terms(_ENGLISH))


def content_terms(query: str, language: str) -> list[str]:
    """The distinct terms that an answer should hold; all of the query's where nothing else is left."""
    text = normalised(query)
    found = dict.fromkeys(_chinese(text) if language == "zh" else _english(text))
    return list(found) or list(dict.fromkeys(terms(text)))


def _chinese(text: str) -> list[str]:
    """Bigrams, and single characters only where they stand alone: a character by itself says little."""
    found = terms(_QUESTION_WORDS.sub(" ", text))
    covered = {character for term in found if len(term) == 2 for character in term}
    return [term for term in found if term not in covered and term not in _empty_words()]


def _english(text: str) -> list[str]:
    return [term for term in terms(text) if term not in _empty_words()]
