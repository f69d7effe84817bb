"""``python -m helpers.localaws``: the local AWS in the foreground, until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from helpers.localaws import LocalAwsError, stop
from helpers.localaws.record import STATE_FILE


def main() -> int:
    """Parse the command line and serve; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helpers.localaws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--state", type=Path, default=STATE_FILE, help="where to write the record")
    parser.add_argument("--stop", action="store_true", help="stop the one that is running")
    arguments = parser.parse_args()
    if arguments.stop:
        stopped = stop(arguments.state)
        print("The local AWS was stopped." if stopped else "No local AWS was running.")
        return 0
    # Imported here: `--stop` should not wait for the whole emulator to load.
    from helpers.localaws import server

    try:
        server.serve(arguments.port, arguments.state)
    except LocalAwsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
