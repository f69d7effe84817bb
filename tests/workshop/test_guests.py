"""The local AWS where accounts belong to other users: what a guest's code can reach."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.parsers import ResponseParserError

from helpers import inbox, localaws, stack
from helpers.localaws import ServerRecord, guests
from helpers.session import Session, connect
from helpers.workshop.room import Room
from tests.workshop.conftest import needs_root
from tests.workshop.users import as_user, folder_for_everybody

FIRST = 60900
ONE, OTHER = "000000000001", "000000000002"


def test_an_account_is_a_user_and_none_is_root() -> None:
    users = guests.Guests.read("60900:20")
    assert users.user("000000000001") == 60901
    assert users.user("000000000020") == 60920
    assert users.user("000003000020") == 60920
    for nobody in ("000000000000", "000000000021", "123456789012"):
        assert users.user(nobody) == 60900
    for wrong in ("0:20", "5", "5:0", "a:b"):
        with pytest.raises(ValueError, match=r"names no|not enough|invalid literal"):
            guests.Guests.read(wrong)


@pytest.mark.skipif(os.geteuid() == 0, reason="it is root who may")
def test_only_root_acts_for_others() -> None:
    with pytest.raises(PermissionError):
        guests.install(guests.Guests(FIRST, 2))


READ = """
import sys
from pathlib import Path
from helpers.localaws import guests
guests.install(guests.Guests.read(sys.argv[1]))
with guests.filing_for(sys.argv[2], Path(sys.argv[3])):
    print(Path(sys.argv[4]).read_text())
"""


@needs_root
def test_who_acts_for_a_guest_keeps_none_of_root_s_groups() -> None:
    folder = folder_for_everybody()
    secret = folder / "of-the-group.txt"
    secret.write_text("secret")
    secret.chmod(0o640)
    words = [f"{FIRST}:2", ONE, str(folder / "mine"), str(secret)]
    command = [sys.executable, "-c", READ, *words]
    done = subprocess.run(command, extra_groups=[0], capture_output=True, text=True, check=False)
    shutil.rmtree(folder)
    assert done.stdout == ""
    assert "PermissionError" in done.stderr


@pytest.fixture(scope="module")
def state(room: Room) -> Iterator[Path]:
    """The state file of a server that has guests, and no other test's."""
    folder = folder_for_everybody()
    path = folder / "state.json"
    command = [str(room.python), "-m", "helpers.localaws", "--state", str(path)]
    server = subprocess.Popen(
        [*command, "--guests", f"{FIRST}:2"],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
    )
    server.stdout.readline()
    folder.chmod(0o711)
    yield path
    localaws.stop(path)
    server.wait()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def host(state: Path) -> Session:
    return connect("local", state=state)


def _role(session: Session) -> str:
    iam = session.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    try:
        role = iam.create_role(RoleName="plain", AssumeRolePolicyDocument=json.dumps(trust))
    except iam.exceptions.EntityAlreadyExistsException:
        role = iam.get_role(RoleName="plain")
    return role["Role"]["Arn"]


