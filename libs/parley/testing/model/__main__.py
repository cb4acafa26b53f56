"""`python -m parley.testing.model --port 9099`: the stand-in by itself, for benchmarks and for a look around."""

import argparse
import asyncio

from parley.testing.model.server import model_server


async def _serve(port: int) -> None:
    async with model_server(port) as server:
        print(f"stand-in model on {server.url}", flush=True)  # noqa: T201 - this is the command's answer
        await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=0, help="a port; 0 for a free one")
    asyncio.run(_serve(arguments.parse_args().port))


if __name__ == "__main__":
    main()
