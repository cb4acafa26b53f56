"""The folder of pictures: whole or not at all, each tenant's own."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from parley.core import NotFound, SessionId, SettingsError, TenantId, Unavailable, new_id
from parley_media.blobs import FolderBlobs, open_blobs
from parley_media.blobs.folder import FORGOTTEN_SECONDS, UNFINISHED
from parley_media.media import Media, Rendition

WEBP, PNG = Rendition("image/webp", 3), Rendition("image/png", 4)
CONTENTS = {WEBP: b"web", PNG: b"pngs"}


def a_media(tenant: str = "demo", media_id: str = "") -> Media:
    return Media(
        media_id=media_id or new_id("med"),
        tenant=TenantId(tenant),
        session=SessionId("ses_1"),
        name="图片.png",
        width=320,
        height=240,
        frames=1,
        stored_at=1_800_000_000.5,
        renditions=(WEBP, PNG),
    )


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    store = FolderBlobs(tmp_path)
    store.prepare()
    return store


def the_file(root: Path, name: str) -> Path:
    (found,) = root.rglob(name)
    return found


@pytest.mark.parametrize("tenant", ["demo", "店铺", "../../etc", "a/b", ".", "..", "A", "~", "x" * 500, " ", "a\0b"])
async def test_what_is_put_is_read_back_for_any_tenant(blobs: FolderBlobs, tmp_path: Path, tenant: str) -> None:
    media = a_media(tenant)
    await blobs.put(media, CONTENTS)
    assert await blobs.about(media.tenant, media.media_id) == media
    assert [await blobs.read(media, rendition) for rendition in media.renditions] == [b"web", b"pngs"]
    assert the_file(tmp_path, media.media_id).relative_to(tmp_path).parts[1:] == (
        media.media_id[-4:-2],
        media.media_id[-2:],
        media.media_id,
    )


async def test_another_tenants_picture_is_not_found(blobs: FolderBlobs) -> None:
    media = a_media("demo")
    await blobs.put(media, CONTENTS)
    with pytest.raises(NotFound):
        await blobs.about(TenantId("other"), media.media_id)


async def test_a_folder_moved_to_another_tenant_is_still_not_theirs(blobs: FolderBlobs, tmp_path: Path) -> None:
    media = a_media("demo")
    await blobs.put(media, CONTENTS)
    (tmp_path / "demo").rename(tmp_path / "other")
    with pytest.raises(NotFound):
        await blobs.about(TenantId("other"), media.media_id)


@pytest.mark.parametrize(
    "media_id",
    ["", "..", "../../../etc/passwd", "med_" + "." * 24, "med_" + "0" * 24, "med_" + "z" * 24, "med_\0", "x" * 5000],
)
async def test_an_id_that_is_none_is_not_found(blobs: FolderBlobs, media_id: str) -> None:
    with pytest.raises(NotFound, match="check its id"):
        await blobs.about(TenantId("demo"), media_id)


async def test_a_picture_that_is_half_written_does_not_exist(blobs: FolderBlobs, tmp_path: Path) -> None:
    media = a_media()
    with pytest.raises(TypeError):
        await blobs.put(media, {WEBP: b"web", PNG: "no bytes"})  # type: ignore[dict-item]
    with pytest.raises(NotFound):
        await blobs.about(media.tenant, media.media_id)
    assert list((tmp_path / UNFINISHED).iterdir()) == []


async def test_what_a_dead_process_left_is_forgotten_after_an_hour(blobs: FolderBlobs, tmp_path: Path) -> None:
    old, new = tmp_path / UNFINISHED / "old", tmp_path / UNFINISHED / "new"
    for draft in (old, new):
        draft.mkdir()
        (draft / "png").write_bytes(b"half")
    os.utime(old, (1, new.stat().st_mtime - FORGOTTEN_SECONDS - 1))
    blobs.prepare()
    assert [left.name for left in (tmp_path / UNFINISHED).iterdir()] == ["new"]


async def test_an_id_is_never_written_twice(blobs: FolderBlobs) -> None:
    media = a_media()
    await blobs.put(media, CONTENTS)
    with pytest.raises(Unavailable):
        await blobs.put(replace(media, name="other.png"), CONTENTS)
    assert (await blobs.about(media.tenant, media.media_id)).name == "图片.png"


async def test_a_store_that_cannot_be_written_says_so(blobs: FolderBlobs, tmp_path: Path) -> None:
    assert await blobs.check() == ""
    (tmp_path / UNFINISHED).rmdir()
    assert "cannot be written" in await blobs.check()
    with pytest.raises(Unavailable, match="cannot be stored now"):
        await blobs.put(a_media(), CONTENTS)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"media_id": "x"}', b"\xff\xfe"])
async def test_a_damaged_description_is_not_found(blobs: FolderBlobs, tmp_path: Path, damage: bytes) -> None:
    media = a_media()
    await blobs.put(media, CONTENTS)
    the_file(tmp_path, "about.json").write_bytes(damage)
    with pytest.raises(NotFound):
        await blobs.about(media.tenant, media.media_id)


async def test_a_file_of_the_wrong_size_is_not_handed_out(blobs: FolderBlobs, tmp_path: Path) -> None:
    media = a_media()
    await blobs.put(media, CONTENTS)
    the_file(tmp_path, "png").write_bytes(b"cut")
    with pytest.raises(NotFound):
        await blobs.read(media, PNG)


async def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SettingsError, match="PARLEY_BLOBS_URL"):
        async with open_blobs(f"file://{tmp_path}/file/blobs"):
            pass


async def test_a_url_with_spaces_and_chinese_names_its_folder(tmp_path: Path) -> None:
    async with open_blobs(f"file://{tmp_path}/%E5%9B%BE%20%E7%89%87") as blobs:
        await blobs.put(a_media(), CONTENTS)
    assert (tmp_path / "图 片").is_dir()


def test_the_first_rendition_that_is_accepted_is_chosen_and_wildcards_prove_nothing() -> None:
    media = a_media()
    assert media.rendition_for(["image/avif", " IMAGE/WEBP", "*/*"]) == WEBP
    assert media.rendition_for(["image/png", "image/webp"]) == WEBP
    assert media.rendition_for(["image/*", "*/*"]) == PNG
    assert media.rendition_for(["image/jpeg"]) == PNG
    assert media.rendition_for([]) == PNG
