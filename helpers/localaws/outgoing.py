"""Requests that this server makes for a user: to the web only.

An API's integration and a subscription of SNS name an address, and MiniStack opens it with
``urllib``, which knows ``file:`` and ``ftp:`` too. A file is read by whom the server runs as.
https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html
https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
"""

from __future__ import annotations

import urllib.request

WEB = (
    urllib.request.ProxyHandler,
    urllib.request.UnknownHandler,  # says which scheme is not known
    urllib.request.HTTPHandler,
    urllib.request.HTTPSHandler,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.HTTPErrorProcessor,
)


def install() -> None:
    """Let ``urllib.request.urlopen`` open http and https, and nothing else, in this process."""
    opener = urllib.request.OpenerDirector()
    for handler in WEB:
        opener.add_handler(handler())
    urllib.request.install_opener(opener)
