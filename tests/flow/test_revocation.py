"""A signing key that is revoked ends what came in by it, on every transport, at once."""

import asyncio
import contextlib
import os
import sys
from subprocess import PIPE, run

import httpx
import jwt

from tests.flow.house import a_house
from tests.flow.people import ZH, a_visitor, answered, ids, token
from tests.flow.test_bad_input import closed
from tests.flow.test_http_realtime import a_listener, a_poller
from tests.flow.test_socket_io import a_sio


async def test_a_revoked_signing_key_closes_live_connections_and_refuses_its_tokens() -> None:
    with a_house() as house:
        async with a_visitor(house) as socket, a_poller(house) as poller, a_sio(house) as sio:
            _, mine = ids(socket)
            kid = jwt.get_unverified_header(mine)["kid"]
            async with a_listener(poller) as stream:
                await stream.until("welcome")
                command = [sys.executable, "-m", "parley.cli", "keys", "revoke", kid]
                environment = {**os.environ, **house.environment}
                done = await asyncio.to_thread(run, command, env=environment, stdout=PIPE, check=True, text=True)
                assert "is revoked" in done.stdout
                code, frames = await closed(socket.socket)
                assert (code, frames[-1]["error"]["code"]) == (4001, "unauthorised")
                assert (await stream.until("bye"))["code"] == 4001
                assert (await sio.until("bye"))["code"] == 4001
                await asyncio.wait_for(sio.ended.wait(), 5)
            with contextlib.suppress(httpx.HTTPError):
                refused = await poller.http.get("/v1/rt/poll", params={"cursor": poller.cursor}, headers=poller.headers)
                assert refused.status_code == 401
        async with a_visitor(house, {"token": token(house)["token"]}) as again:
            await answered(again, ZH)
