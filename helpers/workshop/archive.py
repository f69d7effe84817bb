"""A folder as a zip file on standard output; run as the learner's user whose work it is."""

from __future__ import annotations

import os
import stat
import sys
import zipfile
from pathlib import Path
from typing import BinaryIO

LEFT_OUT = {".ipynb_checkpoints", "__pycache__"}
MISSING = "NOT-PACKED.txt"


def pack(folder: Path, file: BinaryIO) -> None:
    """Write the plain files of a folder, following no link, into a zip.

    One file that cannot be read does not cost the others: ``NOT-PACKED.txt`` names it.
    """
    errors: list[OSError] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as packed:
        for place, folders, names in os.walk(folder, onerror=errors.append):
            folders[:] = sorted(set(folders) - LEFT_OUT)
            for name in sorted(names):
                try:
                    _add(packed, Path(place) / name)
                except OSError as error:
                    errors.append(error)
        if errors:
            packed.writestr(MISSING, "".join(f"{str(error)!a}\n" for error in errors))


def _add(packed: zipfile.ZipFile, path: Path) -> None:
    if stat.S_ISREG(path.lstat().st_mode):
        # A name on Linux is bytes; one that is no UTF-8 is written with codes.
        packed.write(path, os.fsencode(path).decode(errors="backslashreplace"))


if __name__ == "__main__":
    # Up to Python 3.11, os.walk calls itself for each folder in a path, which has 4,096 bytes.
    sys.setrecursionlimit(5000)
    pack(Path(sys.argv[1]), sys.stdout.buffer)
