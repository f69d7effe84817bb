"""Put the workbook's settings where this Python's kernels and JupyterLab look for them.

Part of setting up, and repeated by `make run`: where the environment was made by other means,
conda for one, a kernel must start with no account in reach all the same.
"""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

from helpers import trust
from helpers.localaws.record import CHECKOUT

SETTINGS = {
    # https://ipython.readthedocs.io/en/stable/config/intro.html
    "ipython_config.py": "etc/ipython/ipython_config.py",
    # https://jupyterlab.readthedocs.io/en/stable/user/directories.html#overrides-json
    "jupyterlab_overrides.json": "share/jupyter/lab/settings/overrides.json",
}


def main() -> None:
    """Copy the settings below this Python's prefix."""
    for name, place in SETTINGS.items():
        target = Path(sys.prefix) / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(__file__).with_name(name), target)


def list_fonts() -> None:
    """Have matplotlib list this computer's fonts, which takes seconds: once, not at a picture.

    It does so when it is first imported, and keeps the list in its cache folder.
    https://matplotlib.org/stable/api/font_manager_api.html
    """
    importlib.import_module("matplotlib.font_manager")


if __name__ == "__main__":
    main()
    list_fonts()
    trust.sign(CHECKOUT / "notebooks")
