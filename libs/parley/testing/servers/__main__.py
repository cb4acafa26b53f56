"""`python -m parley.testing.servers [FOLDER]`: run both servers until SIGTERM and print their URLs, one a line.

With a folder their data stays there and outlives the run.
"""

import asyncio
import signal
import sys
from pathlib import Path

from parley.core import ParleyError
from parley.testing.servers.mongodb import mongodb
from parley.testing.servers.rabbitmq import rabbit_node
from parley.testing.servers.settings import GivenServers


async def serve(folder: Path | None) -> None:
    """Run until a signal. The lines are written only when both are ready."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    broker_data = folder / "rabbitmq" if folder else None
    database_data = folder / "mongodb" if folder else None
    async with rabbit_node(broker_data) as broker, mongodb(GivenServers(), data=database_data) as database:
        sys.stdout.write(f"PARLEY_BUS_URL={broker.url}\nPARLEY_DATABASE_URL={database.database('parley')}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    try:
        asyncio.run(serve(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else None))
    except ParleyError as error:
        sys.exit(str(error))
