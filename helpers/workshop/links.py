"""Pages of the local AWS for a learner's browser, which may be on another computer.

What mails link to, and nothing else: the methods of deployed APIs and SNS's two pages. On AWS
these are open to anybody who has their address, and so they are here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.web import HTTPError, RequestHandler

from helpers.localaws import webpages

PAGES = re.compile(
    r"restapis/[a-z0-9]+/[A-Za-z0-9_-]+/_user_request_/[A-Za-z0-9_./-]*"
    r"|confirmation\.html|unsubscribe\.html"
)
LARGEST, MOST = 2**20, 20  # bytes of an answer, and how many are waited for at once
# What is said instead of a page, as a title and HTML.
SENTENCES = {
    404: (
        "Nothing is here",
        "No mail of this workshop has such a link. Take the whole link from the mail, or the "
        "buttons beside it.",
    ),
    405: ("This link is for a browser", "Open it in one: no mail's page takes such a request."),
    500: ("The page cannot be shown", "That is a mistake of the workshop's. Tell the host."),
    502: (
        "The page cannot be shown",
        f"The API behind it gave no answer, or one of more than {LARGEST >> 20} MB. Open the link "
        "again; if the API is yours, its function's log says more.",
    ),
    503: (
        "The local AWS does not answer",
        "It has ended, or it starts this moment. Open the link again; if that does not help, "
        "tell the host.",
    ),
}
# Of the request and of the answer: neither a cookie of the hub's goes out, nor one comes in.
SENT, SHOWN = ("Accept", "Content-Type"), ("Content-Type", "Cache-Control")
# A learner's page under the hub's own name could act for whoever opens it: it runs no script, and
# counts as a page of nowhere.
# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Content-Security-Policy/sandbox
POLICY = "sandbox allow-forms"


def client() -> AsyncHTTPClient:
    """Return what fetches pages, apart from what the host's page asks the hub with.

    Any learner's slow API may keep all of it busy.
    """
    return AsyncHTTPClient(force_instance=True, max_body_size=LARGEST, max_clients=MOST)


class LinkHandler(RequestHandler):
    """Passes a page on."""

    def initialize(self, endpoint: Callable[[], str | None], client: AsyncHTTPClient) -> None:
        """``endpoint`` returns where the local AWS is, None while there is none."""
        self._endpoint, self._client = endpoint, client

    def write_error(self, status_code: int, **_: Any) -> None:
        """Show a sentence to who has opened a link: nobody else comes here."""
        title, words = SENTENCES.get(status_code, SENTENCES[500])
        self.finish(webpages.page(status_code, title, words).body)

    def check_xsrf_cookie(self) -> None:
        """A page of somebody's API knows nothing of the hub's cookies."""

    async def get(self, path: str) -> None:
        """Show a page."""
        await self._pass_on(path)

    async def post(self, path: str) -> None:
        """Press a button on a page."""
        await self._pass_on(path)

    async def _pass_on(self, path: str) -> None:
        endpoint = self._endpoint()
        if not PAGES.fullmatch(path) or ".." in path:
            raise HTTPError(404)
        if endpoint is None:
            raise HTTPError(503)
        query = f"?{self.request.query}" if self.request.query else ""
        request = HTTPRequest(
            f"{endpoint}/{path}{query}",
            method=self.request.method,
            headers={
                name: self.request.headers[name] for name in SENT if name in self.request.headers
            },
            body=self.request.body if self.request.method == "POST" else None,
            follow_redirects=False,
            request_timeout=60,
        )
        try:
            answer = await self._client.fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as error:  # there is none, or it is too large
            raise HTTPError(502) from error
        self.set_status(answer.code)
        for name in SHOWN:
            if name in answer.headers:
                self.set_header(name, answer.headers[name])
        policies = [*answer.headers.get_list("Content-Security-Policy"), POLICY]
        self.set_header("Content-Security-Policy", ", ".join(policies))
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(answer.body or None)
