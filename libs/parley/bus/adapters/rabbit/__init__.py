"""The bus on RabbitMQ, by aio-pika. The rules it keeps and why are in `docs/decisions/0004-rabbitmq-rules.md`."""

from parley.bus.adapters.rabbit.bus import RabbitBus, open_rabbit_bus

__all__ = ["RabbitBus", "open_rabbit_bus"]
