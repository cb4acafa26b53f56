"""Our forty conversations go as written, the guide's too, and one that does not is named with what was found."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from parley.core import Invalid
from parley_ai_engine.rehearsal.cases import read_folder

ROOT = Path(__file__).parents[2]
OURS = ROOT / "examples" / "shop" / "conversations"
GUIDE = ROOT / "docs" / "guides" / "test-conversations.md"


def rehearse(folder: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "parley.cli", "test", str(folder)]
    command += ["--knowledge", str(ROOT / "examples" / "shop" / "handbook")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    return done.returncode, done.stdout + done.stderr[-2000:]


def test_our_forty_conversations_in_two_languages_go_as_written() -> None:
    names = [(file.name, conversation.name) for file, conversation in read_folder(OURS)]
    assert len(names) == len(set(names)) == 40
    assert sum(".zh." in file for file, _ in names) >= 20
    code, told = rehearse(OURS)
    assert code == 0, told
    assert "40 of 40" in told


def test_the_guides_conversations_go_as_written_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "guide.yaml").write_text(block, "utf-8")
    code, told = rehearse(tmp_path)
    assert (code, "4 of 4" in told) == (0, True), told
    (tmp_path / "guide.yaml").write_text(block.replace("words: [8 元]", "words: [五百块]"), "utf-8")
    code, told = rehearse(tmp_path)
    assert code == 1
    assert "failed   guide.yaml: 运费要从手册里来" in told
    assert "“五百块” is not in the reply" in told
    assert "3 of 4" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("conversations:\n  - name: x\n    turns: [{says: hi, expects: {}}]", "expects"),
        ("conversations:\n  - name: x\n    turns: [{says: hi, model: {fails: sometimes}}]", "fails"),
        ("conversations: [", "cannot be read"),
        ("conversations:\n  - turns: [{says: hi}]", "name"),
    ],
)
def test_a_file_that_is_not_understood_names_the_place_to_mend(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "one.yaml").write_text(text, "utf-8")
    with pytest.raises(Invalid, match=words):
        read_folder(tmp_path)
    with pytest.raises(Invalid, match="no YAML file"):
        read_folder(tmp_path / "nothing")
