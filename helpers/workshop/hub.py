"""JupyterHub's configuration for a workshop; JupyterHub reads it as it is.

https://jupyterhub.readthedocs.io/en/stable/reference/config-reference.html
"""

import secrets
import sys

from tornado.web import RequestHandler

from helpers.workshop.authenticator import RoomAuthenticator
from helpers.workshop.room import MOST, NICENESS, Room
from helpers.workshop.seats import HOST
from helpers.workshop.spawner import LINKS, LearnerSpawner


def first_page(handler: RequestHandler) -> str:
    """Return where somebody begins who has asked for no page."""
    if handler.current_user is None:
        return "/hub/login"
    return "/services/host/" if handler.current_user.name == HOST else "/hub/spawn"


room = Room.current()
c = get_config()  # noqa: F821 - JupyterHub defines it

c.JupyterHub.bind_url = f"http://{room.address}:{room.port}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{room.hub}"
c.ConfigurableHTTPProxy.command = room.proxy
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{room.proxy_port}"
# Nothing of a session is kept: with the workshop, every log-in ends.
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.cookie_secret = secrets.token_bytes(32)
c.JupyterHub.log_level = "WARN"
c.JupyterHub.template_paths = [str(room.workbook / "helpers" / "workshop" / "templates")]
c.JupyterHub.default_url = first_page
c.JupyterHub.api_page_max_limit = MOST  # else 200, and the host's page lists everybody

c.JupyterHub.authenticator_class = RoomAuthenticator
c.Authenticator.allow_all = True  # who knows the password; the authenticator asks for it

c.JupyterHub.spawner_class = LearnerSpawner
c.JupyterHub.concurrent_spawn_limit = 0  # at a bound, JupyterHub sends people away
# What all share, the local AWS above all, goes before anybody's kernels: in a full room its answers
# would else wait for the processor until a deadline of the lessons is over.
# -P: it starts in the learner's folder, where a random.py must not stand in for Python's own. The
# kernels are Pythons of their own, and import from their notebook's folder.
# https://docs.python.org/3/using/cmdline.html#cmdoption-P
python = [str(room.python), "-P"]
c.Spawner.cmd = ["nice", "-n", str(NICENESS), *python, "-m", "helpers.workshop.lab"]
c.Spawner.args = [
    # Sockets in a folder of the learner's: a port of 127.0.0.1 is open to every user.
    "--KernelManager.transport=ipc",
    "--ContentsManager.pre_save_hook=helpers.saved.before_saving",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
    "--ServerApp.log_level=WARN",
]
c.Spawner.poll_interval = 5  # seconds until a server that has ended by itself is noticed
c.Spawner.env_keep = []
c.Spawner.default_url = f"/lab/tree/{room.first_notebook()}"
# A room of people begins at the same moment.
c.Spawner.start_timeout = 600  # until the first answer: see spawner
c.Spawner.http_timeout = 300
c.LocalProcessSpawner.interrupt_timeout = 10

page = f"http://127.0.0.1:{room.page}"
c.JupyterHub.services = [
    {
        "name": "host",
        "url": page,
        "command": [sys.executable, "-m", "helpers.workshop.service"],
        "environment": room.variables(),
        "oauth_no_confirm": True,
        "display": False,
    },
    # The same process: pages of the local AWS, for anybody who has their address.
    {"name": LINKS.rsplit("/", 1)[-1], "url": page, "display": False},
]
c.JupyterHub.load_roles = [
    {"name": "the-host", "users": [HOST], "scopes": ["access:services!service=host"]},
    {
        "name": "the-host-s-page",
        "services": ["host"],
        "scopes": ["list:users", "admin:users", "admin:servers", "shutdown"],
    },
]
