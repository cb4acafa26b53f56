"""A private server that speaks MongoDB's protocol; where no mongod can be had, a Java one made for tests."""

from parley.testing.servers.mongodb.server import MongoDB, mongodb

__all__ = ["MongoDB", "mongodb"]
