"""``python -m helpers.localaws``: the local AWS in the foreground, until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from helpers.localaws import LocalAwsError, running, stop
from helpers.localaws.guests import Guests
from helpers.localaws.record import STATE_FILE


def main() -> int:
    """Parse the command line and serve; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helpers.localaws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--state", type=Path, default=STATE_FILE, help="where to write the record")
    parser.add_argument("--stop", action="store_true", help="stop the one that is running")
    parser.add_argument("--account", help="with --to: the twelve digits of a guest's account")
    parser.add_argument(
        "--to", type=Path, help="write a record for --account alone, for a guest's WORKBOOK_STATE"
    )
    parser.add_argument(
        "--guests",
        type=Guests.read,
        metavar="FIRST:COUNT",
        help="as root: accounts 1 to COUNT belong to the users after the user id FIRST",
    )
    arguments = parser.parse_args()
    if bool(arguments.account) != bool(arguments.to):
        parser.error("--account and --to belong together")
    if arguments.account:
        return _hand_out(arguments.state, arguments.account, arguments.to)
    if arguments.stop:
        stopped = stop(arguments.state)
        print("The local AWS was stopped." if stopped else "No local AWS was running.")
        return 0
    # Imported here: `--stop` should not wait for the whole emulator to load.
    from helpers.localaws import server

    try:
        server.serve(arguments.port, arguments.state, arguments.guests)
    except (LocalAwsError, PermissionError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _hand_out(state: Path, account: str, to: Path) -> int:
    """Write a guest's record, readable by this user only; the key itself is never shown."""
    if to.resolve() == state.resolve():
        print(f"{to} is the server's own record: choose another file.", file=sys.stderr)
        return 1
    record = running(state)
    if record is None:
        print("No local AWS is running.", file=sys.stderr)
        return 1
    try:
        guest = record.of(account)
    except LocalAwsError as error:
        print(error, file=sys.stderr)
        return 1
    if not guest.is_guest:
        print(f"{account} is the server's own account, not a guest's.", file=sys.stderr)
        return 1
    guest.write(to)
    print(f"{to} is the key of account {account}, until this local AWS ends.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
