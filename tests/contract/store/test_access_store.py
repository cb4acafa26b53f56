import asyncio
import dataclasses

from parley_session_router.access import AccessStore, ApiKey, SigningKey, Site, StoredKey, Tenant, open_access

KEY = StoredKey(ApiKey("0123456789ab", "dian-pu", "客服台", ("ingest", "agent"), 100.0, 900.5), b"\x00\xffhash")


async def test_a_key_is_read_back_as_it_was(url: str, access_store: AccessStore) -> None:
    await access_store.put_tenant(Tenant("dian-pu", 1.0))
    await access_store.put_tenant(Tenant("dian-pu", 2.0))
    await access_store.add_key(KEY)
    assert await access_store.find_key("0123456789ab") == KEY
    assert await access_store.find_key("nobody") is None
    async with open_access(url) as again:
        assert await again.find_key("0123456789ab") == KEY


async def test_a_tenant_sees_its_own_keys_oldest_first(access_store: AccessStore) -> None:
    newer = dataclasses.replace(KEY, key=dataclasses.replace(KEY.key, key_id="newer", created_at=200.0))
    foreign = dataclasses.replace(KEY, key=dataclasses.replace(KEY.key, key_id="foreign", tenant_id="别家"))
    for stored in (newer, foreign, KEY):
        await access_store.add_key(stored)
    assert await access_store.list_keys("dian-pu") == [KEY, newer]
    assert await access_store.list_keys("nobody") == []


async def test_a_key_is_revoked_once_and_by_its_own_tenant(access_store: AccessStore) -> None:
    await access_store.add_key(KEY)
    assert not await access_store.revoke_key("别家", "0123456789ab", 300.0)
    done = await asyncio.gather(*(access_store.revoke_key("dian-pu", "0123456789ab", 300.0 + n) for n in range(8)))
    assert sorted(done) == [False] * 7 + [True]
    found = await access_store.find_key("0123456789ab")
    assert found is not None
    assert found.key.revoked_at == 300.0 + done.index(True)


async def test_a_site_key_belongs_to_the_tenant_that_had_it_first(access_store: AccessStore) -> None:
    site = Site("demo", "dian-pu", ("https://shop.example",), 1.0)
    assert await access_store.put_site(site)
    assert not await access_store.put_site(Site("demo", "别家", (), 2.0))
    assert await access_store.find_site("demo") == site
    assert await access_store.put_site(Site("demo", "dian-pu", (), 3.0))
    assert await access_store.list_sites() == [Site("demo", "dian-pu", (), 1.0)]
    assert await access_store.find_site("nobody") is None


async def test_of_many_routers_one_makes_the_next_signing_key(access_store: AccessStore) -> None:
    tries = [SigningKey(1, f"sig_{n}", "private", "public", 10.0) for n in range(8)]
    made = await asyncio.gather(*(access_store.add_signing_key(key) for key in tries))
    assert sorted(made) == [False] * 7 + [True]
    second = SigningKey(2, "sig_second", "private", "public", 20.0)
    assert await access_store.add_signing_key(second)
    assert await access_store.signing_keys() == [second, tries[made.index(True)]]
    await access_store.drop_signing_keys(15.0)
    assert await access_store.signing_keys() == [second]


async def test_a_site_is_dropped_by_its_own_tenant_only(access_store: AccessStore) -> None:
    site = Site("site_1", "dian-pu", ("https://店.example",), 1.0)
    assert await access_store.put_site(site)
    assert not await access_store.drop_site("别家", "site_1")
    assert await access_store.find_site("site_1") == site
    assert await access_store.drop_site("dian-pu", "site_1")
    assert not await access_store.drop_site("dian-pu", "site_1")
    assert await access_store.list_sites() == []
