"""Names are shown to people, and lead nowhere."""

import pytest

from parley_media.inspect import clean_name
from parley_media.inspect.names import LONGEST_NAME, ending_of


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("图片.png", "图片.png"),
        ("../../etc/passwd/x.png", "x.png"),
        ("..\\..\\windows\\x.png", "x.png"),
        ("/etc/shadow", "shadow"),
        ("a\0.php\0.png", "a.php.png"),
        ("gpj.\u202egnp.exe", "gpj.gnp.exe"),
        ("line\nbreak\r.png", "linebreak.png"),
        ("  . 收据.jpg. ", "收据.jpg"),
        ("e\u0301te\u0301.webp", "été.webp"),
        ("👨\u200d👩\u200d👧.gif", "👨\u200d👩\u200d👧.gif"),
        ("..", ""),
        ("", ""),
    ],
)
def test_a_name_is_reduced_to_what_people_may_see(given: str, shown: str) -> None:
    assert clean_name(given) == shown


def test_a_long_name_is_shortened_and_keeps_its_ending() -> None:
    name = clean_name("图" * 4096 + ".png")
    assert len(name) == LONGEST_NAME
    assert name.endswith("图.png")


def test_a_long_name_without_ending_is_shortened() -> None:
    assert len(clean_name("x" * 4096)) == LONGEST_NAME
    assert ending_of(clean_name("a." + "x" * 4096)) == ""


def test_a_direction_mark_cannot_hide_the_real_ending() -> None:
    assert ending_of(clean_name("photo\u202egnp.exe")) == "exe"
