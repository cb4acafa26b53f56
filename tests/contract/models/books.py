"""An engine whose calls land in real books, over the bus, as in the house."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from parley.contracts.v1 import CostsRequest, CostsResponse
from parley.service import Context, Service
from parley.testing import TestBench
from parley_ai_engine import service as engine
from parley_ai_engine.costs.store import CostStore, open_costs
from parley_ai_engine.grpc import EngineQuestions
from parley_ai_engine.pipeline.answering import Answerer
from parley_ai_engine.routes import open_ladder
from parley_ai_engine.service import Deps
from parley_ai_engine.settings import EngineSettings, ModelSettings
from parley_ai_engine.turns import Turns
from tests.contract.models.test_ladder import Shelf


class Books:
    """A bench with the engine's own handlers, and its books."""

    def __init__(self, bench: TestBench[Deps], costs: CostStore) -> None:
        self.bench = bench
        self.costs = costs

    async def ask(self, by: str = "day", **only: Any) -> CostsResponse:
        """What `parley cost` asks."""
        request = CostsRequest(tenant_id="demo", by=by, **only)
        questions = EngineQuestions(self.bench.ctx.deps.answerer, self.bench.ctx.clock, self.costs)
        return await questions.Costs(request, None)  # type: ignore[arg-type]  # the servicer's context is not looked at


@asynccontextmanager
async def an_engine_with_books(model: ModelSettings, url: str, **settings: Any) -> AsyncIterator[Books]:
    """One model, the real service, the books at `url`."""
    wanted = EngineSettings(**settings)

    @asynccontextmanager
    async def opens(ctx: Context[Deps]) -> AsyncIterator[Deps]:
        async with AsyncExitStack() as stack:
            costs = await stack.enter_async_context(open_costs(url))
            ladder = await stack.enter_async_context(
                open_ladder(wanted, model, ctx.clock, book=engine.book(ctx), books=costs)
            )
            answerer = Answerer(Shelf(), ladder, wanted)
            yield Deps(answerer, Turns(ctx, answerer), costs)

    service: Service[Deps] = Service("ai-engine", Deps, opens=opens)
    service.consumptions = engine.service.consumptions
    async with TestBench(service) as bench:
        yield Books(bench, bench.ctx.deps.costs)


def a_file(folder: Path) -> str:
    return f"sqlite:///{folder / 'books.db'}"
