"""From paths to documents: which files there are, what each is called, and what it holds."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.formats import Found, formats
from parley_knowledge.ingest.refusal import Refusal, Refused

MAX_TEXT_BYTES: Final = 5 * 1024 * 1024  # of one document; a message of gRPC holds no more


def walk(path: Path) -> Iterator[Found]:
    """All files under a path in the order of their names. Hidden ones are left out, linked folders are not entered."""
    if path.is_file():
        yield Found(path, path.name)
        return
    root = path.resolve()
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in files if not name.startswith((".", "~$"))):
            found = Path(folder, name)
            yield Found(found, uri_in(root, found))


def uri_in(root: Path, path: Path) -> str:
    """The name of a file's document: `handbook/zh/returns.md`, wherever the folder `handbook` lies."""
    return f"{root.name}/{path.relative_to(root).as_posix()}"


def read_with(found: Found, confined: Callable[[Found], Iterable[Draft | Refusal]]) -> Iterator[Draft | Refusal]:
    """The documents of one file, or why there are none. Raises nothing. `confined` reads what may do harm."""
    try:
        one = formats().get(found.path.suffix.lower())
        if one is None:
            raise Refused(f"is of a kind that is not read; these are: {kinds()}")
        yield from map(_checked, (confined if one.confined else one.read)(found))
    except Refused as refused:
        yield Refusal(found.uri, str(refused))
    except OSError as error:
        yield Refusal(found.uri, f"cannot be read: {error.strerror or error}")


def readable(path: Path) -> bool:
    """Whether a file of this name is read at all."""
    return path.suffix.lower() in formats() and not path.name.startswith((".", "~$"))


def kinds() -> str:
    """The suffixes of all that is read."""
    return ", ".join(sorted(formats()))


def _checked(draft: Draft | Refusal) -> Draft | Refusal:
    if isinstance(draft, Draft) and len(draft.text.encode()) > MAX_TEXT_BYTES:
        return Refusal(draft.uri, "holds more than 5 MB of text in one document; split it")
    return draft
