"""Settings of knowledge beyond those that every service shares."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from parley.core import Settings

DEMO_TENANT = "demo"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder whose files a tenant's knowledge follows."""

    tenant: str
    path: Path

    @property
    def source(self) -> str:
        """How its documents remember where they came from."""
        return f"folder:{self.path.resolve().name}"


class KnowledgeSettings(Settings):
    """Read from the environment by the service and by `knowledge-cli`."""

    knowledge_folders: tuple[Folder, ...] = Field(
        (), description="folders to follow, such as handbook or shop=/srv/handbook,bank=/srv/articles"
    )
    knowledge_poll_seconds: float = Field(1.0, gt=0, le=60, description="seconds between looks for others' changes")

    knowledge_embeddings_url: str = Field(
        "",
        description="an OpenAI-compatible embeddings server, such as http://127.0.0.1:8000/v1; words alone without",
    )
    knowledge_embeddings_model: str = Field("text-embedding-3-small", description="the model that embeds passages")
    knowledge_embeddings_question_model: str = Field("", description="its name for questions, where that is another")
    knowledge_embeddings_key: SecretStr = Field(SecretStr(""), description="the key of that server")
    knowledge_embeddings_languages: str = Field("zh,en", description="the languages that the model was trained on")

    @property
    def embeddings_languages(self) -> tuple[str, ...]:
        """The languages that are searched by vectors too: an English model ruins Chinese."""
        return tuple(part.strip() for part in self.knowledge_embeddings_languages.split(",") if part.strip())

    @field_validator("knowledge_folders", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(_folder(part) for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _folder(part: str) -> Folder:
    tenant, equals, path = part.strip().partition("=")
    if equals and not (tenant.strip() and path.strip()):
        raise ValueError("expected tenant=path")
    return Folder(tenant.strip(), Path(path.strip())) if equals else Folder(DEMO_TENANT, Path(tenant))
