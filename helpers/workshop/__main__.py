"""``make workshop``: one room for several learners, until Ctrl-C or until the host ends the day."""

from __future__ import annotations

import argparse
import os
import pwd
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from errno import EADDRNOTAVAIL
from getpass import getpass
from pathlib import Path

from helpers import child, localaws, loopback
from helpers.errors import WorkbookError
from helpers.localaws.record import CHECKOUT
from helpers.workshop import installation, people
from helpers.workshop.room import HOST_PASSWORD, LONGEST, MOST, PASSWORD, Room
from helpers.workshop.seats import Seats

ROOM = Path("/opt/step-functions-workshop")
# Ids that systemd and Debian leave to nobody: https://systemd.io/UIDS-GIDS/
FIRST_USER = 60600
START_SECONDS = 120
LOOK_SECONDS = 0.5
LOCAL, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - only where the host asks for it
SHORTEST_PASSWORD = 10


def main() -> int:
    """Run the workshop; return the exit status."""
    child.end_when_asked()
    try:
        arguments = _arguments()
        _check(arguments)
        password, host_password = _passwords(arguments.host)
        room = _room(arguments)
        os.umask(0o022)
        _furnish(room)
        _check_seats(room)
        installation.install(room, str(Path(sys.executable).with_name("uv")))
        os.umask(0o077)  # from now on, what root writes is root's alone
        _run(room, password, host_password)
    except WorkbookError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make workshop", description=__doc__)
    parser.add_argument("--learners", type=int, default=20, help="how many seats there are")
    parser.add_argument("--host", default=LOCAL, help="the address of this computer to listen on")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--room", type=Path, default=ROOM, help="the folder it happens in")
    parser.add_argument(
        "--kept",
        type=Path,
        help="where learners' work is put, in a folder of the day; else in the room",
    )
    parser.add_argument("--first-user", type=int, default=FIRST_USER, help=argparse.SUPPRESS)
    return parser.parse_args()


def _check(arguments: argparse.Namespace) -> None:
    """Raise WorkbookError where a workshop cannot be, with what to do."""
    if not sys.platform.startswith("linux"):
        raise WorkbookError("A workshop needs Linux: it keeps learners apart as Linux's users.")
    if os.geteuid() != 0:
        raise WorkbookError(
            "A workshop runs every learner's notebooks as a user of their own, so that nobody can "
            "read another's files, and only root can start processes of other users. Start it "
            "with: sudo make workshop"
        )
    if not 1 <= arguments.learners <= MOST:
        raise WorkbookError(f"A workshop has 1 to {MOST} learners.")
    if len(str(arguments.room.resolve())) > LONGEST:
        raise WorkbookError(
            f"The room's path is too long: {LONGEST} characters are the most that are possible."
        )
    closed = [
        parent
        for parent in arguments.room.resolve().parents
        if parent.exists() and not parent.stat().st_mode & 0o001
    ]
    if closed:
        raise WorkbookError(
            f"Learners are other users of this computer, and {closed[0]} lets none of them in. "
            "Choose another folder: sudo make workshop ROOM=/opt/workshop"
        )
    ours = range(arguments.first_user, arguments.first_user + arguments.learners + 1)
    named = [user.pw_name for user in pwd.getpwall() if user.pw_uid in ours]
    if named:
        raise WorkbookError(
            f"The user ids {ours[0]} to {ours[-1]} are needed, and {named[0]} has one of them."
        )
    if busy := [user for user in ours if people.processes(user)]:
        raise WorkbookError(
            f"Processes of user {busy[0]} are running: is there another workshop on this computer? "
            f"If not, end them: sudo pkill -KILL -U {busy[0]}"
        )
    _check_port(arguments.host, arguments.port)


def _furnish(room: Room) -> None:
    try:
        room.furnish(CHECKOUT)
    except OSError as error:  # the disk is full, or may not be written to
        raise WorkbookError(
            f"The room cannot be laid out in {room.folder} ({str(error)[:300]}). Put that "
            "right, or choose another folder: sudo make workshop ROOM=/opt/workshop"
        ) from error


