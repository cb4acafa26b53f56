from pathlib import Path

import pytest

from parley.core import SettingsError
from parley_knowledge.settings import Folder, KnowledgeSettings


def test_folders_are_named_with_or_without_their_tenant() -> None:
    settings = KnowledgeSettings.load({"PARLEY_KNOWLEDGE_FOLDERS": "handbook, bank=/srv/a b ,"})
    assert settings.knowledge_folders == (Folder("demo", Path("handbook")), Folder("bank", Path("/srv/a b")))


def test_no_folder_is_followed_unless_one_is_named() -> None:
    assert KnowledgeSettings.load({}).knowledge_folders == ()


def test_a_folder_without_a_path_is_explained() -> None:
    with pytest.raises(
        SettingsError, match=r'PARLEY_KNOWLEDGE_FOLDERS is "bank="; expected folders to follow, such as'
    ):
        KnowledgeSettings.load({"PARLEY_KNOWLEDGE_FOLDERS": "bank="})
