"""The buses there are: `memory:` inside one process, `amqp://` on RabbitMQ. Both pass one suite."""
