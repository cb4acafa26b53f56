"""`parley prompts`: look at a new prompt, try it, and put it where the engine reads it."""

import difflib
import re
from pathlib import Path
from typing import Final

import click

from parley.core import Invalid
from parley_ai_engine.pipeline.prompts import Prompt, Prompts, passages, read_prompt
from parley_ai_engine.settings import EngineSettings

_NAME: Final = re.compile(r"(?P<name>[a-z_]+)\.(?P<language>[a-z]{2})(?:\..+)?\.j2")
_SAMPLE: Final = {"zh": ("退货期限", "茶具签收后15天内可以无理由退货。"), "en": ("Returns", "Teaware: 15 days.")}
_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_TENANT = click.option("--tenant", default="", help="For this tenant alone.")


@click.group()
def prompts() -> None:
    """What models are told. A file is called `answer.zh.j2`, or `answer.zh.anything.j2` before it is active."""


@prompts.command()
@_FILE
@_TENANT
def diff(file: Path, tenant: str) -> None:
    """What FILE changes in the prompt that is active now."""
    new, now = read_prompt(file), _active(file, tenant)
    lines = difflib.unified_diff(
        now.source.splitlines(), new.source.splitlines(), f"active: {now.label}", f"{file}: {new.label}", lineterm=""
    )
    click.echo("\n".join(lines) or "nothing: the same text is active")


@prompts.command()
@_FILE
def test(file: Path) -> None:
    """Show what a model would read of FILE; exit code 1 when the template does not work."""
    prompt, (_, language) = read_prompt(file), _named(file)
    sample = passages([_SAMPLE.get(language, _SAMPLE["en"])])
    click.echo(prompt.render(language=language, sentinel="NOT_SURE", passages=sample))
    click.echo(f"\n{prompt.label} works", err=True)


@prompts.command()
@_FILE
@_TENANT
def activate(file: Path, tenant: str) -> None:
    """Put FILE into PARLEY_AI_ENGINE_PROMPTS. Engines read it when they start; another version number is needed."""
    folder = EngineSettings.load().prompts
    if not folder:
        raise Invalid(
            "PARLEY_AI_ENGINE_PROMPTS names no folder for prompts of your own; set it, here and for the engine"
        )
    new, now, (name, language) = read_prompt(file), _active(file, tenant), _named(file)
    if new.source != now.source and _version(new) == _version(now):
        raise Invalid(f"{_version(now)} is active with another text; give {file} a new version in its first line")
    target = Path(folder) / tenant / f"{name}.{language}.j2"
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.replace(target.with_name(f"{name}.{language}.{_version(now)}.j2.old"))
    partial = target.with_name(f".{target.name}.partial")
    partial.write_text(new.source, encoding="utf-8")
    partial.replace(target)
    click.echo(f"active at the engine's next start: {target} ({_version(new)}); before: {now.label}")


def _named(file: Path) -> tuple[str, str]:
    match = _NAME.fullmatch(file.name)
    if match is None:
        raise Invalid(f"{file.name} says neither prompt nor language; call it like answer.zh.j2 or answer.zh.v3.j2")
    return match["name"], match["language"]


def _active(file: Path, tenant: str) -> Prompt:
    name, language = _named(file)
    try:
        return Prompts(EngineSettings.load().prompts).find(tenant, name, language)
    except StopIteration:
        raise Invalid(f"the engine asks for no prompt called {name}; there are answer and complaint") from None


def _version(prompt: Prompt) -> str:
    return prompt.label.split(" ")[1]
