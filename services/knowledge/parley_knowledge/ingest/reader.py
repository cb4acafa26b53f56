"""The process that files are read in: told of one file after the other, it answers in lines of JSON.

Started as `python -I -m parley_knowledge.ingest.reader MEBIBYTES`. It has little memory, writes no file, opens no
connection and starts nothing: what a hostile file makes a parser do ends here.
"""

import json
import resource
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TextIO

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.formats import Found, formats
from parley_knowledge.ingest.refusal import Refusal, Refused

_FORBIDDEN: Final = frozenset({"socket.connect", "socket.bind", "subprocess.Popen", "os.exec", "os.fork", "os.system"})


def _forbid(event: str, _: tuple[Any, ...]) -> None:
    if event in _FORBIDDEN:
        raise PermissionError(f"a file's reader may not do {event}")


def _read(found: Found) -> Iterator[Draft | Refusal]:
    try:
        yield from formats()[found.path.suffix.lower()].read(found)
    except Refused as refused:
        yield Refusal(found.uri, str(refused))
    except MemoryError:
        yield Refusal(found.uri, "needs more memory to be read than a file may take; split it")
    except OSError as error:
        yield Refusal(found.uri, f"cannot be read: {error.strerror or error}")
    except Exception as error:  # noqa: BLE001 - parsers raise whatever a broken file makes them meet
        yield Refusal(found.uri, f"is broken: {type(error).__name__} {str(error)[:200]}".strip())


def main() -> None:
    """Answer until there is nothing more to read."""
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]) << 20, int(sys.argv[1]) << 20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    formats()
    answers, sys.stdout = sys.stdout, sys.stderr  # what a parser prints is no answer
    sys.addaudithook(_forbid)
    for line in sys.stdin:
        path, uri = json.loads(line)
        _answer(answers, Found(Path(path), uri))


def _answer(answers: TextIO, found: Found) -> None:
    for one in _read(found):
        values = {name: value for name, value in asdict(one).items() if name != "labels"}  # whoever ingests sets them
        answers.write(json.dumps([isinstance(one, Draft), values]) + "\n")
    answers.write("\n")
    answers.flush()


if __name__ == "__main__":
    main()
