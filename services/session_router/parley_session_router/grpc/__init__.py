"""Questions about sessions, answered from the store by any replica."""

from parley_session_router.grpc.sessions import SessionQuestions

__all__ = ["SessionQuestions"]
