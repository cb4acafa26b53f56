"""Greets anyone who says hello. Copy this folder to start a service."""

from parley.bus.queues import EVENTS
from parley.contracts.v1 import MessageStored, SenderKind, SendMessage
from parley.service import Context, Service

service = Service[None]("hello")


@service.observes(EVENTS, MessageStored)
async def greet(event: MessageStored, ctx: Context[None]) -> None:
    """Answer a visitor's message that says hello; leave every other message alone."""
    from_visitor = event.message.sender.kind == SenderKind.SENDER_KIND_VISITOR
    if from_visitor and "hello parley" in event.message.text.lower():
        await ctx.publish(SendMessage(session_id=event.session_id, text="Hello! How can I help?"))
