"""Who may come in: tenants, API keys, site keys and visitor tokens. Their one owner (decision 2)."""

from parley_session_router.access.door import Access
from parley_session_router.access.errors import PermissionDenied, Unauthenticated
from parley_session_router.access.first_keys import ensure_demo, ensure_operator_key
from parley_session_router.access.grpc import AccessQuestions
from parley_session_router.access.opening import open_access
from parley_session_router.access.port import AccessStore
from parley_session_router.access.records import (
    DEMO_SITE,
    DEMO_TENANT,
    SCOPES,
    ApiKey,
    SigningKey,
    Site,
    StoredKey,
    Tenant,
    VisitorToken,
)

__all__ = [
    "DEMO_SITE",
    "DEMO_TENANT",
    "SCOPES",
    "Access",
    "AccessQuestions",
    "AccessStore",
    "ApiKey",
    "PermissionDenied",
    "SigningKey",
    "Site",
    "StoredKey",
    "Tenant",
    "Unauthenticated",
    "VisitorToken",
    "ensure_demo",
    "ensure_operator_key",
    "open_access",
]
