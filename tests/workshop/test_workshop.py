"""A whole workshop: its hub, its proxy, its local AWS, learners who mean well and one who does not.

One room for all tests of this file, three seats, four people. The last four end what the others
need: a learner's first account, a seat, and the day.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import expect, sync_playwright

from helpers.localaws import ServerRecord
from helpers.localaws.record import CHECKOUT
from helpers.workshop import people
from helpers.workshop.room import NICENESS, Room
from helpers.workshop.seats import Seats
from tests.browser import chromium
from tests.browser.lab import PATIENCE, picture
from tests.workshop import running
from tests.workshop.conftest import needs_root
from tests.workshop.running import Workshop
from tests.workshop.visitor import Visitor, until

pytestmark = needs_root

expect.set_options(timeout=PATIENCE)

FIRST = 61000
LEARNERS = ("ada", "bob", "mallory")


@pytest.fixture(scope="module")
def workshop(room: Room) -> Iterator[Workshop]:
    with running.workshop(room.folder, len(LEARNERS), FIRST) as workshop:
        yield workshop


@pytest.fixture(scope="module")
def learners(workshop: Workshop) -> dict[str, Visitor]:
    """Three learners who have logged in, and whose servers run."""
    visitors = {name: workshop.visitor(name) for name in LEARNERS}
    assert [visitor.log_in(workshop.password) for visitor in visitors.values()] == ["", "", ""]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(Visitor.sit_down, visitors.values()))
    return visitors


@pytest.fixture(scope="module")
def ada(learners: dict[str, Visitor]) -> Visitor:
    return learners["ada"]


@pytest.fixture(scope="module")
def bob(learners: dict[str, Visitor]) -> Visitor:
    return learners["bob"]


@pytest.fixture(scope="module")
def mallory(learners: dict[str, Visitor]) -> Visitor:
    return learners["mallory"]


@pytest.fixture(scope="module")
def host(workshop: Workshop) -> Visitor:
    visitor = workshop.visitor("host")
    assert visitor.log_in(workshop.host_password) == ""
    return visitor


def _press(host: Visitor, act: str, name: str = "") -> str:
    """Press one of the host's buttons; return the page that comes then."""
    page = host.get("/services/host/").text
    guard = re.search(r'name="_xsrf" value="([^"]+)"', page)[1]
    answer = host.web.post(
        f"{host.address}/services/host/do",
        data={"act": act, "name": name, "_xsrf": guard},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    return answer.text


# --- coming in ---------------------------------------------------------------------------


def test_only_the_password_opens_the_room(workshop: Workshop) -> None:
    for name, password in (
        ("eve", "guess"),
        ("eve", ""),
        ("eve", workshop.host_password),
        ("host", workshop.password),
    ):
        assert "Invalid" in workshop.visitor(name).log_in(password)
    assert workshop.visitor("eve").get("/hub/home").url.startswith(f"{workshop.address}/hub/login")


@pytest.mark.parametrize("name", ["../etc", "a b", "1st", "x" * 21, "é", "a%s"])
def test_a_name_is_a_plain_word(workshop: Workshop, name: str) -> None:
    assert "A name is" in workshop.visitor(name).log_in(workshop.password)


def test_a_name_belongs_to_the_browser_that_took_it(workshop: Workshop, ada: Visitor) -> None:
    other = workshop.visitor("ada")
    assert "taken by another browser" in other.log_in(workshop.password)
    other.web.cookies.set("workshop-name-ada", "guess", path="/hub/login")
    assert "taken by another browser" in other.log_in(workshop.password)
    ada.get("/hub/logout")
    assert ada.log_in(workshop.password) == ""
    ada.sit_down()


@pytest.mark.usefixtures("learners")
def test_the_fourth_of_three_is_told_so(workshop: Workshop) -> None:
    assert "All 3 seats are taken" in workshop.visitor("dora").log_in(workshop.password)


@pytest.mark.usefixtures("learners")
def test_no_password_is_in_a_log_or_on_a_command_line(workshop: Workshop) -> None:
    logs = "".join(path.read_text() for path in (workshop.folder / "state").glob("*.log"))
    for secret in (workshop.password, workshop.host_password):
        assert workshop.words.count(secret) == 1
        assert secret not in logs
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        assert workshop.password.encode() not in words
        assert workshop.host_password.encode() not in words


# --- each alone --------------------------------------------------------------------------

WHO = """
import os, json
from helpers import session
aws = session.connect()
arn = aws.client("sts").get_caller_identity()["Arn"]
print(json.dumps([os.getuid(), os.getgid(), os.getgroups(), os.getcwd(), arn]))
"""


def test_each_learner_is_a_user_with_notebooks_and_an_account(
    workshop: Workshop, learners: dict[str, Visitor]
) -> None:
    found = {}
    for name, visitor in learners.items():
        facts = json.loads(visitor.run(WHO).splitlines()[-1])
        found[name] = facts[0]
        home = workshop.folder / "learners" / name
        assert facts[1:3] == [facts[0], []]
        assert facts[3] == str(home / "workbook" / "notebooks")
        assert facts[4] == f"arn:aws:iam::{facts[0] - FIRST:012d}:root"
        assert (home.stat().st_mode & 0o777, home.stat().st_uid) == (0o700, facts[0])
        listed = visitor.api("GET", f"/user/{name}/api/contents/notebooks").json()["content"]
        wanted = {path.name for path in (CHECKOUT / "notebooks").glob("[0-9]*.ipynb")}
        assert wanted <= {entry["name"] for entry in listed}
    assert sorted(found.values()) == [FIRST + 1, FIRST + 2, FIRST + 3]


def test_what_all_share_goes_before_a_learner_s_kernels(workshop: Workshop, ada: Visitor) -> None:
    """Else, in a full room, the local AWS would not answer before a deadline of the lessons."""
    assert ada.run("import os; os.nice(0)").strip() == str(NICENESS)
    server = ServerRecord.read(workshop.folder / "aws" / "state.json")
    assert os.getpriority(os.PRIO_PROCESS, server.pid) == 0


PRELUDE = """
import os, json, urllib.error, urllib.request
def attempt(do):
    try:
        return repr(do())[:60]
    except OSError as error:
        return type(error).__name__
def status(request):
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code
"""


def _try(visitor: Visitor, code: str) -> object:
    return json.loads(visitor.run(f"{PRELUDE}\nprint(json.dumps({code}))"))


def test_nobody_reads_another_s_files(workshop: Workshop, mallory: Visitor, ada: Visitor) -> None:
    folder = workshop.folder
    ada.run("from helpers import session; session.connect()")
    places = [
        folder / "learners" / "ada",
        folder / "learners" / "ada" / ".workbook",
        folder / "run" / "1",
        folder / "aws",
        folder / "aws" / "state-tmp",
        folder / "learners",
        folder / "state",
        folder / "run",
    ]
    seen = _try(mallory, f"[attempt(lambda: os.listdir(p)) for p in {list(map(str, places))}]")
    assert seen == ["PermissionError"] * len(places)
    files = [
        folder / "learners" / "ada" / ".workbook" / "state.json",
        folder / "aws" / "state.json",
        folder / "aws" / "state.alive",
        folder / "state" / "seats.json",
        folder / "state" / "hub.log",
    ]
    assert all(path.exists() for path in files)
    seen = _try(mallory, f"[attempt(lambda: open(p)) for p in {list(map(str, files))}]")
    assert seen == ["PermissionError"] * len(files)
    writing = "attempt(lambda: open(p, 'a'))"
    shared = [folder / "workbook" / "helpers" / "kernel.py", folder / "environment" / "new"]
    assert _try(mallory, f"[{writing} for p in {list(map(str, shared))}]") == [
        "PermissionError",
        "PermissionError",
    ]


def test_nobody_sees_into_another_s_processes(mallory: Visitor, learners: dict) -> None:
    code = """{
        p: [
            attempt(lambda: open(f"/proc/{p}/environ").read(1)),
            attempt(lambda: open(f"/proc/{p}/mem").read(1)),
            attempt(lambda: os.listdir(f"/proc/{p}/fd")),
            attempt(lambda: os.kill(int(p), 0)),
        ]
        for p in os.listdir("/proc")
        if p.isdigit() and attempt(lambda: os.stat(f"/proc/{p}").st_uid) != str(os.getuid())
    }"""
    seen = _try(mallory, code)
    others = set(map(str, people.processes(FIRST + 1))) | set(map(str, people.processes(FIRST + 2)))
    assert len(others & seen.keys()) >= 2
    gone = {"FileNotFoundError", "ProcessLookupError"}
    for tries in seen.values():
        assert set(tries) <= {"PermissionError", *gone}


# Waits for the end of what lays out the desk, then puts a link in the place of its own workbook.
SWAP = """
import os, sys
state, workbook = ".workbook/state.json", "workbook"
before = os.stat(state).st_ino
print("ready", flush=True)
while os.stat(state).st_ino == before:
    pass
os.rename(workbook, "own")
os.symlink(sys.argv[1], workbook)
"""
# Read by a server before it serves, wherever it was started.
NOTE = """
import os
with open(os.path.expanduser("~/noted.txt"), "a") as file:
    print(os.listdir("."), file=file)
"""
START = """
import os, subprocess, sys
home = os.environ["HOME"]
os.makedirs(f"{{home}}/.jupyter", exist_ok=True)
open(f"{{home}}/.jupyter/jupyter_server_config.py", "w").write({note!r})
process = subprocess.Popen([sys.executable, "-c", {code!r}, *{words!r}], cwd=home,
    stdout=subprocess.PIPE, text=True, start_new_session=True)
print(process.stdout.readline(), end="")
"""


def test_a_server_does_not_follow_a_link_to_where_its_learner_may_not_go(
    workshop: Workshop, mallory: Visitor, ada: Visitor
) -> None:
    ada.run("open('of-ada.txt', 'w').close()")
    homes = workshop.folder / "learners"
    home, theirs = homes / "mallory", homes / "ada" / "workbook" / "notebooks"
    start = START.format(note=NOTE, code=SWAP, words=[str(theirs)])
    assert mallory.run(start) == "ready\n"
    mallory.leave()
    mallory.get("/hub/spawn")
    until((home / "workbook").is_symlink, "mallory puts the link there")
    noted = home / "noted.txt"
    ended = "ended before it could be used"
    until(
        lambda: noted.exists() or ended in mallory.get("/hub/spawn-pending/mallory").text,
        "mallory's server begins, or ends",
    )
    assert "of-ada.txt" not in (noted.read_text() if noted.exists() else "")
    (home / "workbook").unlink()
    (home / "own").rename(home / "workbook")
    (home / ".jupyter" / "jupyter_server_config.py").unlink()
    mallory.sit_down()
    assert mallory.run("1 + 1") == "2"


# Takes a port as soon as nobody has it, and notes what comes; ends when a file says so.
SQUAT = """
import os, socket, sys
print("ready", flush=True)
door, came = None, b""
while not os.path.exists("enough"):
    try:
        if door is None:
            door = socket.create_server(("127.0.0.1", int(sys.argv[1])))
            door.settimeout(0.1)
            open("bound", "w").close()
        caller, _ = door.accept()
        came += caller.recv(65536)
        caller.close()
    except OSError:
        pass
open("came.new", "wb").write(came)
os.rename("came.new", "came")
"""


def test_nobody_takes_the_port_of_a_server_that_has_ended_while_the_proxy_leads_there(
    workshop: Workshop, mallory: Visitor, ada: Visitor
) -> None:
    """The proxy would send ada's browser there, with her cookies, until the hub has noticed."""
    where = ada.run("import os; print(os.environ['JUPYTERHUB_SERVICE_URL'])")
    port = re.search(r":(\d+)/", where)[1]
    home = workshop.folder / "learners" / "mallory"
    assert mallory.run(START.format(note="", code=SQUAT, words=[port])) == "ready\n"
    assert ada.api("POST", "/user/ada/api/shutdown").status_code == 200

    until(lambda: not people.processes(FIRST + 1), "ada's processes end")
    until(
        lambda: (home / "bound").exists() or not ada.hub("GET").json()["servers"],
        "mallory has the port, or the hub has noticed",
    )
    ada.get("/user/ada/lab")
    ada.until_it_has_ended()
    (home / "enough").touch()
    until((home / "came").exists, "mallory gives up")
    assert (home / "came").read_bytes() == b""
    ada.sit_down()
    assert ada.run("1 + 1") == "2"


def _listening(user: int) -> list[int]:
    """The ports on which processes of a user listen.

    https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
    """
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return [
        int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[3] == "0A" and int(row[7]) == user
    ]


def test_a_kernel_is_reached_through_its_learner_s_files_only(
    workshop: Workshop, learners: dict[str, Visitor]
) -> None:
    """ipykernel opens one port all the same, for output of a kernel's own subprocesses.

    It takes what begins with 16 random bytes of the kernel's memory, and gives nothing away:
    https://github.com/ipython/ipykernel/blob/main/ipykernel/iostream.py
    """
    for number, name in enumerate(LEARNERS, 1):
        assert learners[name].run("1 + 1") == "2"
        kernels = len(learners[name].api("GET", f"/user/{name}/api/kernels").json())
        assert len(_listening(FIRST + number)) == kernels
        sockets = list((workshop.folder / "run" / str(number)).glob("kernel-*-ipc-*"))
        assert len(sockets) >= 5 * kernels
        for file in (workshop.folder / "run" / str(number)).glob("kernel-*.json"):
            assert json.loads(file.read_text())["transport"] == "ipc"


def test_a_learner_s_server_asks_who_is_there(mallory: Visitor, ada: Visitor, bob: Visitor) -> None:
    token = '{"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}'
    for visitor in (ada, bob):
        where = visitor.run("import os; print(os.environ['JUPYTERHUB_SERVICE_URL'])").strip()
        port = int(re.search(r":(\d+)/", where)[1])
        assert port in _listening(0)  # the hub's socket: see spawner.py
        for path in ("api/contents", "api/kernels", "files/notebooks", "lab"):
            address = f"http://127.0.0.1:{port}/user/{visitor.name}/{path}"
            for headers in (token, "{}"):
                wanted = f"urllib.request.Request({address!r}, headers={headers})"
                answer = _try(mallory, f"attempt(lambda: urllib.request.urlopen({wanted}).url)")
                # Or the log-in page.
                assert answer == "HTTPError" or "/hub/" in answer, (path, answer)


def test_the_hub_and_the_proxy_obey_nobody(workshop: Workshop, mallory: Visitor) -> None:
    hub = mallory.run("import os; print(os.environ['JUPYTERHUB_API_URL'])").strip()
    token = '{"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}'

    def status(address: str, method: str = "GET", body: bytes | None = None) -> object:
        wanted = f"{address!r}, {body!r}, headers={token}, method={method!r}"
        return _try(mallory, f"status(urllib.request.Request({wanted}))")

    assert status(f"{hub}/user") == 200
    for path, method in (
        ("users", "GET"),
        ("users/ada", "GET"),
        ("users/ada/server", "DELETE"),
        ("users/ada/tokens", "POST"),
        ("proxy", "GET"),
        ("shutdown", "POST"),
    ):
        assert status(f"{hub}/{path}", method) in (403, 404), (path, method)
    routes = f"http://127.0.0.1:{_facts(workshop)['proxy_port']}/api/routes"
    assert status(routes) == 403
    assert status(f"{routes}/user/ada", "POST", b'{"target": "http://127.0.0.1:1"}') == 403
    assert status(f"{routes}/user/ada", "DELETE") == 403


def _facts(workshop: Workshop) -> dict[str, Any]:
    """What the workshop's processes know about their room; only root can look."""
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = dict(each.partition("=")[::2] for each in place.read_text().split("\0"))
        except (OSError, UnicodeDecodeError):
            continue  # it has ended meanwhile, or is none of ours
        facts = json.loads(variables.get("WORKSHOP", "{}"))
        if facts.get("folder") == str(workshop.folder):
            return facts
    raise AssertionError("no process of the workshop's is running")


def test_another_s_pages_are_closed(mallory: Visitor, ada: Visitor) -> None:
    assert mallory.get("/user/ada/lab").status_code in (403, 404)
    assert mallory.api("GET", "/user/ada/api/contents").status_code in (403, 404)
    assert mallory.get("/services/host/").status_code == 403
    assert mallory.get("/services/host/room").status_code == 403
    assert mallory.api("POST", "/services/host/do", data={"act": "end"}).status_code == 403
    assert mallory.get("/hub/admin").status_code == 403
    assert ada.run("1 + 1") == "2"


def test_a_key_opens_its_own_account_only(workshop: Workshop, mallory: Visitor) -> None:
    root = ServerRecord.read(workshop.folder / "aws" / "state.json")
    assert root.secret_key not in mallory.run(
        "import os; print(open(os.environ['WORKBOOK_STATE']).read())"
    )
    code = """
import boto3, os
from helpers import session
from botocore.exceptions import ClientError
aws = session.connect()
secret = os.environ["AWS_SECRET_ACCESS_KEY"]
for account in ("000000000001", "000000000002", "123456789012"):
    try:
        print(aws.client_of("sts", account, secret).get_caller_identity()["Arn"])
    except ClientError as error:
        print(error.response["Error"]["Code"])
try:
    session.connect(account="000000000001")
except Exception as error:
    print(error)
"""
    lines = mallory.run(code).splitlines()
    assert lines[1:4] == ["SignatureDoesNotMatch"] * 3
    assert lines[4].startswith("This is the key of account 000000000003")


def test_a_function_is_its_learner_s_too(workshop: Workshop, mallory: Visitor) -> None:
    """What else a function cannot reach: test_guests."""
    code = f"""
import io, json, zipfile
from helpers import session
aws = session.connect()
trust = {{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "sts:AssumeRole",
          "Principal": {{"Service": "lambda.amazonaws.com"}}}}]}}
role = aws.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as file:
    file.writestr("app.py", '''
import os
def handler(event, context):
    seen = [os.getuid()]
    for path in event:
        try:
            seen.append(open(path).read())
        except OSError as error:
            seen.append(type(error).__name__)
    return seen
''')
functions = aws.client("lambda")
functions.create_function(FunctionName="f", Role=role["Role"]["Arn"], Runtime="python3.12",
    Handler="app.handler", Code={{"ZipFile": packed.getvalue()}})
event = ["{workshop.folder}/learners/ada/.workbook/state.json", "{workshop.folder}/aws/state.json"]
print(functions.invoke(FunctionName="f", Payload=json.dumps(event))["Payload"].read().decode())
"""
    answer = json.loads(mallory.run(code).splitlines()[-1])
    assert answer == [FIRST + 3, "PermissionError", "PermissionError"]


# --- a lesson ----------------------------------------------------------------------------

ASK = """
import re
from helpers import approval, incident, inbox, session, stack
aws = session.connect()
app = stack.require(aws)
execution = incident.create(aws, app)
mail = inbox.newest(aws, "my-bad-policy")
print(re.search(r'href="([^"]*/allow[^"]*)"', mail._repr_html_())[1])
"""


def test_a_mail_s_link_works_in_a_learner_s_browser(
    workshop: Workshop, ada: Visitor, host: Visitor
) -> None:
    link = ada.run(ASK).splitlines()[-1].replace("&amp;", "&")
    assert link.startswith("/services/links/restapis/")
    _until(host, "1 decision waits")
    path = chromium.find()
    if path is None:
        pytest.skip("no Chromium: python -m tests.browser.chromium says how to get one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(workshop.address + link)
        page.get_by_role("button").click()
        expect(page.locator("body")).to_contain_text("Your answer was taken")
        picture(page, "workshop-approval")
        browser.close()
    ended = ada.run("print(incident.wait_for_end(aws, execution)[-1]['type'])")
    assert ended.strip() == "ExecutionSucceeded"


@pytest.mark.parametrize(
    "path",
    [
        "_localaws/health",
        "_ministack/reset",
        "",
        "restapis/a/b/_user_request_/../../../../_localaws/health",
        "restapis/a/b/_user_request_/%2e%2e/%2e%2e/_localaws/health",
        "restapis",
    ],
)
def test_nothing_but_pages_is_passed_on(workshop: Workshop, path: str) -> None:
    answer = requests.get(f"{workshop.address}/services/links/{path}", timeout=30)
    assert answer.status_code == 404


def test_the_host_sees_who_is_stuck(workshop: Workshop, ada: Visitor, host: Visitor) -> None:
    from helpers.workshop import standing

    lesson = standing.lessons(CHECKOUT / "notebooks")[0]
    ada.run("1 + 1", f"notebooks/{lesson.name}", lesson.checkpoints[0])
    ada.run("raise ValueError('<b>no trail</b>')", f"notebooks/{lesson.name}", "other")
    page = _until(host, "Stuck")
    assert f"{lesson.title}: 1 of {len(lesson.checkpoints)} checkpoints" in page
    assert "ValueError: &lt;b&gt;no trail&lt;/b&gt;" in page
    assert lesson.name.removesuffix(".ipynb") in page


def _until(host: Visitor, words: str) -> str:
    """Look at the host's page as its script does: it shows what was true some seconds ago."""
    pages: list[str] = []

    def told() -> bool:
        pages.append(host.get("/services/host/room").text)
        return words in pages[-1]

    until(told, f"the host is told {words!r}")
    return pages[-1]


def test_three_people_at_once_in_real_browsers(workshop: Workshop, learners: dict) -> None:
    """A learner at work and the host beside, as they see it."""
    path = chromium.find()
    if path is None:
        pytest.skip("no Chromium: python -m tests.browser.chromium says how to get one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        for name in ("ada", "bob"):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            for cookie in learners[name].web.cookies:
                context.add_cookies(
                    [
                        {
                            "name": cookie.name,
                            "value": cookie.value,
                            "domain": "127.0.0.1",
                            "path": cookie.path,
                        }
                    ]
                )
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(f"{workshop.address}/user/{name}/lab/tree/notebooks?reset")
            expect(page.locator(".jp-DirListing-itemText").first).to_be_visible()
            picture(page, f"workshop-{name}")
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(workshop.address)
        picture(page, "workshop-login")
        page.get_by_label("Your name").fill("host")
        page.get_by_label("Password").fill(workshop.host_password)
        page.get_by_role("button", name="Come in").click()
        expect(page.get_by_role("heading", name="The workshop")).to_be_visible()
        expect(page.get_by_role("heading", name="ada")).to_be_visible()
        picture(page, "workshop-host")
        for _ in range(2):  # drawn anew by the page's script, after which the buttons still work
            with page.expect_response("**/services/host/**") as drawn:
                pass
            assert (drawn.value.status, drawn.value.url[-5:]) == (200, "/room")
        page.on("dialog", lambda dialog: dialog.accept())
        page.locator("#bob").get_by_role("button", name="Let in again").click()
        expect(page.get_by_role("status")).to_contain_text("may be bob")
        browser.close()
    other = workshop.visitor("bob")
    asked = learners["bob"].api("GET", "/user/bob/api/contents")
    assert asked.url.startswith(f"{workshop.address}/hub/login"), asked.url
    assert other.log_in(workshop.password) == ""
    assert "taken" in learners["bob"].log_in(workshop.password)
    other.sit_down()
    learners["bob"].web = other.web


def test_a_reset_keeps_the_work_and_begins_anew(
    workshop: Workshop, mallory: Visitor, host: Visitor
) -> None:
    mallory.run("open('mine.txt', 'w').write('my work')")
    mallory.run("import os; os.symlink('/etc/passwd', 'link'); os.mkfifo('pipe')")
    page = _press(host, "reset", "mallory")
    assert "starts over" in page
    (kept,) = (workshop.folder.parent / "kept").rglob("mallory-before-*.zip")
    with zipfile.ZipFile(kept) as packed:
        assert packed.read("workbook/notebooks/mine.txt") == b"my work"
        assert not {"workbook/notebooks/link", "workbook/notebooks/pipe"} & set(packed.namelist())
    assert kept.stat().st_mode & 0o777 == 0o600
    mallory.sit_down()
    facts = json.loads(mallory.run(WHO).splitlines()[-1])
    assert facts[0] == FIRST + 3
    assert facts[4] == "arn:aws:iam::000001000003:root"
    assert mallory.run("import os; print(os.path.exists('mine.txt'))").strip() == "False"


def test_a_server_does_not_start_while_the_host_puts_the_work_away(
    workshop: Workshop, mallory: Visitor, host: Visitor
) -> None:
    seats = Seats(workshop.folder / "state", len(LEARNERS))
    _press(host, "let-in", "mallory")
    assert mallory.log_in(workshop.password) == ""
    seats.close("mallory")
    mallory.get("/hub/spawn")
    words = "The host is putting your work away"
    until(lambda: words in mallory.get("/hub/spawn-pending/mallory").text, "mallory is told")
    seats.open()
    mallory.sit_down()
    assert mallory.run("1 + 1") == "2"


def test_a_seat_that_is_freed_is_the_next_one_s(
    workshop: Workshop, mallory: Visitor, host: Visitor
) -> None:
    dora = workshop.visitor("dora")
    assert "who can free one" in dora.log_in(workshop.password)
    left = Path(tempfile.gettempdir()) / "of-mallory.txt"
    mallory.run(f"open({str(left)!r}, 'w').write('mine')")
    assert "mallory&#x27;s seat is free" in _press(host, "free", "mallory")
    assert mallory.get("/user/mallory/lab").url.startswith(f"{workshop.address}/hub/login")
    assert dora.log_in(workshop.password) == ""
    assert "All 3 seats are taken" in mallory.log_in(workshop.password)
    dora.sit_down()
    facts = json.loads(dora.run(WHO).splitlines()[-1])
    assert facts[0] == FIRST + 3
    assert facts[4] == "arn:aws:iam::000002000003:root"
    assert not left.exists()


def test_z_the_host_ends_the_day(workshop: Workshop, ada: Visitor, host: Visitor) -> None:
    ada.run("open('kept.txt', 'w').write('until the end')")
    page = _press(host, "end")
    assert "The day is over" in page
    assert "<button" not in page
    assert workshop.process.wait(150) == 0  # it gives the hub and the local AWS a minute each
    (kept,) = (workshop.folder.parent / "kept").rglob("ada.zip")
    with zipfile.ZipFile(kept) as packed:
        assert packed.read("workbook/notebooks/kept.txt") == b"until the end"
    assert list((workshop.folder / "learners").iterdir()) == []
    assert [people.processes(FIRST + number) for number in range(4)] == [[]] * 4
    assert not (workshop.folder / "aws" / "state.json").exists()
