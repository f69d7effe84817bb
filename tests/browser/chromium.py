"""Chromium for the browser tests: found, or installed where this user may.

``python -m tests.browser.chromium`` is what `make test` runs before the tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"

# As root Chromium needs --no-sandbox; the others keep it from asking the network for anything.
# No name leads anywhere: what a page asks of the network, it does not get.
ARGUMENTS = [
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def find() -> str | None:
    """Return the path of a Chromium or Chrome, None where there is none."""
    candidates = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES), MAC]
    return next((path for path in candidates if path and Path(path).exists()), None)


def main() -> int:
    """Install Debian's package as root, say how where that is not possible."""
    if find():
        return 0
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("Installing Chromium for the browser tests ...", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-qq"], ["install", "-y", "-qq", "chromium"]):
            subprocess.run(["apt-get", *words], env=quiet, stdout=subprocess.DEVNULL, check=False)
    if find():
        return 0
    print(
        "The browser tests need Chromium or Chrome. Install it (Debian, Ubuntu: "
        "sudo apt install chromium), or set CHROMIUM to its path.",
        file=sys.stderr,
    )
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
