"""The decoder process: reads pictures on stdin, writes their encodings to stdout. Started as `python -m …worker BYTES`.

It holds no secret, may write no file, and may use no more memory than it was given; its parent ends it when it is late.
"""

import contextlib
import resource
import signal
import sys
import warnings
from typing import Any

from PIL import Image

from parley_media.transcode.decode import frame_count, frames, jpeg_tables, open_picture, still
from parley_media.transcode.encode import Encoded, encode_animation, encode_still
from parley_media.transcode.limits import LIMITS, Limits
from parley_media.transcode.problems import NOT_AN_IMAGE, SAVE_AGAIN, TOO_COMPLEX, Unusable
from parley_media.transcode.wire import packed, read_frame

OPEN_FILES = 16


def main() -> None:
    """Answer one frame with one frame, until stdin ends."""
    restrict_this_process(int(sys.argv[1]))
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        header, bodies = frame
        sys.stdout.buffer.write(answer(bodies[0], str(header["format"])))
        sys.stdout.buffer.flush()


def restrict_this_process(memory: int) -> None:
    """Bound what a hostile picture can take: memory in bytes, no files, no core dumps."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when we end
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    with contextlib.suppress(ValueError, OSError):  # macOS knows no such limit; the deadline holds there too
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def answer(content: bytes, format_name: str, limits: Limits = LIMITS) -> bytes:
    """The frame that tells what became of one picture."""
    try:
        header, encoded = transcode(content, format_name, limits)
    except Unusable as problem:
        return packed({"refused": problem.code, "sentence": problem.sentence})
    except MemoryError:
        return packed({"refused": TOO_COMPLEX, "sentence": "the picture needs too much memory; make it smaller"})
    except Exception as error:  # noqa: BLE001 - decoders of four formats raise what they like on a damaged file
        return packed(
            {"refused": NOT_AN_IMAGE, "sentence": f"the file cannot be decoded; {SAVE_AGAIN}", "error": repr(error)}
        )
    return packed(header, [each.content for each in encoded])


def transcode(content: bytes, format_name: str, limits: Limits) -> tuple[dict[str, Any], list[Encoded]]:
    """Size, frames and types, and the encodings. Raises Unusable, or whatever a decoder raises."""
    picture = open_picture(content, format_name, limits)
    count = frame_count(picture)
    if count > 1:
        moving = list(frames(picture))
        encoded, size = encode_animation(moving, limits=limits), moving[0][0].size
    else:
        upright = still(picture)
        encoded = encode_still(upright, tables=jpeg_tables(picture), limits=limits)
        size = upright.size
    types = [each.mime_type for each in encoded]
    return {"width": size[0], "height": size[1], "frames": count, "types": types}, encoded


if __name__ == "__main__":
    main()
