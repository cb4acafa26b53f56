"""The visitor's page: static files, served from memory under a strict policy."""

from parley_gateway.web.page import CONTENT_SECURITY_POLICY, FILES, page_routes

__all__ = ["CONTENT_SECURITY_POLICY", "FILES", "page_routes"]
