"""Registers a service in pyproject.toml: whatever the file says of the tutorial, it then says of the new one too.

The text is edited, not written anew, so that its comments and order stay; the result is read back before it is used.
"""

import re
import tomllib

from parley.cli.scaffold.names import ServiceName
from parley.core import Conflict, Invalid

TUTORIAL = ServiceName("hello")
_MENTION = re.compile(r"(?<![\w-])(services/hello|parley_hello|hello)(?![\w-])")
_ITEM = re.compile(r'\s*"[^"]*"\s*,?\s*')
_ENTRY = re.compile(r'\s*(?P<key>"[^"]+"|[\w.-]+)\s*=\s*(?P<value>.*?)\s*')
_INLINE_ITEM = re.compile(r'"[^"]*"')


def with_service(pyproject: str, name: ServiceName) -> str:
    """The file with the new service. Raises Conflict when it is there already, Invalid when it cannot be edited."""
    if name.kebab in _services(pyproject):
        raise Conflict(f'pyproject.toml already has a service "{name.kebab}"; choose another name')
    edited = "".join(_with_mirror(line, name) for line in pyproject.splitlines(keepends=True))
    if _services(edited).get(name.kebab) != f"{name.package}.service:service" or not _is_packaged(edited, name):
        raise Invalid(
            "pyproject.toml does not list the hello service, on whose lines those of a new service are modelled; "
            f'add by hand {name.kebab} = "{name.package}.service:service" under '
            f'[project.entry-points."parley.services"], and "services/{name.snake}/{name.package}" under '
            "[tool.hatch.build.targets.wheel]"
        )
    return edited


def _with_mirror(line: str, name: ServiceName) -> str:
    if line.lstrip().startswith("#") or not _MENTION.search(line):
        return line
    if _ITEM.fullmatch(line):
        ended = line if line.rstrip().endswith(",") else line.rstrip() + ",\n"
        return ended + _renamed(line, name)
    entry = _ENTRY.fullmatch(line)
    if entry is None:
        return line
    if entry["value"].startswith("[") and entry["value"].endswith("]") and not _MENTION.search(entry["key"]):
        return _INLINE_ITEM.sub(lambda item: _beside(item[0], name), line)
    return line + ("" if line.endswith("\n") else "\n") + _renamed(line, name)


def _beside(item: str, name: ServiceName) -> str:
    return f"{item}, {_renamed(item, name)}" if _MENTION.search(item) else item


def _renamed(text: str, name: ServiceName) -> str:
    new = {"services/hello": f"services/{name.snake}", "parley_hello": name.package, "hello": name.kebab}
    return _MENTION.sub(lambda mention: new[mention[0]], text)


def _services(pyproject: str) -> dict[str, str]:
    try:
        project = tomllib.loads(pyproject).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"pyproject.toml cannot be read ({error}); mend it first") from None
    found: dict[str, str] = project.get("entry-points", {}).get("parley.services", {})
    return found


def _is_packaged(pyproject: str, name: ServiceName) -> bool:
    build = tomllib.loads(pyproject).get("tool", {}).get("hatch", {}).get("build", {})
    return f"services/{name.snake}/{name.package}" in build.get("targets", {}).get("wheel", {}).get("packages", [])
