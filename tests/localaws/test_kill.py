"""What becomes of the work when a process is killed: a function's, the fork server, the server."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from helpers import approval, errors, history, inbox, incident, localaws, policy, stack
from helpers.errors import WorkbookError
from helpers.localaws.record import CHECKOUT
from helpers.session import Session, connect
from tests.localaws.laboratory import Laboratory, eventually, furnish, machine, task

# Says which process it is, and hangs the first time.
MORTAL = """
import os, pathlib, time

def handler(event, context):
    path = pathlib.Path(event["path"])
    hangs = not path.exists()
    draft = path.with_suffix(".draft")
    draft.write_text(str(os.getpid()))
    draft.replace(path)
    if hangs:
        time.sleep(3600)
    return "done"
"""
RETRY = [{"ErrorEquals": ["Runtime.ExitError"], "IntervalSeconds": 1, "MaxAttempts": 1}]

# Appended to a function of the app: its first invocation is killed as by `kill -9`.
KILLED_ONCE = """

import os, pathlib, signal

_as_it_was = lambda_handler


def lambda_handler(event, context):
    path = pathlib.Path({folder!r}) / context.function_name
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return _as_it_was(event, context)
"""


def _state(aws: Session) -> Path:
    return Path(aws.mailbox).parent / "state.json"


def _server(aws: Session) -> psutil.Process:
    return psutil.Process(localaws.running(_state(aws)).pid)


def _fork_server(aws: Session) -> psutil.Process:
    found = [
        process
        for process in _server(aws).children()
        if "multiprocessing.forkserver" in " ".join(process.cmdline())
    ]
    (only,) = found
    return only


def _create(laboratory: Laboratory, name: str, code: str) -> str:
    """Create a function of this code; return its ARN."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("app.py", code)
    created = laboratory.aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=laboratory.role,
        Handler="app.handler",
        Code={"ZipFile": file.getvalue()},
        Timeout=600,
    )
    return created["FunctionArn"]


def _process_of(path: Path) -> psutil.Process:
    """Wait until a mortal function has said which process it is."""
    return psutil.Process(int(eventually(lambda: path.exists() and path.read_text())))


def _types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


# --- a function ----------------------------------------------------------------------------


def test_a_function_killed_in_mid_invocation_fails_as_on_aws_and_is_tried_again(
    aws: Session, tmp_path: Path
) -> None:
    """The words are Lambda's: https://github.com/floci-io/floci/issues/3314 has them from AWS."""
    laboratory = furnish(aws)
    function = _create(laboratory, "mortal", MORTAL)
    path = tmp_path / "pid"
    definition = machine(A=task(function, Retry=RETRY))
    execution = laboratory.start(definition, {"path": str(path)}, "killed")
    _process_of(path).kill()
    events = laboratory.history(execution)
    assert _types(events) == [
        "ExecutionStarted",
        "TaskStateEntered",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionFailed",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    failed = events[4]["lambdaFunctionFailedEventDetails"]
    assert failed["error"] == "Runtime.ExitError"
    cause = json.loads(failed["cause"])
    assert set(cause) == {"errorType", "errorMessage"}
    request, _, words = cause["errorMessage"].partition(" Error: ")
    assert request.startswith("RequestId: ")
    assert words == "Runtime exited with error: signal: killed"


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("os._exit(3)", "Runtime exited with error: exit status 3"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 15)", "Runtime exited with error: signal: terminated"),
    ],
)
def test_a_function_that_ends_its_process_says_how(aws: Session, ending: str, words: str) -> None:
    laboratory = furnish(aws)
    name = f"ending-{abs(hash(ending))}"
    _create(laboratory, name, f"import os\ndef handler(event, context):\n    {ending}\n")
    answer = aws.client("lambda").invoke(FunctionName=name)
    assert answer["FunctionError"] == "Unhandled"
    assert json.load(answer["Payload"])["errorMessage"].endswith(words)