def _check_seats(room: Room) -> None:
    """A seat's number is its user's and its account's: who has one must find it again."""
    needed = max((seat.number for seat in Seats(room.state, room.seats).all()), default=0)
    if needed > room.seats:
        raise WorkbookError(
            f"{needed} seats are taken in this room: start it with LEARNERS={needed} or more."
        )


def _check_port(host: str, port: int) -> None:
    try:
        with _bound(host, port):
            pass
    except (OSError, OverflowError, UnicodeError) as error:
        if (
            isinstance(error, socket.gaierror | UnicodeError)
            or getattr(error, "errno", 0) == EADDRNOTAVAIL
        ):
            raise WorkbookError(
                f"{host} is not an address of this computer ({error}). `hostname -I` says which "
                f"it has; HOST={EVERYWHERE} listens on all of them."
            ) from error
        raise WorkbookError(
            f"{host}, port {port}, cannot be used ({error}). Choose another: "
            f"sudo make workshop PORT={port + 1}"
        ) from error


@contextmanager
def _bound(host: str, port: int) -> Iterator[int]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        yield probe.getsockname()[1]


def _passwords(host: str) -> tuple[str, str]:
    """Return the room's password and the host's. Raises WorkbookError where one is too weak.

    Never from the command line, which every user of the computer can read.
    """
    host_password = secrets.token_urlsafe(12)
    if host == LOCAL:
        return secrets.token_urlsafe(9), host_password
    if path := os.environ.get("PASSWORD_FILE"):
        password = _read(path)
    elif not (password := os.environ.get("PASSWORD", "")) and sys.stdin.isatty():
        password = getpass("Choose the room's password: ")
    if len(password) < SHORTEST_PASSWORD:
        raise WorkbookError(
            f"The room is to be open to the network ({host}). Choose its password, of at least "
            f"{SHORTEST_PASSWORD} characters: put it into a file, and name that: "
            "sudo make workshop HOST=… PASSWORD_FILE=…"
        )
    return password, host_password


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise WorkbookError(
            f"The password cannot be read from PASSWORD_FILE={path} ({why}). Name a text file "
            "with nothing but the room's password in it."
        ) from None  # the cause may quote what is in the file


def _room(arguments: argparse.Namespace) -> Room:
    kept = (arguments.kept or arguments.room / "kept") / f"{datetime.now():%Y-%m-%d-%H%M%S}"
    with _bound(LOCAL, 0) as hub, _bound(LOCAL, 0) as page, _bound(LOCAL, 0) as proxy_port:
        return Room(
            folder=arguments.room.resolve(),
            seats=arguments.learners,
            first=arguments.first_user,
            address=arguments.host,
            port=arguments.port,
            hub=hub,
            page=page,
            proxy_port=proxy_port,
            kept=kept.resolve(),
            # https://www.sudo.ws/docs/man/sudo.man/#ENVIRONMENT
            keeper=(int(os.environ.get("SUDO_UID", "0")), int(os.environ.get("SUDO_GID", "0"))),
        )


def _run(room: Room, password: str, host_password: str) -> None:
    """Start the local AWS and the hub; return when the hub has ended, with nothing left running."""
    started = time.monotonic()
    localaws.stop(room.aws)  # one that was left behind by a workshop that was killed
    guests = f"{room.first}:{room.seats}"
    serve = ["-m", "helpers.localaws", "--state", str(room.aws), "--guests", guests]
    aws = _start(room, serve, "aws")
    hub = None
    try:
        _wait(lambda: localaws.running(room.aws) is not None, aws, room, "aws")
        secret = {PASSWORD: password, HOST_PASSWORD: host_password, **room.variables()}
        config = room.workbook / "helpers" / "workshop" / "hub.py"
        hub = _start(room, ["-m", "jupyterhub", "-f", str(config)], "hub", secret)
        _wait(lambda: _answers(room), hub, room, "hub")
        _announce(room, password, host_password, time.monotonic() - started)
        _until_the_day_ends(room, aws, hub)
    finally:
        child.be_asked_no_more()
        for process in filter(None, (hub, aws)):
            child.end(process, 60)
        _end_orphans(room)
        people.end_processes(*map(room.user, range(room.seats + 1)))
        print("Stopped. Nothing is left running.")


