"""Knowledge versions: each release says which documents change, and all releases folded say what is live. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Change:
    """What a release does to one document."""

    document_id: str
    uri: str
    chunk_set: str  # names the content that becomes live; empty where the document is removed
    version: int  # of the document; the same content has the same one for ever
    source: str = ""  # the folder or site that it follows


@dataclass(frozen=True, slots=True)
class Release:
    """A knowledge version: numbered from 1 without gaps, never changed once it is there."""

    tenant_id: str
    number: int
    at: float  # unix seconds
    changes: tuple[Change, ...]
    author: str = ""
    note: str = ""
    proposal_id: str = ""  # the draft that it came from


class State(StrEnum):
    """Where a proposal stands. Only what is not over may be added to, published or dropped."""

    DRAFT = "draft"
    REVIEW = "review"
    LIVE = "live"
    DROPPED = "dropped"

    @property
    def over(self) -> bool:
        """Whether nothing will come of it any more."""
        return self in {State.LIVE, State.DROPPED}


@dataclass(frozen=True, slots=True)
class Proposal:
    """Documents on their way to be live: together, once somebody publishes them."""

    tenant_id: str
    proposal_id: str
    at: float  # unix seconds
    author: str = ""
    note: str = ""
    state: State = State.DRAFT
    number: int = 0  # of the release that it became; 0 where it changed nothing


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be live of one document."""

    document_id: str
    uri: str
    chunk_set: str  # empty: the document should be gone
    source: str = ""  # empty: as it is


@dataclass(frozen=True, slots=True)
class Difference:
    """One document that differs between two versions; `before` or `after` is None where it is not there."""

    before: Change | None
    after: Change | None

    @property
    def uri(self) -> str:
        """Of the document."""
        found = self.after or self.before
        return found.uri if found else ""


@dataclass(slots=True)
class History:
    """The releases of one tenant, folded in the order of their numbers."""

    number: int = 0
    live: dict[str, Change] = field(default_factory=dict)
    releases: list[Release] = field(default_factory=list)
    _past: dict[str, list[tuple[int, Change]]] = field(default_factory=lambda: defaultdict(list))
    _versions: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))

    def apply(self, release: Release) -> None:
        """Take in the next release; one that is in already changes nothing. Raises ValueError for a gap."""
        if release.number <= self.number:
            return
        if release.number != self.number + 1:
            raise ValueError(f"release {release.number} comes after {self.number}: one is missing between them")
        for change in release.changes:
            self._take(release.number, change)
        self.number = release.number
        self.releases.append(release)

    def _take(self, number: int, change: Change) -> None:
        self._past[change.document_id].append((number, change))
        if change.chunk_set:
            self.live[change.document_id] = change
            self._versions[change.document_id].setdefault(change.chunk_set, change.version)
        else:
            self.live.pop(change.document_id, None)

    def at(self, number: int) -> dict[str, Change]:
        """What was live in a version."""
        if number == self.number:
            return dict(self.live)
        found = (self._standing(past, number) for past in self._past.values())
        return {change.document_id: change for change in found if change and change.chunk_set}

    def changes_for(self, wanted: Iterable[Wanted]) -> tuple[Change, ...]:
        """What has to change for these to be live; what is so already is left out."""
        found = (self._change(one) for one in wanted)
        return tuple(change for change in found if change is not None)

    def changes_back_to(self, number: int) -> tuple[Change, ...]:
        """What has to change for everything to be as it was in a version."""
        then = self.at(number)
        back = [change for key, change in then.items() if self.live.get(key) != change]
        gone = [Wanted(key, change.uri, "") for key, change in self.live.items() if key not in then]
        return (*back, *self.changes_for(gone))

    def _change(self, wanted: Wanted) -> Change | None:
        stands = self.live.get(wanted.document_id)
        source = wanted.source or (stands.source if stands else "")
        if stands is None and not wanted.chunk_set:
            return None
        if stands and (stands.chunk_set, stands.source) == (wanted.chunk_set, source):
            return None
        return Change(wanted.document_id, wanted.uri, wanted.chunk_set, self._version(wanted), source)

    def _version(self, wanted: Wanted) -> int:
        known = self._versions.get(wanted.document_id, {})
        if not wanted.chunk_set:
            return self.live[wanted.document_id].version
        return known.get(wanted.chunk_set) or max(known.values(), default=0) + 1

    @staticmethod
    def _standing(past: list[tuple[int, Change]], number: int) -> Change | None:
        position = bisect_right(past, number, key=lambda one: one[0])
        return past[position - 1][1] if position else None


def differences(before: Mapping[str, Change], after: Mapping[str, Change]) -> list[Difference]:
    """The documents that are not the same, in the order of their uris."""
    keys = before.keys() | after.keys()
    found = [Difference(before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]
    return sorted(found, key=lambda one: one.uri)
