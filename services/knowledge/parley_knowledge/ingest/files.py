"""From paths to documents: which files there are, what each is called, and what it holds."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.charset import decode
from parley_knowledge.ingest.json_records import read_json
from parley_knowledge.ingest.markdown import escaped, first_heading, split_front_matter
from parley_knowledge.ingest.refusal import Refusal, Refused

MAX_FILE_BYTES: Final = 10 * 1024 * 1024
MAX_TEXT_BYTES: Final = 5 * 1024 * 1024  # of one document; a message of gRPC holds no more


@dataclass(frozen=True, slots=True)
class Found:
    """A file, and the name that its documents have: the folder it was found in, then the way to it."""

    path: Path
    uri: str


def walk(path: Path) -> Iterator[Found]:
    """All files under a path in the order of their names. Hidden ones are left out, linked folders are not entered."""
    if path.is_file():
        yield Found(path, path.name)
        return
    root = path.resolve()
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in files if not name.startswith(".")):
            found = Path(folder, name)
            yield Found(found, uri_in(root, found))


def uri_in(root: Path, path: Path) -> str:
    """The name of a file's document: `handbook/zh/returns.md`, wherever the folder `handbook` lies."""
    return f"{root.name}/{path.relative_to(root).as_posix()}"


def read_file(found: Found) -> Iterator[Draft | Refusal]:
    """The documents of one file, or why there are none. Raises nothing."""
    try:
        reader = _READERS.get(found.path.suffix.lower())
        if reader is None:
            raise Refused(f"is of a kind that is not read; these are: {', '.join(sorted(_READERS))}")
        yield from map(_checked, reader(_text(found.path), found))
    except Refused as refused:
        yield Refusal(found.uri, str(refused))
    except OSError as error:
        yield Refusal(found.uri, f"cannot be read: {error.strerror or error}")


def readable(path: Path) -> bool:
    """Whether a file of this name is read at all."""
    return path.suffix.lower() in _READERS and not any(part.startswith(".") for part in path.parts[-1:])


def _text(path: Path) -> str:
    size = path.stat().st_size
    if not path.is_file():
        raise Refused("is not a regular file")
    if size > MAX_FILE_BYTES:
        raise Refused(f"is larger than 10 MB ({size / 1024 / 1024:.1f} MB); split it")
    return decode(path.read_bytes())


def _checked(draft: Draft | Refusal) -> Draft | Refusal:
    if isinstance(draft, Draft) and len(draft.text.encode()) > MAX_TEXT_BYTES:
        return Refusal(draft.uri, "holds more than 5 MB of text in one document; split it")
    return draft


def _markdown(text: str, found: Found) -> Iterable[Draft | Refusal]:
    values, body = split_front_matter(text)
    title = values.get("title") or first_heading(body) or _title_of(found.path)
    if not body.strip():
        raise Refused("has front matter and no text")
    return [Draft(found.uri, title.strip(), body, values.get("language") or values.get("lang") or "")]


def _plain(text: str, found: Found) -> Iterable[Draft | Refusal]:
    return [Draft(found.uri, _title_of(found.path), escaped(text))]


def _json(text: str, found: Found) -> Iterable[Draft | Refusal]:
    return read_json(text, found.uri, _title_of(found.path))


def _json_lines(text: str, found: Found) -> Iterable[Draft | Refusal]:
    return read_json(text, found.uri, _title_of(found.path), lines=True)


def _title_of(path: Path) -> str:
    return path.stem.replace("_", " ").replace("-", " ").strip() or path.name


_READERS: Final[dict[str, Callable[[str, Found], Iterable[Draft | Refusal]]]] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".markdown": _markdown,
    ".md": _markdown,
    ".txt": _plain,
}
