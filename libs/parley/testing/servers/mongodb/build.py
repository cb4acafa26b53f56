"""Fetch and compile the Java server once per checkout, into `.servers/`."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parley.testing.servers.process import ServerMissing

SOURCE = Path(__file__).parent
CACHE = SOURCE.parents[4] / ".servers" / "mongodb"
MAIN = "MongoForTests"
FETCH_SECONDS = 600


def class_path() -> str:
    """The class path of `MongoForTests`, built when it is not there. Raises ServerMissing naming what to install."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone():
        if not _is_built():
            _build()
    return f"{CACHE}:{CACHE / 'jars'}/*"


def java() -> str:
    """The `java` command. Raises ServerMissing."""
    return _command("java", "default-jdk-headless")


def _is_built() -> bool:
    stamp = CACHE / "built"
    newest = max(file.stat().st_mtime for file in (SOURCE / "pom.xml", SOURCE / f"{MAIN}.java"))
    return stamp.exists() and stamp.stat().st_mtime >= newest


def _build() -> None:
    jars = CACHE / "jars"
    shutil.rmtree(jars, ignore_errors=True)
    fetch = [_command("mvn", "maven"), "-B", "-q", "-f", str(SOURCE / "pom.xml"), "dependency:copy-dependencies"]
    _run([*fetch, f"-DoutputDirectory={jars}"])
    javac = _command("javac", "default-jdk-headless")
    _run([javac, "-cp", f"{jars}/*", "-d", str(CACHE), str(SOURCE / f"{MAIN}.java")])
    (CACHE / "built").touch()


def _command(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ServerMissing(
            f"no `{name}` for the MongoDB-protocol server: run `apt-get install maven default-jdk-headless` "
            f"(it is in {package}), or give a server by PARLEY_TEST_DATABASE_URL"
        )
    return found


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    if done.returncode:
        raise ServerMissing(f"{' '.join(command)} failed: {(done.stdout + done.stderr)[-2000:]}")


@contextmanager
def _alone() -> Iterator[None]:
    """Two test runs of one checkout must not build into the same folder."""
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
