"""A learner's JupyterLab, in the learner's folder and on a port that the hub keeps.

Run as the learner's user, in the learner's home.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from jupyter_server.serverapp import ServerApp
from jupyterhub.singleuser.app import main as serve
from tornado.httpserver import HTTPServer

from helpers.workshop.room import DOOR


def main() -> None:
    """Serve what comes in at the door, a socket that listens already."""
    os.chdir("workbook")  # by the learner: a link of theirs leads where they may go
    door = socket.socket(fileno=int(os.environ.pop(DOOR)))
    door.setblocking(False)

    def listen(server: HTTPServer, *_: Any, **__: Any) -> None:
        server.add_socket(door)

    HTTPServer.listen = listen
    ServerApp._find_http_port = lambda _: None  # it would try whether the port is free
    serve()


if __name__ == "__main__":
    main()
