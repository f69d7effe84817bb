"""A folder as a zip file on standard output; run as the learner's user whose work it is."""

from __future__ import annotations

import os
import stat
import sys
import zipfile
from pathlib import Path
from typing import BinaryIO

LEFT_OUT = {".ipynb_checkpoints", "__pycache__"}


def pack(folder: Path, file: BinaryIO) -> None:
    """Write the plain files of a folder, following no link, into a zip."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as packed:
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(set(folders) - LEFT_OUT)
            for name in sorted(names):
                path = Path(place) / name
                if stat.S_ISREG(path.lstat().st_mode):
                    packed.write(path)


if __name__ == "__main__":
    pack(Path(sys.argv[1]), sys.stdout.buffer)
