"""Reads the text in a picture with a program such as tesseract: the picture on stdin, its text on stdout."""

import asyncio
import shlex
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from parley.core import SettingsError, Unavailable
from parley_media.processes import gone, kill
from parley_media.recognise.port import Recognition

LONGEST_TEXT = 20_000  # characters


class CommandRecogniser:
    """One run of the program per picture."""

    def __init__(self, command: str, seconds: float) -> None:
        """Raises SettingsError when there is no such program."""
        self._command = shlex.split(command)
        self._seconds = seconds
        if not self._command or shutil.which(self._command[0]) is None:
            raise SettingsError(
                f'PARLEY_MEDIA_OCR_COMMAND is "{command}", and there is no such program; '
                "install it, or leave the variable empty"
            )
        self.method = Path(self._command[0]).name

    async def recognise(self, content: bytes) -> Recognition:
        """Run the program. Raises Unavailable when it fails or takes too long."""
        process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        try:
            async with asyncio.timeout(self._seconds):
                printed, _ = await process.communicate(content)
        except TimeoutError:
            raise Unavailable(f"{self.method} took more than {self._seconds:g} s; try again later.") from None
        finally:
            kill(process)
            await asyncio.shield(gone(process))
        if process.returncode != 0:
            raise Unavailable(f"{self.method} ended with status {process.returncode}; see PARLEY_MEDIA_OCR_COMMAND.")
        return Recognition(text=printed.decode(errors="replace").strip()[:LONGEST_TEXT], method=self.method)
