"""What can be checked without a browser: the weight of the page, the contrast of its colours, how it is served."""

import gzip
import re
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from parley_gateway.web import CONTENT_SECURITY_POLICY, FILES, page_routes

BUDGET = 40 * 1024
THEME = (FILES / "theme.css").read_text()
SETS = {
    "light": r":root \{(.*?)\n\}",
    "dark by system": r":root:not\(\[data-theme=\"light\"\]\) \{(.*?)\n  \}",
    "dark by choice": r":root\[data-theme=\"dark\"\] \{(.*?)\n\}",
}
ON_PAPER = ("ink", "ink-soft", "accent", "person", "machine", "quote", "warn", "bad")


def colours(name: str) -> dict[str, str]:
    block = re.search(SETS[name], THEME, re.DOTALL)
    assert block, f"theme.css has no set of colours {name!r}"
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block[1]))


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def pairs(name: str) -> Iterator[tuple[str, str]]:
    yield from ((ink, paper) for ink in ON_PAPER for paper in ("paper", "paper-raised"))
    yield from (("accent-ink", "accent"), ("visitor-ink", "visitor"), ("paper", "person"))


@pytest.mark.parametrize("name", SETS)
def test_every_colour_of_text_has_a_contrast_of_four_and_a_half(name: str) -> None:
    palette = colours(name)
    poor = {pair: round(contrast(palette[pair[0]], palette[pair[1]]), 2) for pair in pairs(name)}
    assert {pair: value for pair, value in poor.items() if value < 4.5} == {}


def test_both_ways_to_the_dark_give_the_same_colours() -> None:
    assert colours("dark by system") == colours("dark by choice")


def test_the_whole_page_weighs_at_most_forty_kilobytes() -> None:
    weights = {path.name: len(gzip.compress(path.read_bytes())) for path in FILES.rglob("*") if path.is_file()}
    assert sum(weights.values()) <= BUDGET, weights


def test_the_page_asks_for_nothing_from_elsewhere_and_holds_no_inline_code() -> None:
    html = (FILES / "index.html").read_text()
    assert not re.search(r"(src|href)=\"(https?:)?//", html)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html)


def test_every_module_is_announced_in_the_head_so_that_they_load_side_by_side() -> None:
    html = (FILES / "index.html").read_text()
    announced = set(re.findall(r"(?:src|href)=\"web/([\w/]+\.js)\"", html))
    assert announced == {path.relative_to(FILES).as_posix() for path in FILES.rglob("*.js")}


def test_scripts_never_write_markup() -> None:
    for path in FILES.rglob("*.js"):
        code = path.read_text()
        assert not re.search(r"(inner|outer)HTML *[+=]|insertAdjacentHTML|document\.write|\beval\(", code), path


def test_the_protocol_client_depends_on_nothing_outside_its_folder() -> None:
    for path in (FILES / "realtime").glob("*.js"):
        assert all(name.startswith("./") for name in re.findall(r"from \"(.*?)\"", path.read_text())), path


def test_the_page_is_served_compressed_with_its_policy_and_revalidated() -> None:
    client = TestClient(Starlette(routes=list(page_routes())))
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert page.headers["content-encoding"] == "gzip"
    assert "parley-site-key" in page.text
    again = client.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/web/app.js").headers["content-type"] == "text/javascript; charset=utf-8"
    assert client.get("/web/app.js", headers={"Accept-Encoding": "identity"}).text.startswith("/**")
    assert client.post("/").status_code == 405
    assert client.get("/web/../page.py").status_code == 404
