"""What a question asks about: its concepts, and its words without those that every question has."""

import re
from functools import cache, lru_cache
from typing import Final

from parley_knowledge.index import normalised, terms, thesaurus
from parley_knowledge.text import CJK

# Words of asking, politeness and the speaker. They say that something is asked, never what.
# Single characters that also begin or end words of content (会 in 会员, 都 in 成都) are not among them.
_CHINESE: Final = (
    "请问 麻烦 谢谢 你好 您好 你们 您们 我们 咱们 他们 你家 我家 我的 我想 我要 我能 我可以 "
    "什么 什么时候 什么样 怎么 怎么样 怎么办 怎么弄 怎样 如何 为什么 为何 "
    "咋 咋样 咋办 咋弄 啥 啥时候 多少 多久 多长时间 "
    "哪里 哪儿 哪些 哪个 哪种 哪天 上哪 去哪 "
    "是不是 能不能 可不可以 行不行 有没有 要不要 会不会 是否 能否 可以 可不 行吗 好吗 对吗 "
    "一下 一个 这个 那个 这种 那种 这些 那些 这样 那样 想要 需要 应该 的话 如果 然后 但是 因为 所以 还是 或者 以及 "
    "的 了 吗 呢 吧 啊 呀 嘛 么 我 你 您 这 那 哪 吗"
)
_QUESTION_WORDS = re.compile("|".join(sorted(set(_CHINESE.split()), key=len, reverse=True)))
_CJK = re.compile(f"[{CJK}]")
_ENGLISH: Final = (
    "a an the this that these those i me my mine we us our you your yours he she it its they them their there "
    "here is are was were be been being am do does did doing done have has had having can could will would shall "
    "should may might must what which who whom whose when where why how if so as of at by for from in into on "
    "onto to with about and or but not no yes please thanks thank hello hi hey get got any some just also too "
    "very than then don't doesn't didn't can't won't isn't aren't i'm i've i'd i'll you're it's that's what's "
    "there's im ive id ill dont doesnt didnt cant wont isnt arent thats whats theres wheres hows u ur pls plz "
    "guys oops ok okay now still much many long"
)
# How often a term counts in a search. What is asked about outweighs how it is asked; concepts outweigh words, since
# each stands for a handful of them.
CONTENT_WEIGHT: Final = 2
CONCEPT_WEIGHT: Final = 4


@lru_cache(maxsize=256)  # one search asks several times; a customer's words are kept no longer than 256 questions
def weighted_terms(query: str) -> tuple[str, ...]:
    """What is looked up: every word, those of content again, and the concepts that they name."""
    words = _telling(terms(_QUESTION_WORDS.sub(" ", normalised(query))))
    concepts = dict.fromkeys(thesaurus().concepts(query))
    return (*terms(query), *CONTENT_WEIGHT * list(words), *CONCEPT_WEIGHT * list(concepts))


@lru_cache(maxsize=4096)  # of questions, and of the titles that are weighed against them
def content_terms(query: str) -> tuple[str, ...]:
    """What an answer should hold: the concepts named, and the telling words that name none; never nothing."""
    chinese, left = thesaurus().chinese_in(normalised(query))
    english, words = thesaurus().english_in(terms(_QUESTION_WORDS.sub(" ", left)))
    found = dict.fromkeys([*chinese, *english, *_telling(words)])
    return tuple(found) or tuple(dict.fromkeys(terms(query)))


def _telling(words: list[str]) -> dict[str, None]:
    """Without empty words, and without Chinese characters that also stand in a bigram: by itself each says little."""
    covered = {character for word in words if len(word) == 2 and _CJK.match(word) for character in word}
    return dict.fromkeys(word for word in words if word not in covered and word not in _empty_words())


@cache
def _empty_words() -> frozenset[str]:
    return frozenset(terms(_ENGLISH))
