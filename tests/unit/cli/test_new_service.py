"""`parley new-service`: a folder that runs, is tested and is registered; or a sentence that says why not."""

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from parley.cli import main
from parley.cli.scaffold import ServiceName, create_service
from parley.cli.scaffold.names import LONGEST
from parley.cli.scaffold.project import with_service
from parley.core import Conflict, Invalid
from tests.unit.cli.checkout import HERE, a_checkout, register, run

PYPROJECT = (HERE / "pyproject.toml").read_text(encoding="utf-8")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a new service touches."""
    return a_checkout(tmp_path)


def written(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and "hello" not in path.parts}


@pytest.mark.parametrize(
    ("typed", "kebab", "package", "title"),
    [
        ("translator", "translator", "parley_translator", "Translator"),
        ("order-status", "order-status", "parley_order_status", "OrderStatus"),
        ("order_status2", "order-status2", "parley_order_status2", "OrderStatus2"),
        ("class", "class", "parley_class", "Class"),
    ],
)
def test_a_name_gives_all_other_names(typed: str, kebab: str, package: str, title: str) -> None:
    name = ServiceName.parse(typed)
    assert (name.kebab, name.package, name.title) == (kebab, package, title)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "Translator",
        "2nd",
        "-x",
        "x-",
        "a--b",
        "a b",
        "翻译",
        "../evil",
        "a/b",
        "a.b",
        "a\n",
        "x" * 33,
        "x" * 5000,
    ],
)
def test_what_cannot_be_a_name_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(Invalid, match="such as order-status") as refusal:
        ServiceName.parse(typed)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("typed", ["all", "core", "user_to_engine", "sessions"])
def test_a_name_that_means_something_else_is_refused(typed: str) -> None:
    with pytest.raises(Invalid, match="already means something else"):
        ServiceName.parse(typed)


def test_the_project_file_says_of_the_new_service_what_it_says_of_the_tutorial() -> None:
    edited = with_service(PYPROJECT, ServiceName("order-status"))
    before, after = tomllib.loads(PYPROJECT), tomllib.loads(edited)
    assert after["project"]["entry-points"]["parley.services"] == {
        **before["project"]["entry-points"]["parley.services"],
        "order-status": "parley_order_status.service:service",
    }
    build = after["tool"]["hatch"]["build"]
    assert "services/order_status/parley_order_status" in build["targets"]["wheel"]["packages"]
    assert build["targets"]["wheel"]["sources"]["services/order_status"] == ""
    assert "services/order_status" in build["dev-mode-dirs"]
    assert "services/order_status" in after["tool"]["mypy"]["mypy_path"]
    walls = after["tool"]["importlinter"]
    assert "parley_order_status" in walls["root_packages"]
    for wall, was in zip(walls["contracts"], before["tool"]["importlinter"]["contracts"], strict=True):
        for key, value in was.items():
            assert ("parley_order_status" in wall[key]) is ("parley_hello" in value)


def test_no_line_that_was_there_is_lost() -> None:
    edited = with_service(PYPROJECT, ServiceName("order-status")).splitlines()
    kept = [line for line in PYPROJECT.splitlines() if "hello" not in line]
    assert [line for line in edited if line in set(kept)] == kept


def test_a_last_item_without_comma_and_a_last_line_without_newline_are_no_trouble() -> None:
    minimal = (
        '[tool.hatch.build.targets.wheel]\npackages = [\n    "services/hello/parley_hello"\n]\n'
        '[project.entry-points."parley.services"]\n# hello is the tutorial\nhello = "parley_hello.service:service"'
    )
    after = tomllib.loads(with_service(minimal, ServiceName("x")))
    assert after["project"]["entry-points"]["parley.services"]["x"] == "parley_x.service:service"
    assert after["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [
        "services/hello/parley_hello",
        "services/x/parley_x",
    ]


@pytest.mark.parametrize(
    ("pyproject", "said"),
    [("[project]\nname = 'other'\n", "add by hand"), ("not [toml", "cannot be read"), ("", "add by hand")],
)
def test_a_project_file_that_cannot_be_edited_says_what_to_do(pyproject: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        with_service(pyproject, ServiceName("x"))


def test_a_service_is_not_made_twice(checkout: Path) -> None:
    create_service(checkout, ServiceName("translator"))
    before = {path: (checkout / path).read_bytes() for path in written(checkout)}
    with pytest.raises(Conflict, match="choose another name"):
        create_service(checkout, ServiceName("translator"))
    assert {path: (checkout / path).read_bytes() for path in written(checkout)} == before


@pytest.mark.parametrize("place", ["services/translator", "tests/unit/translator"])
def test_a_folder_that_exists_is_left_alone_and_nothing_is_registered(checkout: Path, place: str) -> None:
    (checkout / place).mkdir(parents=True)
    with pytest.raises(Conflict, match="exists already"):
        create_service(checkout, ServiceName("translator"))
    assert (checkout / "pyproject.toml").read_text(encoding="utf-8") == PYPROJECT


def test_the_command_says_what_it_made_and_what_comes_next(checkout: Path) -> None:
    result = CliRunner().invoke(main, ["new-service", "order_status", "--root", str(checkout)])
    assert result.exit_code == 0, result.output
    assert "made services/order_status/parley_order_status/service.py" in result.output
    assert "make test-fast" in result.output
    assert "parley list" in result.output


@pytest.mark.parametrize(
    "arguments", [["new-service", "Bad Name"], ["new-service", "x", "--root", "/"], ["new-service"]]
)
def test_a_command_that_fails_says_a_sentence(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code != 0
    assert "Traceback" not in result.output
    assert "Error: " in result.output


@pytest.mark.parametrize("typed", ["x", "order-status", "a" * LONGEST, "a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p"])
def test_the_linter_finds_nothing_whatever_the_name(checkout: Path, typed: str) -> None:
    name = ServiceName.parse(typed)
    create_service(checkout, name)
    places = [f"services/{name.snake}", f"tests/unit/{name.snake}"]
    run(checkout, "ruff", "check", "--no-cache", *places)
    run(checkout, "ruff", "format", "--no-cache", "--check", *places)


@pytest.mark.slow
def test_a_new_service_passes_its_tests_and_is_listed(checkout: Path) -> None:
    create_service(checkout, ServiceName("order-status"))
    register(checkout)
    assert "4 passed" in run(checkout, "pytest", "tests/unit/order_status", "-p", "no:cacheprovider")
    listed = [line.split()[0] for line in run(checkout, "parley.cli", "list").splitlines() if line]
    assert "order-status" in listed
    assert "hello" in listed
