"""The server process: who may reach it, how it is found, and what happens when it is not there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import psutil
import pytest
from botocore.exceptions import EndpointConnectionError

from helpers import environment, errors, incident, localaws, stack
from helpers.errors import WorkbookError
from helpers.localaws import LocalAwsError, server
from helpers.localaws.record import CHECKOUT, ServerRecord
from helpers.session import Session, connect


def _listeners(process: psutil.Process) -> set[tuple[str, int]]:
    family = [process, *process.children(recursive=True)]
    connections = [found for member in family for found in member.net_connections("inet")]
    return {tuple(found.laddr) for found in connections if found.status == psutil.CONN_LISTEN}


def test_it_listens_on_one_port_of_127_0_0_1_and_nowhere_else(aws: Session, app: object) -> None:
    # With the app deployed, its functions' processes are there too.
    record = localaws.running(_state(aws))
    assert _listeners(psutil.Process(record.pid)) == {("127.0.0.1", record.port)}


def _state(aws: Session) -> Path:
    return Path(aws.mailbox).parent / "state.json"


def test_only_its_owner_may_read_the_state_file(aws: Session) -> None:
    path = _state(aws)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0


def test_its_credentials_are_not_shown(aws: Session) -> None:
    record = ServerRecord.read(_state(aws))
    log = _state(aws).with_suffix(".log").read_text()
    for shown in (repr(record), repr(aws), log):
        assert record.secret_key not in shown
    assert record.access_key not in repr(aws)


def test_two_starts_have_different_credentials(aws: Session, tmp_path: Path) -> None:
    other, _ = localaws.ensure(tmp_path / "state.json")
    try:
        assert other.secret_key != ServerRecord.read(_state(aws)).secret_key
        assert other.port != ServerRecord.read(_state(aws)).port
    finally:
        localaws.stop(tmp_path / "state.json")


def test_a_second_connect_reuses_the_server(aws: Session, state: Path) -> None:
    assert connect("local", state=state).endpoint == aws.endpoint


def test_the_control_paths_of_ministack_are_closed(aws: Session) -> None:
    for path in ("/_ministack/reset", "/_ministack/config", "/_localstack/health"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(aws.endpoint + path, data=b"{}"))
        assert refused.value.code == 404


def test_without_a_signature_nothing_is_answered(aws: Session) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(aws.endpoint, data=b"Action=ListUsers&Version=2010-05-08")
    assert refused.value.code in (400, 403)


def test_with_a_wrong_secret_nothing_is_answered(aws: Session) -> None:
    guess = boto3.client(
        "iam",
        endpoint_url=aws.endpoint,
        region_name="us-east-1",
        aws_access_key_id=ServerRecord.read(_state(aws)).access_key,
        aws_secret_access_key="a guess",
    )
    with pytest.raises(guess.exceptions.ClientError, match="SignatureDoesNotMatch"):
        guess.list_users()


@pytest.mark.parametrize("key", ["test", "root", "", "123456789012"])
def test_nobody_is_root_without_the_secret(aws: Session, key: str) -> None:
    """MiniStack would take these at their word; a web page could run code on this computer."""
    signed = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20261122/us-east-1/iam/aws4_request"
        ", SignedHeaders=host, Signature=00"
    }
    for headers in (signed, {}):
        body = b"Action=ListUsers&Version=2010-05-08"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(aws.endpoint, body, headers))
        assert refused.value.code in (400, 403)


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalAwsError, match=f"Port {port} cannot be used.*--port"):
            localaws.ensure(tmp_path / "state.json", port)


def test_a_server_that_was_killed_is_replaced_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "state.json"
    aws = connect("local", state=path)
    os.kill(localaws.running(path).pid, signal.SIGKILL)
    # In mid-lesson, a notebook's call fails with a sentence that names the way on ...
    with pytest.raises(EndpointConnectionError) as gone:
        _until_it_fails(aws)
    assert "first cell again" in errors.explain(gone.value)
    # ... and the first cell starts a new one and says that what was there is gone.
    again = connect("local", state=path)
    assert "is gone" in capsys.readouterr().out
    assert again.client("sts").get_caller_identity()["Account"] == again.account
    localaws.stop(path)


@pytest.mark.parametrize("is_workshop", [False, True])
def test_a_server_that_nobody_asks_ends_unless_it_is_a_workshop_s(
    is_workshop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "IDLE_SECONDS", 0)
    monkeypatch.setattr(server, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(server.guests, "are_here", lambda: is_workshop)

    async def ends() -> bool:
        stopping = asyncio.Event()
        gateway = server.Gateway(None, None)
        watching = asyncio.create_task(server._stop_when_idle(gateway, stopping))
        await asyncio.sleep(0.1)
        watching.cancel()
        return stopping.is_set()

    assert asyncio.run(ends()) is not is_workshop


def _until_it_fails(aws: Session) -> None:
    iam = aws.client("iam")
    for _ in range(50):
        iam.list_users()
        time.sleep(0.1)


def test_a_state_file_of_another_program_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    ServerRecord(port, os.getpid(), "i", "1", "us-east-1", "AKIA", "s", "m").write(path)
    assert localaws.running(path) is None
    path.write_text("not json")
    assert localaws.running(path) is None


def test_stop_leaves_no_process_and_no_state(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    record, _ = localaws.ensure(path)
    family = [psutil.Process(record.pid), *psutil.Process(record.pid).children(recursive=True)]
    assert localaws.stop(path)
    assert not path.exists()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    assert not localaws.stop(path)


def test_a_killed_server_leaves_no_process(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    record, _ = localaws.ensure(path)
    family = psutil.Process(record.pid).children(recursive=True)
    os.kill(record.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


def test_the_command_serves_in_the_foreground_until_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    command = [sys.executable, "-m", "helpers.localaws", "--state", str(path)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as server:
        assert "The local AWS answers on http://127.0.0.1:" in server.stdout.readline()
        assert localaws.running(path).pid == server.pid
        second = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert "already running" in second.stderr
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0
    assert not path.exists()


def test_an_account_of_the_user_is_never_called(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another account's profile chosen, everything goes to the local AWS all the same."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(
        "[work]\naws_access_key_id = AKIAREALREALREALREAL\naws_secret_access_key = real\n"
    )
    (folder / "config").write_text(
        "[profile work]\nregion = eu-west-1\nendpoint_url = http://127.0.0.1:9\n"
    )
    for name, value in {
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL_IAM": "http://127.0.0.1:9",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_CA_BUNDLE": "/nowhere",
    }.items():
        monkeypatch.setenv(name, value)
    aws = connect("local", state=state)
    users = {
        "the session's client": aws.client("iam").list_users()["ResponseMetadata"],
        "a plain boto3 client": boto3.client("iam").list_users()["ResponseMetadata"],
    }
    for answer in users.values():
        assert answer["HTTPStatusCode"] == 200
    shell = subprocess.run(
        "aws sts get-caller-identity", shell=True, capture_output=True, text=True, check=True
    )
    assert json.loads(shell.stdout)["Account"] == aws.account
    configured = subprocess.run(
        "aws configure list", shell=True, capture_output=True, text=True, check=True
    )
    assert "work" not in configured.stdout


def test_a_real_account_needs_its_number(monkeypatch: pytest.MonkeyPatch, aws: Session) -> None:
    """Asked for by name, a real account is shown, and not used unless its number is typed.

    The "real" account here is the local one, reached as AWS would be: through the environment.
    """
    own = {**environment.current(), "AWS_PROFILE_OF": "the user"}
    monkeypatch.setattr("helpers.environment._users_own", own)
    asked = []

    def answer(words: str) -> str:
        asked.append(words)
        return "no"

    with pytest.raises(WorkbookError, match="Nothing was done"):
        connect("aws", confirm=answer)
    assert aws.account in asked[0]
    assert aws.principal in asked[0]
    # Refused, nothing but the local AWS is in reach again.
    assert os.environ["AWS_ENDPOINT_URL"] == aws.endpoint
    assert "AWS_PROFILE" not in os.environ

    confirmed = connect("aws", confirm=lambda _: aws.account)
    assert confirmed.target == "aws"


def test_an_unknown_target_is_a_sentence() -> None:
    with pytest.raises(WorkbookError, match="'local' or 'aws'"):
        connect("lokal")


def test_a_kernel_that_has_not_connected_reaches_no_account(tmp_path: Path) -> None:
    """A cell with only an `aws` command needs no name from the first cell: it must fail at home."""
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(
        "[default]\naws_access_key_id = AKIAREALREALREALREAL\naws_secret_access_key = real\n"
    )
    cell = "!aws sts get-caller-identity --debug 2>&1"
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.extension_manager.load_extension('helpers.kernel')\n"
        f"shell.run_cell({cell!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HOME": str(tmp_path), "AWS_PROFILE": "default"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "run-the-first-cell-of-this-notebook" in done.stdout
    assert "amazonaws.com" not in done.stdout
    assert "AKIAREAL" not in done.stdout


def test_the_functions_know_no_configuration_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their processes are forked from one that has boto3 loaded: it must not have read any."""
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "config").write_text("[default]\nignore_configured_endpoint_urls = true\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    monkeypatch.setenv("no_proxy", "intranet.example")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    state = tmp_path / "state.json"
    try:
        aws = connect("local", state=state)
        app = stack.require(aws)
        assert incident.create(aws, app)
    finally:
        localaws.stop(state)


def test_connections_are_closed_when_their_client_has_closed_them(aws: Session) -> None:
    """hypercorn alone keeps them for its idle time; a laptop's 256 files are used up by then."""
    server = psutil.Process(localaws.running(_state(aws)).pid)
    before = server.num_fds()
    for _ in range(40):
        fresh = boto3.session.Session().client("sts", endpoint_url=aws.endpoint)
        fresh.get_caller_identity()
        fresh.close()
    deadline = time.monotonic() + 10
    while server.num_fds() > before + 10 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert server.num_fds() <= before + 10


def test_a_suspended_server_is_not_replaced_and_can_be_ended(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    record, _ = localaws.ensure(path)
    server = psutil.Process(record.pid)
    server.suspend()
    try:
        with pytest.raises(LocalAwsError, match="may be suspended"):
            localaws.ensure(path)
        assert localaws.stop(path)
    finally:
        if server.is_running():
            server.resume()
    assert not psutil.pid_exists(record.pid)


def test_a_learner_of_a_workshop_gets_no_private_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".workbook" / "state.json"
    monkeypatch.setenv("WORKBOOK_LINKS", "/services/links")
    try:
        with pytest.raises(LocalAwsError, match=r"Stop My Server, then Start.*ask the host"):
            localaws.ensure(path)
        assert localaws.running(path) is None
    finally:
        localaws.stop(path)


def test_an_interrupted_start_leaves_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("helpers.localaws.process._wait_for", interrupt)
    with pytest.raises(KeyboardInterrupt):
        localaws.ensure(path)
    time.sleep(0.2)
    mine = [found for found in psutil.process_iter(["cmdline"]) if str(path) in _line(found)]
    assert mine == []


def _line(process: psutil.Process) -> str:
    return " ".join(process.info["cmdline"] or [])
