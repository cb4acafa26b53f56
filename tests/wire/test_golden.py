"""Bytes that were once published are readable for ever."""

import pytest

from tests.wire.golden import FOLDER, KINDS, as_json, filled

NAMES = sorted(KINDS)


@pytest.mark.parametrize("name", NAMES)
def test_yesterdays_bytes_mean_today_what_they_meant(name: str) -> None:
    message = KINDS[name].FromString(bytes.fromhex((FOLDER / f"{name}.hex").read_text()))
    assert as_json(message) == (FOLDER / f"{name}.json").read_text(), (
        f"the bytes of {name} read differently now: fields are added, never renumbered, retyped or reused"
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_older_reader_ignores_a_field_it_does_not_know(name: str) -> None:
    unknown_field_2000 = bytes.fromhex("827d03") + b"new"
    message = KINDS[name].FromString(bytes.fromhex((FOLDER / f"{name}.hex").read_text()) + unknown_field_2000)
    assert as_json(message) == (FOLDER / f"{name}.json").read_text()


def test_every_golden_file_belongs_to_a_kind_that_still_exists() -> None:
    assert {path.stem for path in FOLDER.glob("*.hex")} == set(NAMES), "run `python -m tests.wire.golden`"


def test_a_filled_message_leaves_no_field_out() -> None:
    event = filled(KINDS["MessageReceived"])
    assert {field.name for field, _ in event.ListFields()} == {field.name for field in event.DESCRIPTOR.fields}
