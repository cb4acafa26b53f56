"""The image file is short and clean, and what it installs is locked."""

import re
import tomllib

from deploy.checks import image
from deploy.checks.names import ROOT, settings

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TEXT = image.FILE.read_text()


def plain(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def locked(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements" / name).read_text(), re.MULTILINE))


def test_linters_find_nothing() -> None:
    assert list(image.problems()) == []


def test_everything_that_the_product_needs_is_locked() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    services = [one for name, wanted in extras.items() if name not in ("all", "bench", "dev") for one in wanted]
    needed = {plain(one) for one in [*PROJECT["project"]["dependencies"], *services]}
    assert needed <= locked("all.txt"), "run `make lock`"


def test_everything_that_checks_and_tests_need_is_locked() -> None:
    wanted = {plain(one) for one in PROJECT["project"]["optional-dependencies"]["dev"]} - {"parley"}
    assert wanted <= locked("dev.txt"), "run `make lock`"


def test_everything_that_builds_the_product_is_locked() -> None:
    assert {plain(one) for one in PROJECT["build-system"]["requires"]} <= locked("build.txt"), "run `make lock`"


def test_locks_name_no_address() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in lock.read_text(), lock.name


def test_every_package_that_is_installed_comes_with_a_hash() -> None:
    installs = re.findall(r"pip (?:--python \S+ )?install ([^&]*)", TEXT.replace("\\\n", " "))
    assert len(installs) == 3
    assert all("--require-hashes" in one or "--no-index" in one for one in installs)


def test_the_image_runs_as_nobody_in_particular() -> None:
    (user,) = re.findall(r"^USER (\d+):(\d+)$", TEXT, re.MULTILINE)
    assert "0" not in user


def test_the_image_runs_everything_unless_told_otherwise() -> None:
    assert 'ENTRYPOINT ["parley"]' in TEXT
    assert 'CMD ["run", "all"]' in TEXT


def test_the_image_sets_only_what_a_setting_reads() -> None:
    assert set(re.findall(r"\bPARLEY_[A-Z_]+", TEXT)) <= settings()


def test_every_folder_that_the_image_copies_reaches_the_builder() -> None:
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", TEXT, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists()
            assert f"!{source}" in allowed or f"!{source.rpartition('/')[0]}/*.txt" in allowed
