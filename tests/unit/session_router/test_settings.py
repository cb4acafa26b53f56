import pytest

from parley.core import SettingsError
from parley_session_router.machine import Rules
from parley_session_router.settings import RouterSettings


def test_without_any_setting_the_rules_are_the_machines_own() -> None:
    assert RouterSettings.load({}).rules() == Rules()


def test_a_channel_differs_from_its_tenant_and_a_tenant_from_all() -> None:
    bots = '{"shop": {"turn_seconds": 30, "engine_group": "shop"}, "shop/wechat": {"hold_seconds": 0}}'
    rules = RouterSettings.load({"PARLEY_SESSION_IDLE_SECONDS": "60", "PARLEY_SESSION_BOTS": bots}).rules()
    assert rules.of("另一家", "web") is rules
    web, wechat = rules.of("shop", "web"), rules.of("shop", "wechat")
    assert (web.turn_seconds, web.group, web.idle_seconds, web.hold_seconds) == (30, "shop", 60, 2)
    assert (wechat.turn_seconds, wechat.group, wechat.hold_seconds) == (30, "shop", 0)


@pytest.mark.parametrize("wrong", ["{", "[]", '{"shop": {"turn_secnds": 30}}', '{"shop": {"turn_seconds": -1}}'])
def test_a_mistake_in_a_bots_settings_is_told_with_an_example(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"PARLEY_SESSION_BOTS .* expected JSON by tenant"):
        RouterSettings.load({"PARLEY_SESSION_BOTS": wrong})
