"""Put the workbook's settings where this Python's kernels and JupyterLab look for them.

Part of setting up, and repeated by `make run`: where the environment was made by other means,
conda for one, a kernel must start with no account in reach all the same.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

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


if __name__ == "__main__":
    main()