def _zip(name: str, code: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(name, code)
    return packed.getvalue()


def _answer(session: Session, code: str, **settings: object) -> object:
    """What a function with this body of a handler answers."""
    functions = session.client("lambda")
    body = "".join(f"    {line}\n" for line in code.splitlines())
    wanted = {"Runtime": "python3.12", "Handler": "app.handler", **settings}
    packed = _zip("app.py", f"import os, pathlib\ndef handler(event, context):\n{body}")
    functions.create_function(
        FunctionName="probe", Role=_role(session), Code={"ZipFile": packed}, Timeout=20, **wanted
    )
    try:
        return json.load(functions.invoke(FunctionName="probe")["Payload"])
    finally:
        functions.delete_function(FunctionName="probe")


@needs_root
@pytest.mark.parametrize(("account", "user"), [(ONE, FIRST + 1), (OTHER, FIRST + 2)])
def test_a_function_runs_as_its_account_s_user(state: Path, account: str, user: int) -> None:
    session = connect("local", account=account, state=state)
    who = _answer(session, "return [os.getresuid(), os.getresgid(), os.getgroups()]")
    assert who == [[user] * 3, [user] * 3, []]


@needs_root
def test_code_runs_as_its_user_when_it_is_imported(state: Path) -> None:
    session = connect("local", account=ONE, state=state)
    functions = session.client("lambda")
    packed = _zip("app.py", "import os\nwho = os.getuid()\ndef handler(event, context): return who")
    functions.create_function(
        FunctionName="early",
        Role=_role(session),
        Code={"ZipFile": packed},
        Runtime="python3.12",
        Handler="app.handler",
    )
    assert json.load(functions.invoke(FunctionName="early")["Payload"]) == FIRST + 1
    functions.delete_function(FunctionName="early")


@needs_root
def test_a_function_of_an_account_without_a_user_is_nobody(host: Session) -> None:
    assert _answer(host, "return os.getuid()") == FIRST


@needs_root
def test_a_function_cannot_name_another_account_in_its_environment(state: Path) -> None:
    session = connect("local", account=ONE, state=state)
    mine = f"arn:aws:lambda:us-east-1:{OTHER}:function:probe"
    variables = {"_LAMBDA_FUNCTION_ARN": mine, "AWS_LAMBDA_FUNCTION_NAME": "other"}
    who = _answer(session, "return os.getuid()", Environment={"Variables": variables})
    assert who == FIRST + 1


@needs_root
def test_a_function_reads_neither_the_server_s_files_nor_its_memory(state: Path) -> None:
    session = connect("local", account=ONE, state=state)
    record = ServerRecord.read(state)
    tries = f"""
def attempt(read):
    try:
        return repr(read())
    except OSError as error:
        return type(error).__name__
state = pathlib.Path({str(state)!r})
return [
    attempt(state.read_text),
    attempt(lambda: os.listdir(state.parent)),
    attempt(lambda: os.listdir(state.with_name("state-tmp"))),
    attempt(lambda: pathlib.Path("/proc/{record.pid}/environ").read_bytes()),
    attempt(lambda: open("/proc/{record.pid}/mem", "rb").read(1)),
    attempt(lambda: os.kill({record.pid}, 0)),
    attempt(lambda: os.setuid(0)),
    attempt(lambda: pathlib.Path("app.py").write_text("")),
]"""
    assert _answer(session, tries) == ["PermissionError"] * 8


@needs_root
def test_a_function_knows_no_secret_and_holds_no_file_of_the_server(state: Path) -> None:
    session = connect("local", account=ONE, state=state)
    record = ServerRecord.read(state)
    known = _answer(session, "return dict(os.environ)")
    everything = json.dumps(known)
    assert record.secret_key not in everything
    assert record.access_key not in everything
    held = """
import stat
found = []
for number in range(3, 256):
    try:
        found.append(stat.filemode(os.fstat(number).st_mode)[0])
    except OSError:
        pass
return found"""
    assert _answer(session, held) == ["p"]  # the pipe that tells when the server ends


@needs_root
def test_functions_in_other_languages_run_as_the_user_or_not_at_all(
    state: Path, tmp_path: Path
) -> None:
    session = connect("local", account=ONE, state=state)
    functions = session.client("lambda")
    packed = _zip("bootstrap", f"#!/bin/sh\nid -u > {tmp_path}/of-root\n")
    functions.create_function(
        FunctionName="binary",
        Role=_role(session),
        Code={"ZipFile": packed},
        Runtime="provided.al2023",
        Handler="any",
    )
    answer = functions.invoke(FunctionName="binary")
    assert answer["FunctionError"]
    assert not (tmp_path / "of-root").exists()
    functions.delete_function(FunctionName="binary")


@needs_root
def test_mail_is_its_account_s_user_s(state: Path) -> None:
    session = connect("local", account=ONE, state=state)
    topic = session.client("sns").create_topic(Name="news")["TopicArn"]
    session.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    folder = Path(session.mailbox) / ONE
    assert {each.stat().st_uid for each in folder.rglob("*")} == {FIRST + 1}
    assert folder.stat().st_mode & 0o777 == 0o700
    read = f"import os; print(len(os.listdir({str(folder / 'new')!r})))"
    assert as_user(FIRST + 1, ["python3", "-c", read]).stdout == "1\n"
    assert "PermissionError" in as_user(FIRST + 2, ["python3", "-c", read]).stderr
    assert inbox.delete(session) == 1


@needs_root
def test_a_link_in_a_guest_s_mailbox_leads_to_nothing_of_root_s(
    state: Path, tmp_path: Path
) -> None:
    session = connect("local", account=OTHER, state=state)
    sns = session.client("sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    folder, target = Path(session.mailbox) / OTHER, tmp_path / "roots"
    target.mkdir(mode=0o700)
    lure = "import os, sys; os.rmdir(sys.argv[1]); os.symlink(sys.argv[2], sys.argv[1])"
    assert (
        as_user(FIRST + 2, ["python3", "-c", lure, str(folder / "tmp"), str(target)]).returncode
        == 0
    )
    with pytest.raises(ResponseParserError, match="Permission denied"):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="b@example.com")
    assert list(target.iterdir()) == []


@needs_root
def test_the_app_works_as_ever(state: Path) -> None:
    session = connect("local", account=ONE, state=state)
    from helpers import incident

    app = stack.require(session)
    execution = incident.create(session, app)
    assert incident.wait_for_question(session, execution)
