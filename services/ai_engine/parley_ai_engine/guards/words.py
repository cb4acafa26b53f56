"""Stops an answer before a listed word is shown, also when the word comes in pieces. Pure."""

import unicodedata
from collections.abc import Iterable
from typing import Final

import ahocorasick  # type: ignore[import-not-found]  # compiled, without stubs

INVISIBLE: Final = {"\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad"}


class Blocked(Exception):
    """A listed word was about to be shown; `guard` names who stopped it, never the word."""

    def __init__(self, guard: str) -> None:
        super().__init__(guard)
        self.guard = guard


class WordList:
    """The listed words, without regard to case, width and invisible characters. Latin ones only as whole words."""

    def __init__(self, words: Iterable[str]) -> None:
        self._trie = ahocorasick.Automaton()
        for word in words:
            if folded := "".join(map(fold, word.strip())):
                self._trie.add_word(folded, folded)
        self._any = len(self._trie) > 0
        if self._any:
            self._trie.make_automaton()

    def begins(self, text: str) -> bool:
        """Whether some word begins like this."""
        return self._any and bool(self._trie.match(text))

    def found(self, text: str, before: str, *, complete: bool) -> bool:
        """Whether a word is in the text. `before` is the character before it; `complete` that nothing follows."""
        if not self._any:
            return False
        return any(self._stands(text, end, word, before, complete) for end, word in self._trie.iter(text))

    @staticmethod
    def _stands(text: str, end: int, word: str, before: str, complete: bool) -> bool:
        left = (text[: end - len(word) + 1] or before)[-1:]
        right = text[end + 1 : end + 2]
        if _latin(word[0]) and _latin(left):
            return False
        return not _latin(word[-1]) or (not _latin(right) and (bool(right) or complete))


class WordFilter:
    """One answer on its way. Holds back only what could still become a listed word."""

    def __init__(self, words: WordList, name: str = "words") -> None:
        self._words = words
        self._name = name
        self._held: list[str] = []  # characters as they came
        self._before = ""

    def write(self, text: str) -> str:
        """What may be shown now. Raises Blocked."""
        self._held += text
        return self._pass(complete=False)

    def finish(self) -> str:
        """The rest. Raises Blocked."""
        return self._pass(complete=True)

    def _pass(self, *, complete: bool) -> str:
        folded = [fold(character) for character in self._held]
        if self._words.found("".join(folded), self._before, complete=complete):
            raise Blocked(self._name)
        keep = len(folded) if complete else self._open_at(folded)
        ready, self._held = self._held[:keep], self._held[keep:]
        self._before = next((one[-1] for one in reversed(folded[:keep]) if one), self._before)
        return "".join(ready)

    def _open_at(self, folded: list[str]) -> int:
        """Where the longest ending begins that some word begins with."""
        return next(
            (at for at in range(len(folded)) if folded[at] and self._words.begins("".join(folded[at:]))), len(folded)
        )


def fold(character: str) -> str:
    """As it is compared; nothing for what cannot be seen."""
    return "" if character in INVISIBLE else unicodedata.normalize("NFKC", character).casefold()


def _latin(text: str) -> bool:
    return bool(text) and text.isascii() and text.isalnum()
