"""Opens dense retrieval as the settings name it; what it needs is only imported where it is wanted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from parley.core import SettingsError
from parley_knowledge.settings import KnowledgeSettings
from parley_knowledge.vectors.nearness import Nearness


@asynccontextmanager
async def open_nearness(settings: KnowledgeSettings, folder: Path) -> AsyncIterator[Nearness | None]:
    """Nothing where no server of embeddings is named. Raises SettingsError where its parts are not installed."""
    if not settings.knowledge_embeddings_url:
        yield None
        return
    try:
        from parley_knowledge.vectors.faiss_store import FaissStore  # noqa: PLC0415 - an optional extra
        from parley_knowledge.vectors.openai_embeddings import open_embeddings  # noqa: PLC0415 - see above
    except ImportError as error:
        message = f"PARLEY_KNOWLEDGE_EMBEDDINGS_URL needs {error.name}: pip install parley[vectors]"
        raise SettingsError(message) from None
    async with open_embeddings(
        settings.knowledge_embeddings_url,
        settings.knowledge_embeddings_model,
        question_model=settings.knowledge_embeddings_question_model,
        key=settings.knowledge_embeddings_key.get_secret_value(),
    ) as embedder:
        yield Nearness(embedder, FaissStore(folder), languages=settings.embeddings_languages)
