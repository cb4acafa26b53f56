"""Models behind one port. A vendor is a name here, or `package.module:function` of anybody's."""

import pkgutil
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Final

from parley.core import SettingsError
from parley_ai_engine.providers.port import Model
from parley_ai_engine.providers.quirks import vendor_of
from parley_ai_engine.settings import ModelSettings

_OPENAI: Final = "parley_ai_engine.providers.openai_compatible:open_model"
VENDORS: Final[Mapping[str, str]] = MappingProxyType({
    **dict.fromkeys(("compatible", "openai", "dashscope", "deepseek", "ollama", "vllm"), _OPENAI),
    "anthropic": "parley_ai_engine.providers.anthropic_messages:open_model",
})  # fmt: skip


def open_model(settings: ModelSettings) -> AbstractAsyncContextManager[Model]:
    """The model of these settings and its connections. Raises SettingsError for a vendor that is not there."""
    vendor = vendor_of(settings)
    place = VENDORS.get(vendor, vendor)
    try:
        opener = pkgutil.resolve_name(place)
    except (ImportError, AttributeError, ValueError) as error:
        known = ", ".join(sorted(VENDORS))
        raise SettingsError(
            f'PARLEY_LLM_VENDOR is "{vendor}"; expected {known}, or package.module:function ({error})'
        ) from error
    opened: AbstractAsyncContextManager[Model] = opener(settings)
    return opened
