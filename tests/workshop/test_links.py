"""Pages of the local AWS that are passed on, where their server is slow or answers oddly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from helpers.workshop import links

PAGE = "restapis/a1/Prod/_user_request_/"


class Api(RequestHandler):
    """A learner's API, which may answer anything; ``late`` counts who waits for it."""

    late = 0

    async def get(self, kind: str) -> None:
        if kind == "nothing":
            self.set_status(204)
        elif kind == "much":
            self.write("x" * (links.LARGEST + 1))
        elif kind == "late":
            Api.late += 1
            await asyncio.sleep(5)
        else:
            self.write("a page")


def _serve(*handlers: Any) -> tuple[HTTPServer, str]:
    socket, port = bind_unused_port()
    server = HTTPServer(Application(list(handlers)))
    server.add_socket(socket)
    return server, f"http://127.0.0.1:{port}"


def _looking(look: Callable[[str], Awaitable[None]], there: bool = True) -> None:
    """Run ``look`` with the address of pages that are passed on, where a server is ``there``."""

    async def run() -> None:
        api, behind = _serve((rf"/{PAGE}(.*)", Api))
        passing = {"endpoint": lambda: behind if there else None, "client": links.client()}
        front, address = _serve(("/(.*)", links.LinkHandler, passing))
        try:
            await look(f"{address}/{PAGE}")
        finally:
            front.stop()
            api.stop()

    asyncio.run(run())


async def _get(address: str) -> HTTPResponse:
    return await AsyncHTTPClient().fetch(address, raise_error=False)


def test_a_page_without_words_and_one_that_is_too_long() -> None:
    async def look(address: str) -> None:
        assert (await _get(f"{address}page")).body == b"a page"
        assert (await _get(f"{address}nothing")).code == 204
        assert (await _get(f"{address}much")).code == 502

    _looking(look)


def test_what_cannot_be_shown_is_a_sentence_and_what_to_do() -> None:
    async def look(address: str) -> None:
        much, bad = await _get(f"{address}much"), await _get(f"{address.split('restapis')[0]}bad")
        assert (much.code, bad.code) == (502, 404)
        assert b"one of more than 1 MB. Open the link again" in much.body
        assert b"Take the whole link from the mail" in bad.body

    async def look_for_nobody(address: str) -> None:
        answer = await _get(f"{address}page")
        assert answer.code == 503
        assert b"The local AWS does not answer" in answer.body
        assert b"tell the host" in answer.body

    _looking(look)
    _looking(look_for_nobody, there=False)


def test_slow_pages_do_not_keep_the_host_from_asking_the_hub() -> None:
    """Both are one process; what asks the hub is tornado's client that everybody shares."""

    async def look(address: str) -> None:
        learners = AsyncHTTPClient(force_instance=True, max_clients=2 * links.MOST)
        late = [
            asyncio.ensure_future(learners.fetch(f"{address}late")) for _ in range(2 * links.MOST)
        ]
        hub, other = _serve(("/(.*)", Api))
        while Api.late < links.MOST:
            await asyncio.sleep(0.01)
        assert (await _get(f"{other}/page")).body == b"a page"
        hub.stop()
        learners.close()
        await asyncio.gather(*late, return_exceptions=True)

    Api.late = 0
    _looking(look)
