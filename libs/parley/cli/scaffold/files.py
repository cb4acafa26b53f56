"""The files of a new service, from templates."""

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from parley.cli.scaffold.names import ServiceName
from parley.cli.scaffold.project import with_service
from parley.core import Conflict, Invalid

PROJECT = "pyproject.toml"


def create_service(root: Path, name: ServiceName) -> list[Path]:
    """Write the folder and its test below `root`, then register them; returns the paths below `root`.

    Raises Invalid when `root` is no checkout of Parley, Conflict when anything of that name exists; then nothing
    is changed.
    """
    project = root / PROJECT
    if not project.is_file() or not (root / "services").is_dir():
        raise Invalid(f"{root} is no checkout of Parley: pyproject.toml or services/ is missing; give --root PATH")
    registered = with_service(project.read_text(encoding="utf-8"), name)
    contents = _contents(name)
    _refuse_existing(root, name)
    for path, content in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    _replace(project, registered)
    return [Path(path) for path in contents]


def _contents(name: ServiceName) -> Mapping[str, str]:
    folder, package = f"services/{name.snake}", f"services/{name.snake}/{name.package}"
    places = {
        "__init__.py.txt": f"{package}/__init__.py",
        "service.py.txt": f"{package}/service.py",
        "settings.py.txt": f"{package}/settings.py",
        "README.md.txt": f"{folder}/README.md",
        "test_service.py.txt": f"tests/unit/{name.snake}/test_{name.snake}.py",
    }
    words = {
        "name": name.kebab,
        "snake": name.snake,
        "package": name.package,
        "title": name.title,
        "upper": name.snake.upper(),
    }
    templates = files("parley.cli.scaffold") / "templates"
    written = {
        place: Template((templates / template).read_text(encoding="utf-8")).substitute(words)
        for template, place in places.items()
    }
    return {f"{package}/py.typed": "", **written}


def _refuse_existing(root: Path, name: ServiceName) -> None:
    for place in (f"services/{name.snake}", f"tests/unit/{name.snake}"):
        if (root / place).exists():
            raise Conflict(f"{place} exists already; choose another name, or remove it first")


def _replace(path: Path, content: str) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(content, encoding="utf-8")
    os.replace(draft, path)