def test_an_incident_ends_quarantined_though_each_function_is_killed_once(
    alone: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    faulty = tmp_path / "app"
    shutil.copytree(CHECKOUT / "app", faulty)
    for name in ("validate_policy", "revert_policy"):
        with (faulty / "functions" / name / "app.py").open("a") as code:
            code.write(KILLED_ONCE.format(folder=str(killed)))
    monkeypatch.setattr(stack, "TEMPLATE", faulty / "template.yaml")
    app = stack.require(alone)
    execution = incident.create(alone, app)
    events = history.events(alone.client("stepfunctions"), execution)
    failed = [event for event in events if event["type"] == "LambdaFunctionFailed"]
    assert [event["lambdaFunctionFailedEventDetails"]["error"] for event in failed] == [
        "Runtime.ExitError"
    ] * 2
    assert len(list(killed.iterdir())) == 2
    assert policy.versions(alone).in_force.name != "v1"


# --- the process that functions are forked from --------------------------------------------


def test_functions_run_on_when_the_process_they_are_forked_from_is_killed(
    alone: Session, tmp_path: Path
) -> None:
    laboratory = furnish(alone)
    path = tmp_path / "pid"
    name = _create(laboratory, "mortal", MORTAL)
    waiting = laboratory.start(machine(A=task(name, Retry=RETRY)), {"path": str(path)}, "waiting")
    hanging = _process_of(path)
    first = _fork_server(alone)
    first.kill()
    eventually(lambda: first.status() == psutil.STATUS_ZOMBIE)  # its parent looks for it later
    _create(laboratory, "fresh", "def handler(event, context):\n    return event\n")
    # One that was never started, and one that was.
    for function in ("laboratory", "fresh", "laboratory"):
        answer = alone.client("lambda").invoke(FunctionName=function, Payload=b'{"a": 1}')
        assert "FunctionError" not in answer
        assert json.load(answer["Payload"]) == {"a": 1}
    second = _fork_server(alone)
    assert second.pid != first.pid
    # Functions can read what they were forked from: it has no key of the server's.
    environment = second.environ()
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & set(environment)
    # What was at work is not lost with it.
    assert hanging.is_running()
    hanging.kill()
    assert laboratory.output(waiting) == "done"


# --- the server ----------------------------------------------------------------------------


def test_a_killed_server_leaves_no_process_even_in_mid_invocation_and_no_mail(
    alone: Session, tmp_path: Path
) -> None:
    app = stack.require(alone)
    incident.create(alone, app)
    laboratory, path = furnish(alone), tmp_path / "pid"
    function = _create(laboratory, "mortal", MORTAL)
    laboratory.start(machine(A=task(function)), {"path": str(path)}, "orphan")
    hanging = _process_of(path)
    server = _server(alone)
    family = [server, *server.children(recursive=True)]
    assert hanging in family
    assert inbox.mails(alone)
    code = Path(hanging.cwd())
    os.kill(server.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive
    again = connect("local", state=_state(alone))
    assert inbox.mails(again) == []
    assert not code.exists()


def test_after_a_kill_every_call_ends_in_a_sentence_and_a_notebook_is_named(
    alone: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same kernel goes on: its session is the old server's, and its app is gone."""
    app = stack.require(alone)
    execution = incident.create(alone, app)
    question = approval.pending(alone, app)[0]
    _server(alone).kill()
    calls: list[Callable[[], Any]] = [
        lambda: history.events(alone.client("stepfunctions"), execution),
        lambda: incident.wait_for_end(alone, execution),
        lambda: approval.pending(alone, app),
        lambda: approval.decide(alone, question.token, allow=False),
        lambda: approval.panel(alone, app),
        lambda: stack.find(alone),
    ]
    for call in calls:
        with pytest.raises(Exception) as gone:  # noqa: PT011 - of any kind, if it is explained
            call()
        assert "first cell again" in errors.explain(gone.value)
    capsys.readouterr()
    again = connect("local", state=_state(alone))
    told = capsys.readouterr().out
    assert "what was deployed in it is gone" in told
    assert "01_deploy_the_app" in told
    with pytest.raises(WorkbookError, match="01_deploy_the_app"):
        stack.find(again)
    # The old session still ends in the sentence, now that another server is there.
    with pytest.raises(Exception) as gone:  # noqa: PT011
        alone.client("iam").list_users()
    assert "first cell again" in errors.explain(gone.value)
    assert stack.require(again).name == app.name
    assert "was not deployed yet" in capsys.readouterr().out


NOTEBOOK = """
import os
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance(colors="NoColor")
shell.extension_manager.load_extension("helpers.kernel")
for cell in {cells!r}:
    print("-----")
    shell.run_cell(cell)
"""


def test_a_notebook_of_another_kernel_says_the_same(alone: Session) -> None:
    stack.require(alone)
    connecting = (
        "import pathlib\n"
        "from helpers import history, session, stack\n"
        f"aws = session.connect(state=pathlib.Path({str(_state(alone))!r}))"
    )
    cells = [
        connecting,
        "app = stack.find(aws)",
        f"import os; os.kill({_server(alone).pid}, 9)",
        "history.events(aws.client('stepfunctions'), app.state_machine)",
        connecting,
        "app = stack.find(aws)",
    ]
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK.format(cells=cells)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    _, first, found, _, gone, second, missing = done.stdout.split("-----\n")
    assert "is gone" not in first
    assert found == ""
    assert "The local AWS does not answer" in gone
    assert "01_deploy_the_app" in second
    assert "Run this notebook from its first cell" in missing
    assert "Traceback" not in done.stdout + done.stderr
