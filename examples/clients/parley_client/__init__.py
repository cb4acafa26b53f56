"""A visitor's client for Parley Realtime, over any of its transports."""

from .client import Client
from .lines import EventsLine, Line, PollLine, Refused, SocketIoLine, WebSocketLine

__all__ = ["Client", "EventsLine", "Line", "PollLine", "Refused", "SocketIoLine", "WebSocketLine"]
