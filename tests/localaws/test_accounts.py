"""Several accounts on one server: each has a key of its own, and none sees or reaches another."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from helpers import approval, bucket, inbox, incident, localaws, policy, stack
from helpers import laboratory as lessons
from helpers.errors import WorkbookError
from helpers.localaws import LocalAwsError
from helpers.localaws.record import CHECKOUT, ServerRecord, secret_of
from helpers.session import Session, connect
from tests.localaws import laboratory
from tests.localaws.laboratory import Laboratory, machine, task

ONE, OTHER = "000000000002", "000000000003"
LIMIT_SECONDS = 60  # only keeps a broken run from hanging


# --- keys --------------------------------------------------------------------------------


@pytest.fixture
def record(state: Path) -> ServerRecord:
    connect("local", state=state)
    return ServerRecord.read(state)


def _client(record: ServerRecord, service: str, key: str, secret: str, token: str = "") -> Any:
    session = boto3.session.Session(key, secret, token or None, region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return session.client(service, endpoint_url=record.endpoint, config=config)


def _refused(call: Callable[..., Any], **arguments: Any) -> str:
    """Make a call that must be refused; return the error's name."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def test_each_account_has_a_secret_of_its_own(record: ServerRecord) -> None:
    secrets = {record.of(account).secret_key for account in (record.account, ONE, OTHER)}
    assert len(secrets) == 3
    for account in (ONE, OTHER):
        key = record.of(account)
        assert (key.access_key, key.account) == (account, account)
        identity = _client(record, "sts", key.access_key, key.secret_key).get_caller_identity()
        assert identity["Arn"] == f"arn:aws:iam::{account}:root"


CALLS = {
    "iam": "list_users",
    "sts": "get_caller_identity",
    "stepfunctions": "list_state_machines",
    "s3": "list_buckets",
    "lambda": "list_functions",
    "sns": "list_topics",
    "events": "list_rules",
    "cloudtrail": "describe_trails",
    "cloudformation": "list_stacks",
    "apigateway": "get_rest_apis",
    "logs": "describe_log_groups",
}

WRONG_SIGNATURE = ("SignatureDoesNotMatch", "InvalidSignatureException")


@pytest.mark.parametrize("service", CALLS)
def test_a_number_with_the_secret_of_another_account_is_nobody(
    record: ServerRecord, service: str
) -> None:
    mine = record.of(OTHER).secret_key
    guesses = (mine, record.secret_key, secret_of(ONE, mine), "test", ONE)
    for secret in guesses:
        for account in (ONE, record.account):
            call = getattr(_client(record, service, account, secret), CALLS[service])
            assert _refused(call) in WRONG_SIGNATURE
    call = getattr(_client(record, service, record.access_key, mine), CALLS[service])
    assert _refused(call) in WRONG_SIGNATURE