def _until_the_day_ends(
    room: Room, aws: subprocess.Popen[bytes], hub: subprocess.Popen[bytes]
) -> None:
    """Return when the hub has ended in order. Raises WorkbookError where it or the AWS is lost."""
    while (status := hub.poll()) is None:
        if aws.poll() is not None:
            raise _lost("The local AWS", room, "aws")
        time.sleep(LOOK_SECONDS)
    if status:
        raise _lost("JupyterHub", room, "hub")


def _lost(what: str, room: Room, name: str) -> WorkbookError:
    return WorkbookError(
        f"{what} has ended, and the workshop with it; {room.state / name}.log says why. The seats "
        "and the work are where they were: start it again."
    )


def _end_orphans(room: Room) -> None:
    """End what a hub that was killed has left: its proxy and its service, in their own sessions.

    They are found by what they run, and where: a shell of the host's in that folder stays.
    """
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            program = (place / "cmdline").read_bytes()
            if program.startswith(os.fsencode(f"{room.folder / 'environment'}/")) and (
                (place / "cwd").readlink() == room.state
            ):
                os.kill(int(place.name), signal.SIGKILL)


def _start(
    room: Room, words: list[str], name: str, secret: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process of root's with an environment of its own, and a log that only root reads."""
    environment = {
        "HOME": str(room.state),
        "LANG": "C.UTF-8",
        "PATH": f"{room.python.parent}:/usr/local/bin:/usr/bin:/bin",
        **(secret or {}),
    }
    with open(room.state / f"{name}.log", "wb") as log:
        return subprocess.Popen(
            [str(room.python), *words],
            cwd=room.state,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C comes to this process alone, which ends it in order
        )


def _wait(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], room: Room, name: str
) -> None:
    log = room.state / f"{name}.log"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if ready():
            return
        if process.poll() is not None:
            words = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise WorkbookError(" ".join(["The workshop did not start:", *words, f"(see {log})"]))
        time.sleep(0.1)
    raise WorkbookError(f"The workshop did not start within {START_SECONDS} s; see {log}")


def _answers(room: Room) -> bool:
    address = LOCAL if room.address == EVERYWHERE else room.address
    try:
        loopback.opener().open(f"http://{address}:{room.port}/hub/health", timeout=5).close()
    except OSError:
        return False
    return True


def _announce(room: Room, password: str, host_password: str, seconds: float) -> None:
    """Say where the room is. The one place where a password that was made here is shown."""
    everywhere = room.address == EVERYWHERE
    address = f"http://{socket.gethostname() if everywhere else room.address}:{room.port}"
    number = _own_address() if everywhere else ""
    shown = password if room.address == LOCAL else "the one that you chose"
    lines = [
        f"The workshop is open ({seconds:.0f} s).",
        "",
        f"Learners:  {address}",
        *([f"           or http://{number}:{room.port}, if that is not found"] if number else []),
        f"           a name of their own, and the room's password: {shown}",
        f"Host:      {address}/services/host/",
        f"           the name host, and the host's password: {host_password}",
        f"Seats:     {room.seats}",
        f"Work goes to {room.kept} when the day is ended.",
    ]
    if room.address != LOCAL:
        lines += [
            "",
            "The room is open to the network, without TLS: whoever can listen to it can read the",
            "passwords and take over a seat. Use a network of the room's own.",
        ]
    lines += ["", "Ctrl-C stops it; the seats and the work stay for the next start."]
    print("\n" + "\n".join(f"  {line}".rstrip() for line in lines) + "\n", flush=True)


def _own_address() -> str:
    """Return this computer's address in the network, "" where there is none: names may not do.

    Nothing is sent: the system only says from where it would send to an address that is for
    documentation (https://www.rfc-editor.org/rfc/rfc5737).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return probe.getsockname()[0]


if __name__ == "__main__":
    sys.exit(main())
