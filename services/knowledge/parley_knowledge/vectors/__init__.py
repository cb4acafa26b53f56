"""Dense retrieval: embeddings of an endpoint, kept in a vector store, searched beside the words."""

from parley_knowledge.vectors.nearness import Nearness
from parley_knowledge.vectors.port import Embedder, Entry, Near, Space, Stats, VectorStore

__all__ = ["Embedder", "Entry", "Near", "Nearness", "Space", "Stats", "VectorStore"]