def test_a_link_signed_for_s3_needs_the_account_s_own_secret(record: ServerRecord) -> None:
    import urllib.error
    import urllib.request

    forged = _client(record, "s3", ONE, record.of(OTHER).secret_key)
    link = forged.generate_presigned_url("list_objects_v2", Params={"Bucket": "any"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(link)
    assert refused.value.code == 403
    assert b"SignatureDoesNotMatch" in refused.value.read()


@pytest.mark.parametrize(
    "account", ["2", "00000000000a", "0000000000002", " 00000000002", "１" * 12]
)
def test_what_is_no_account_number_is_a_sentence(state: Path, account: str) -> None:
    with pytest.raises(LocalAwsError, match="twelve digits"):
        connect("local", account=account, state=state)


def test_the_variable_chooses_the_account_too(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBOOK_ACCOUNT", ONE)
    session = connect("local", state=state)
    assert session.account == ONE
    shell = subprocess.run(
        [sys.executable, "-m", "awscli", "sts", "get-caller-identity"],
        env=session.variables(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(shell.stdout)["Account"] == ONE
    assert boto3.client("sts").get_caller_identity()["Account"] == ONE


def test_an_account_cannot_be_chosen_in_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkbookError, match="leave out account="):
        connect("aws", account=ONE)
    monkeypatch.setenv("WORKBOOK_ACCOUNT", ONE)
    with pytest.raises(WorkbookError, match="unset WORKBOOK_ACCOUNT"):
        connect("aws")


# --- guests ------------------------------------------------------------------------------


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "helpers.localaws", *words],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def guest(record: ServerRecord, state: Path, tmp_path: Path) -> Path:
    """The state file that a host hands out for account ONE."""
    path = tmp_path / "guest.json"
    done = _command("--state", str(state), "--account", ONE, "--to", str(path))
    assert done.returncode == 0, done.stderr
    for secret in (record.secret_key, record.of(ONE).secret_key):
        assert secret not in done.stdout + done.stderr
    return path


def test_a_guest_s_record_has_one_account_s_key_and_no_other(
    record: ServerRecord, guest: Path
) -> None:
    assert guest.stat().st_mode & 0o777 == 0o600
    assert record.secret_key not in guest.read_text()
    assert record.access_key not in guest.read_text()
    session = connect(state=guest)
    assert session.client("sts").get_caller_identity()["Account"] == ONE
    with pytest.raises(LocalAwsError, match="Only the host"):
        connect(account=OTHER, state=guest)


def test_a_guest_s_variable_means_the_same_file_in_every_folder(tmp_path: Path) -> None:
    """Kernels run in the notebooks' folder, ``make run`` beside the Makefile."""
    seen = {
        subprocess.run(
            [sys.executable, "-c", "from helpers.localaws import record; print(record.STATE_FILE)"],
            env={**os.environ, "WORKBOOK_STATE": "guest.json", "PYTHONPATH": str(CHECKOUT)},
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for folder in (tmp_path, CHECKOUT, CHECKOUT / "notebooks")
    }
    assert seen == {str(CHECKOUT / "guest.json")}


def test_a_guest_does_not_stop_the_host_s_server(record: ServerRecord, guest: Path) -> None:
    assert not localaws.stop(guest)
    assert guest.exists()
    assert localaws.running(guest).instance == record.instance


def test_a_guest_without_the_host_s_server_gets_none_of_his_own(
    record: ServerRecord, guest: Path
) -> None:
    document = json.loads(guest.read_text())
    guest.write_text(json.dumps({**document, "port": 9, "instance": "ended"}))
    with pytest.raises(LocalAwsError, match="Ask its host"):
        connect(state=guest)
    assert guest.exists()


def test_a_host_is_told_what_cannot_be_handed_out(
    record: ServerRecord, state: Path, tmp_path: Path
) -> None:
    path = str(tmp_path / "guest.json")
    for words, sentence in (
        (("--account", "2", "--to", path), "twelve digits"),
        (("--account", record.account, "--to", path), "own account"),
        (("--account", ONE), "belong together"),
    ):
        done = _command("--state", str(state), *words)
        assert done.returncode != 0
        assert sentence in done.stderr
    done = _command("--state", str(state), "--account", ONE, "--to", str(state))
    assert (done.returncode, "own record" in done.stderr) == (1, True)
    assert localaws.running(state) == record
    nowhere = str(tmp_path / "none.json")
    done = _command("--state", nowhere, "--account", ONE, "--to", path)
    assert (done.returncode, done.stderr) == (1, "No local AWS is running.\n")
    assert not Path(path).exists()


# --- side by side ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(state: Path) -> tuple[Session, Session]:
    """Two accounts with the app in each."""
    before = dict(os.environ)  # connect() changes it, and no other module may see that
    one, other = (connect("local", account=account, state=state) for account in (ONE, OTHER))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(stack.require, (one, other)))
    os.environ.clear()
    os.environ.update(before)
    return one, other


@pytest.fixture
def one(pair: tuple[Session, Session]) -> Iterator[Session]:
    """An account in which something happens; afterwards no incident is left."""
    yield pair[0]
    incident.clear(pair[0], stack.find(pair[0]))


@pytest.fixture
def other(pair: tuple[Session, Session]) -> Iterator[Session]:
    """The account that must not notice."""
    yield pair[1]
    incident.clear(pair[1], stack.find(pair[1]))


def _executions(session: Session) -> list[str]:
    states, app = session.client("stepfunctions"), stack.find(session)
    listed = states.list_executions(stateMachineArn=app.state_machine)["executions"]
    return [execution["executionArn"] for execution in listed]


LISTINGS: list[tuple[str, str, dict[str, Any]]] = [
    ("iam", "list_users", {}),
    ("iam", "list_roles", {}),
    ("iam", "list_policies", {"Scope": "Local"}),
    ("s3", "list_buckets", {}),
    ("lambda", "list_functions", {}),
    ("sns", "list_topics", {}),
    ("sns", "list_subscriptions", {}),
    ("sqs", "list_queues", {}),
    ("events", "list_rules", {}),
    ("cloudtrail", "describe_trails", {}),
    ("cloudtrail", "lookup_events", {}),
    ("cloudformation", "list_stacks", {}),
    ("cloudformation", "describe_stacks", {}),
    ("cloudformation", "list_exports", {}),
    ("apigateway", "get_rest_apis", {}),
    ("logs", "describe_log_groups", {}),
    ("stepfunctions", "list_state_machines", {}),
    ("stepfunctions", "list_activities", {}),
    ("resourcegroupstaggingapi", "get_resources", {}),
]


@pytest.mark.parametrize(("service", "operation", "arguments"), LISTINGS)
def test_what_is_listed_is_of_one_account(
    one: Session, other: Session, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    one.client("stepfunctions").create_activity(name="shown")
    incident.create(one, stack.find(one))
    for session, foreign in ((one, OTHER), (other, ONE)):
        answer = getattr(session.client(service), operation)(**arguments)
        shown = json.dumps(answer, default=str)
        assert foreign not in shown
        numbers = set(re.findall(r"\d{12}(?=:)", shown))
        assert numbers <= {session.account}


def test_an_incident_of_one_account_is_nothing_to_the_other(one: Session, other: Session) -> None:
    inbox.delete(other)
    before = _executions(other)
    execution = incident.create(one, stack.find(one))
    assert execution in _executions(one)
    # What runs in the other account now would be there: both are asked in the same way.
    own = incident.create(other, stack.find(other), incident.NEEDED)
    assert _executions(other) == [own, *before]
    assert incident.policies(other) == [incident.NEEDED]
    assert incident.policies(one) == [incident.POLICY]
    assert [ONE in mail.text for mail in inbox.mails(other)] == [False]
    incident.clear(other, stack.find(other), incident.NEEDED)


def test_incidents_at_the_same_time_stay_apart(one: Session, other: Session) -> None:
    """Whatever runs behind the requests runs in its own account, on every thread."""

    def happen(session: Session) -> tuple[str, str]:
        execution = incident.create(session, stack.find(session))
        text = inbox.newest(session, execution.split(":")[4]).text
        approval.settle(session, execution, allow=session is one)
        incident.wait_for_end(session, execution)
        return execution, text

    with concurrent.futures.ThreadPoolExecutor() as pool:
        results = dict(zip((ONE, OTHER), pool.map(happen, (one, other)), strict=True))
    for account, (execution, text) in results.items():
        assert execution.split(":")[4] == account
        assert f"arn:aws:iam::{account}:policy/" in text
    assert policy.versions(one).in_force.document == incident.DOCUMENT
    assert policy.versions(other).in_force.document != incident.DOCUMENT


def test_another_account_s_machine_and_execution_are_out_of_reach(
    one: Session, other: Session
) -> None:
    app, states = stack.find(one), other.client("stepfunctions")
    execution = incident.create(one, app)
    for call in (
        states.describe_execution,
        states.get_execution_history,
        states.stop_execution,
        states.redrive_execution,
        states.describe_state_machine_for_execution,
    ):
        assert _refused(call, executionArn=execution) == "ExecutionDoesNotExist"
    for call in (
        states.start_execution,
        states.describe_state_machine,
        states.list_executions,
        states.publish_state_machine_version,
    ):
        assert _refused(call, stateMachineArn=app.state_machine) == "StateMachineDoesNotExist"
    tags = {"resourceArn": app.state_machine, "tags": [{"key": "a", "value": "b"}]}
    assert _refused(states.tag_resource, **tags) == "ResourceNotFound"
    states.delete_state_machine(stateMachineArn=app.state_machine)  # twice is no error; it is none
    described = one.client("stepfunctions").describe_execution(executionArn=execution)
    assert described["status"] == "RUNNING"
    assert stack.find(one) == app


def test_a_task_token_is_good_in_its_own_account_only(one: Session, other: Session) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html"""
    execution = incident.create(one, stack.find(one))
    events = one.client("stepfunctions").get_execution_history(executionArn=execution)["events"]
    token, states = approval.token(events), other.client("stepfunctions")
    answers = (
        (states.send_task_success, {"output": '{"action": "allow"}'}),
        (states.send_task_failure, {}),
        (states.send_task_heartbeat, {}),
    )
    for call, arguments in answers:
        assert _refused(call, taskToken=token, **arguments) == "InvalidToken"
    west = boto3.session.Session(
        *one.boto.get_credentials().get_frozen_credentials()[:2], region_name="eu-west-1"
    ).client("stepfunctions", endpoint_url=one.endpoint)
    assert _refused(west.send_task_success, taskToken=token, output="{}") == "InvalidToken"
    assert policy.versions(one).in_force.document != incident.DOCUMENT
    approval.settle(one, execution, allow=True)
    incident.wait_for_end(one, execution)
    assert policy.versions(one).in_force.document == incident.DOCUMENT


def test_an_approval_by_link_lands_in_the_account_of_its_mail(one: Session, other: Session) -> None:
    executions = {
        session: incident.create(session, stack.find(session)) for session in (one, other)
    }
    link = inbox.newest(one, "Approval").link("allow")
    assert inbox.press_button(link).status == 200
    incident.wait_for_end(one, executions[one])
    assert policy.versions(one).in_force.document == incident.DOCUMENT
    described = other.client("stepfunctions").describe_execution(executionArn=executions[other])
    assert described["status"] == "RUNNING"
    assert policy.versions(other).in_force.document != incident.DOCUMENT


def test_one_account_s_token_does_not_work_through_the_other_s_page(
    one: Session, other: Session
) -> None:
    execution = incident.create(one, stack.find(one))
    link = inbox.newest(one, "Approval").link("allow")
    through = link.replace(_rest_api(one), _rest_api(other))
    assert through != link
    answer = inbox.press_button(through)
    assert "Nothing was changed" in answer.text, answer
    described = one.client("stepfunctions").describe_execution(executionArn=execution)
    assert described["status"] == "RUNNING"


def _rest_api(session: Session) -> str:
    return re.search(r"/restapis/([^/]+)/", session.url(f"{stack.find(session).api}/allow"))[1]


def test_a_rule_does_not_reach_into_another_account(one: Session, other: Session) -> None:
    """A rule of the other account with the machine of this one as its target starts nothing."""
    events, before = other.client("events"), _executions(one)
    mine = other.client("stepfunctions").create_state_machine(
        name="witness",
        definition=json.dumps(machine(A={"Type": "Succeed"})),
        roleArn=laboratory.furnish(other).role,
    )["stateMachineArn"]
    events.put_rule(Name="reach", EventPattern=json.dumps({"source": ["mine"]}))
    role = f"arn:aws:iam::{OTHER}:role/laboratory"
    targets = [stack.find(one).state_machine, mine]
    events.put_targets(
        Rule="reach",
        Targets=[{"Id": str(n), "Arn": arn, "RoleArn": role} for n, arn in enumerate(targets)],
    )
    try:
        events.put_events(Entries=[{"Source": "mine", "DetailType": "x", "Detail": "{}"}])
        states, deadline = other.client("stepfunctions"), time.monotonic() + LIMIT_SECONDS
        while not states.list_executions(stateMachineArn=mine)["executions"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert _executions(one) == before
    finally:
        events.remove_targets(Rule="reach", Ids=["0", "1"])
        events.delete_rule(Name="reach")


def test_topics_functions_buckets_and_logs_are_out_of_reach(one: Session, other: Session) -> None:
    app = stack.find(one)
    sns, functions, s3 = (other.client(name) for name in ("sns", "lambda", "s3"))
    assert _refused(sns.publish, TopicArn=app.topic, Message="m") == "AuthorizationError"
    wanted = {"TopicArn": app.topic, "Protocol": "email", "Endpoint": "me@example.com"}
    assert _refused(sns.subscribe, **wanted) == "AuthorizationError"
    listed = {"TopicArn": app.topic}
    assert _refused(sns.list_subscriptions_by_topic, **listed) == "AuthorizationError"
    function = one.client("lambda").list_functions()["Functions"][0]
    for call in (functions.get_function, functions.invoke, functions.delete_function):
        assert _refused(call, FunctionName=function["FunctionArn"]) in (
            "AccessDeniedException",
            "ResourceNotFoundException",
        )
    name = bucket.name(one)
    assert _refused(s3.create_bucket, Bucket=name) == "BucketAlreadyExists"
    for call in (s3.list_objects_v2, s3.get_bucket_policy, s3.delete_bucket):
        assert _refused(call, Bucket=name) == "AccessDenied"
    laboratory.furnish(other)
    copied = {"Bucket": f"laboratory-{OTHER}", "Key": "copy", "CopySource": f"{name}/app/any"}
    assert _refused(s3.copy_object, **copied) == "AccessDenied"
    one.client("logs").create_log_group(logGroupName="secret")
    streams = other.client("logs").describe_log_streams
    assert _refused(streams, logGroupName="secret") == "ResourceNotFoundException"
    one.client("logs").delete_log_group(logGroupName="secret")


def test_an_api_does_not_call_another_account_s_function(one: Session, other: Session) -> None:
    function = laboratory.furnish(one).names["function"]
    gateway = other.client("apigateway")
    api = gateway.create_rest_api(name="reach")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    method = {"restApiId": api, "resourceId": root, "httpMethod": "POST"}
    gateway.put_method(**method, authorizationType="NONE")
    path = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    gateway.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=path)
    gateway.create_deployment(restApiId=api, stageName="s")
    answer = inbox.press_button(f"{other.endpoint}/restapis/{api}/s/_user_request_/")
    gateway.delete_rest_api(restApiId=api)
    assert answer.status == 500


def test_a_link_to_an_api_that_is_gone_says_so(one: Session) -> None:
    gateway = one.client("apigateway")
    api = gateway.create_rest_api(name="gone")["id"]
    gateway.delete_rest_api(restApiId=api)
    for answer in (
        inbox.open_link(f"{one.endpoint}/restapis/{api}/Prod/_user_request_/allow?token=t"),
        inbox.press_button(f"{one.endpoint}/restapis/{api}/Prod/_user_request_/allow"),
    ):
        assert answer.status == 404
        assert "is not there (any more)" in answer.text
        assert "take the link of its next mail" in answer.text


# --- roles -------------------------------------------------------------------------------


@pytest.fixture
def lab(pair: tuple[Session, Session]) -> Laboratory:
    """A laboratory in an account that is not the server's own."""
    return laboratory.furnish(pair[0])


def test_another_account_s_role_is_nobody_s_to_pass(lab: Laboratory, other: Session) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"""
    states, definition = other.client("stepfunctions"), json.dumps(machine(A={"Type": "Succeed"}))
    wanted = {"name": "borrower", "definition": definition, "roleArn": lab.role}
    assert _refused(states.create_state_machine, **wanted) == "AccessDeniedException"
    own = laboratory.furnish(other).role
    created = states.create_state_machine(**{**wanted, "roleArn": own})["stateMachineArn"]
    changed = {"stateMachineArn": created, "roleArn": lab.role}
    assert _refused(states.update_state_machine, **changed) == "AccessDeniedException"
    template = {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"RoleArn": lab.role}}
    template["Properties"]["DefinitionString"] = definition
    stacks = other.client("cloudformation")
    body = json.dumps({"Resources": {"Machine": template}})
    stacks.create_stack(StackName="borrower", TemplateBody=body, OnFailure="DO_NOTHING")
    deadline = time.monotonic() + LIMIT_SECONDS
    while (status := _stack(stacks)["StackStatus"]) == "CREATE_IN_PROGRESS":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert status == "CREATE_FAILED"
    stacks.delete_stack(StackName="borrower")


def _stack(stacks: Any) -> dict[str, Any]:
    return stacks.describe_stacks(StackName="borrower")["Stacks"][0]


def test_test_state_takes_no_role_of_another_account(lab: Laboratory, other: Session) -> None:
    asking = task("arn:aws:states:::aws-sdk:iam:listRoles", Parameters={})
    tested = other.client("stepfunctions").test_state(
        definition=json.dumps(asking), roleArn=lab.role, input="{}"
    )
    assert tested["status"] == "FAILED"
    assert "Cross-account pass role is not allowed" in tested["cause"]


def test_assuming_a_role_needs_its_trust(lab: Laboratory, other: Session) -> None:
    assume = other.client("sts").assume_role
    assert _refused(assume, RoleArn=lab.role, RoleSessionName="session") == "AccessDenied"


@pytest.fixture
def trusting(one: Session) -> Iterator[str]:
    """A role of account ONE that trusts the laboratory's role of OTHER for one state machine."""
    iam = one.client("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:role/laboratory"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {
                "sts:ExternalId": f"arn:aws:states:us-east-1:{OTHER}:stateMachine:trusted"
            }
        },
    }
    may = {"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    role = iam.create_role(RoleName="trusting", AssumeRolePolicyDocument=json.dumps(document))
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_role_policy(RoleName="trusting", PolicyName="may", PolicyDocument=document)
    yield role["Role"]["Arn"]
    iam.delete_role_policy(RoleName="trusting", PolicyName="may")
    iam.delete_role(RoleName="trusting")


def test_a_task_s_credentials_need_the_other_role_s_trust(trusting: str, other: Session) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-access-cross-acct-resources.html"""
    theirs = laboratory.furnish(other)
    asking = task(
        "arn:aws:states:::aws-sdk:iam:getRole",
        Parameters={"RoleName": "trusting"},
        Credentials={"RoleArn": trusting},
        ResultSelector={"arn.$": "$.Role.Arn"},
    )
    definition = machine(A=asking)
    assert theirs.output(theirs.start(definition, {}, "trusted")) == {"arn": trusting}
    untrusted = theirs.output(theirs.start(definition, {}, "untrusted"))
    assert untrusted[0] == "ExecutionFailed"
    assert "not authorized to perform: sts:AssumeRole" in untrusted[2]


def test_a_function_s_credentials_cannot_be_worked_out_from_names(
    record: ServerRecord, lab: Laboratory
) -> None:
    """MiniStack makes them of the function's and the role's ARN, which are no secrets."""
    function = lab.names["function"]
    lab.aws.client("lambda").invoke(FunctionName=function, Payload=b"{}")
    digest = hashlib.sha256(f"{function}:{lab.role}".encode()).hexdigest()
    guess = (
        f"ASIA{digest[:16].upper()}",
        hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    )
    call = _client(record, "iam", *guess).list_users
    assert _refused(call) in ("InvalidClientTokenId", "UnrecognizedClientException")


# --- threads -----------------------------------------------------------------------------

INNER = {"StartAt": "B", "States": {"B": task("<activity>", TimeoutSeconds=50)}}
WORK: dict[str, dict[str, Any]] = {
    "Parallel": {
        "Type": "Parallel",
        "Branches": [INNER],
        "ResultSelector": {"got.$": "$[0]"},
        "End": True,
    },
    "Map": {
        "Type": "Map",
        "ItemProcessor": INNER,
        "ItemsPath": "$.items",
        "ResultSelector": {"got.$": "$[0]"},
        "End": True,
    },
    "Distributed": {
        "Type": "Map",
        "ItemProcessor": {
            **INNER,
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        },
        "ItemsPath": "$.items",
        "ResultSelector": {"got.$": "$[0]"},
        "End": True,
    },
}


@pytest.mark.parametrize("kind", WORK)
def test_inner_threads_work_in_the_execution_s_account(lab: Laboratory, kind: str) -> None:
    """An activity is looked for in the account of the thread that runs the state."""
    states = lab.aws.client("stepfunctions")
    execution = lab.start(machine(A=WORK[kind]), {"items": [1]}, f"threads-{kind}")
    work = states.get_activity_task(activityArn=lab.names["activity"])
    states.send_task_success(taskToken=work["taskToken"], output='"done"')
    assert lab.output(execution) == {"got": "done"}


def test_a_nested_execution_and_a_function_are_of_the_same_account(lab: Laboratory) -> None:
    nested = task(
        "arn:aws:states:::states:startExecution.sync:2",
        Parameters={"StateMachineArn": "<child>", "Input": {}},
        ResultSelector={"arn.$": "$.ExecutionArn"},
        Next="Function",
    )
    called = task("<function>", Parameters={"arn.$": "$.arn"})
    execution = lab.start(machine(Nested=nested, Function=called), {}, "nested")
    assert lab.output(execution)["arn"].split(":")[4] == ONE


# --- functions ---------------------------------------------------------------------------

PROCESS = "import os\ndef lambda_handler(event, context): return os.getpid()\n"


def test_a_function_s_process_is_its_account_s_whoever_else_has_one_of_that_name(
    one: Session, other: Session
) -> None:
    """In a workshop everybody deploys the same app, and so functions of the same names."""
    functions = one.client("lambda")
    functions.create_function(
        FunctionName="same",
        Runtime=lessons.RUNTIME,
        Role=laboratory.furnish(one).role,
        Handler="app.lambda_handler",
        Code={"ZipFile": lessons._archive(PROCESS)},
    )
    before = functions.invoke(FunctionName="same")["Payload"].read()
    role = laboratory.furnish(other).role
    template = {
        "Resources": {
            "Same": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": "same",
                    "Runtime": lessons.RUNTIME,
                    "Role": role,
                    "Handler": "index.lambda_handler",
                    "Code": {"ZipFile": PROCESS},
                },
            }
        }
    }
    cloudformation = other.client("cloudformation")
    cloudformation.create_stack(StackName="same", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="same")
    theirs = other.client("lambda").invoke(FunctionName="same")["Payload"].read()
    other.client("lambda").update_function_configuration(FunctionName="same", MemorySize=256)
    assert functions.invoke(FunctionName="same")["Payload"].read() == before
    assert other.client("lambda").invoke(FunctionName="same")["Payload"].read() != theirs
    cloudformation.delete_stack(StackName="same")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="same")
    assert functions.invoke(FunctionName="same")["Payload"].read() == before
