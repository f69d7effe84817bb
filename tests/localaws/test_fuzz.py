"""Whatever is sent, the answer is an error as AWS's, and the server goes on.

Its own account takes what is created here: a 12-digit access key is an account.
"""

from __future__ import annotations

import http.client
import json
import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from helpers.localaws.record import ServerRecord
from helpers.session import Session

MODEL = botocore.session.get_session().get_service_model("stepfunctions")
ACCOUNT = "999999999999"
ARN = f"arn:aws:states:us-east-1:{ACCOUNT}"


def fuzz(examples: int) -> Any:
    """Return settings for a test that draws so many examples."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        phases=[Phase.explicit, Phase.generate],  # a failure is shown at once, not made smaller
    )


class Server:
    """A server as a program on the network sees it: bytes in, status and bytes out."""

    def __init__(self, record: ServerRecord) -> None:
        self.record = record

    def send(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Send one request as it is, and read the whole answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.record.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                connection.putheader(name, value.encode())
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def call(
        self, target: str, body: bytes, secret: str | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """Send a request to the states API, signed."""
        path = "/"
        known = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target, **headers}
        return self.send("POST", path, self.signed(path, known, body, secret), body)

    def signed(
        self, path: str, headers: dict[str, str], body: bytes, secret: str | None = None
    ) -> dict[str, str]:
        request = AWSRequest("POST", self.record.endpoint + path, headers, body)
        key = Credentials(ACCOUNT, secret or self.record.secret_key)
        SigV4Auth(key, "states", "us-east-1").add_auth(request)
        return dict(request.headers.items())

    def is_alive(self) -> bool:
        return self.call("AWSStepFunctions.ListStateMachines", b"{}")[0] == 200


@pytest.fixture(scope="module")
def server(state: Path, lasting_aws: Session) -> Server:
    lasting_aws.client("sts").get_caller_identity()
    return Server(ServerRecord.read(state).of(ACCOUNT))


CODE = re.compile(rb'"(__type|code|Code)": ?"\w[\w#.]*"|<Code>\w+</Code>')


def assert_refused_or_done(status: int, body: bytes) -> None:
    assert 200 <= status < 500, (status, body[:500])
    if status >= 400 and body:
        assert CODE.search(body) or b'"message"' in body, (status, body[:500])


# --- the states API ------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DEFINITIONS = [
    '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
    '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
    '{"Type": "Pass", "End": true}',
    "{",
    "[]",
    "null",
    '"A"',
    '{"StartAt": [], "States": [{}]}',
    '{"StartAt": {}, "States": {"A": {"Type": {}}, "B": []}}',
    '{"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [[], {"And": 1}]}}}',
    '{"StartAt": "A", "States": {"A": {"Type": "Map", "ItemProcessor": []}}}',
    '{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": 1, "Retry": 1, "Catch": [1]}}}',
]
strings = st.one_of(
    st.text(),
    st.sampled_from(DEFINITIONS),
    st.sampled_from(
        [
            f"{ARN}:stateMachine:fuzz",
            f"{ARN}:stateMachine:fuzz:1",
            f"{ARN}:execution:fuzz:fuzz",
            f"{ARN}:activity:none",
            f"{ARN}:mapRun:fuzz/x:1",
            f"arn:aws:iam::{ACCOUNT}:role/none",
            "fuzz",
            "{}",
            "EXPRESS",
        ]
    ),
)


def _value(shape: Any) -> st.SearchStrategy[Any]:
    """Values of a member's own type, mostly."""
    match shape.type_name:
        case "structure":
            known = {name: _value(member) for name, member in shape.members.items()}
            own = st.fixed_dictionaries({}, optional=known)
        case "list":
            own = st.lists(_value(shape.member), max_size=3)
        case "string":
            choices = shape.metadata.get("enum")
            own = strings | st.sampled_from(choices) if choices else strings
        case "boolean":
            own = st.booleans()
        case _:
            own = st.integers() | st.floats()
    return st.one_of(own, own, own, anything)


REQUESTS = st.sampled_from(MODEL.operation_names).flatmap(
    lambda name: st.tuples(st.just(name), _value(MODEL.operation_model(name).input_shape))
)


@fuzz(250)
@given(request=REQUESTS)
def test_any_value_in_any_member(server: Server, request: tuple[str, Any]) -> None:
    operation, value = request
    status, body = server.call(f"AWSStepFunctions.{operation}", json.dumps(value).encode())
    assert status in (200, 400), (operation, status, body[:500])
    if status == 400:
        assert json.loads(body)["__type"]


@fuzz(60)
@given(operation=st.sampled_from(MODEL.operation_names), body=st.binary(max_size=200))
def test_bytes_that_are_no_request(server: Server, operation: str, body: bytes) -> None:
    status, answer = server.call(f"AWSStepFunctions.{operation}", body)
    assert status in (200, 400), (operation, status, answer[:500])


DEEP = 100_000
CREATE = "AWSStepFunctions.CreateStateMachine"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/none"


def _create(definition: str) -> bytes:
    return json.dumps({"name": "fuzz", "definition": definition, "roleArn": ROLE}).encode()


def _nested(depth: int) -> str:
    open_ = '{"StartAt":"A","States":{"A":{"Type":"Parallel","End":true,"Branches":['
    return open_ * depth + "]}}}" * depth


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("AWSStepFunctions.Nonsense", b"{}", "UnknownOperationException"),
        ("AWSStepFunctions.", b"{}", "UnknownOperationException"),
        ("AWSStepFunctions", b"{}", "UnknownOperationException"),
        ("AWSStepFunctions.create_state_machine", b"{}", "UnknownOperationException"),
        (CREATE, b"", "ValidationException"),
        (CREATE, b"{", "SerializationException"),
        (CREATE, b"[]", "SerializationException"),
        (CREATE, b"\xff\xfe", "SerializationException"),
        (CREATE, b'{"name": "\\ud800"}', "SerializationException"),
        (CREATE, b"[" * DEEP, "SerializationException"),
        (CREATE, b'{"name":' * DEEP, "SerializationException"),
        (CREATE, b'{"name": ' + b"9" * 10_000 + b"}", "SerializationException"),
        (CREATE, _create("[" * DEEP), "InvalidDefinition"),
        (CREATE, _create(_nested(300)), "InvalidDefinition"),
        (CREATE, _create("x" * 1_048_577), "ValidationException"),
        (CREATE, _create(json.dumps("x" * 1_000_000)), "InvalidDefinition"),
        (CREATE, json.dumps({"name": "x" * 5_000_000}).encode(), "ValidationException"),
    ],
)
def test_requests_that_are_wrong_on_purpose(
    server: Server, target: str, body: bytes, code: str
) -> None:
    status, answer = server.call(target, body)
    assert (status, json.loads(answer)["__type"]) == (400, code)
    assert server.is_alive()


def test_an_input_nested_deeply_is_no_end_of_the_server(server: Server) -> None:
    deep = "[" * 400 + "]" * 400
    test = {"definition": '{"Type": "Pass", "End": true}', "input": deep}
    status, answer = server.call("AWSStepFunctions.TestState", json.dumps(test).encode())
    assert status == 200, answer[:500]
    test["input"] = "[" * DEEP + "]" * DEEP
    status, answer = server.call("AWSStepFunctions.TestState", json.dumps(test).encode())
    assert (status, json.loads(answer)["__type"]) == (400, "InvalidExecutionInput")


# --- signatures ----------------------------------------------------------------------------


@fuzz(25)
@given(operation=st.sampled_from(MODEL.operation_names), secret=st.text(min_size=1))
def test_a_wrong_signature_is_refused(server: Server, operation: str, secret: str) -> None:
    status, body = server.call(f"AWSStepFunctions.{operation}", b"{}", secret=secret)
    assert (status, json.loads(body)["__type"]) == (400, "InvalidSignatureException")


@pytest.mark.parametrize("operation", MODEL.operation_names)
def test_no_signature_is_refused(server: Server, operation: str) -> None:
    headers = {"X-Amz-Target": f"AWSStepFunctions.{operation}"}
    status, body = server.send("POST", "/", headers, b"{}")
    assert 400 <= status < 500
    assert json.loads(body)["__type"] == "MissingAuthenticationTokenException"


@fuzz(40)
@given(value=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])))
def test_an_authorization_that_is_none(server: Server, value: str) -> None:
    for text in (value, f"AWS4-HMAC-SHA256 {value}", f"AWS4-HMAC-SHA256 Credential={value}"):
        headers = {"X-Amz-Target": "AWSStepFunctions.ListStateMachines", "Authorization": text}
        status, body = server.send("POST", "/", headers, b"{}")
        assert 400 <= status < 500, (text, status, body[:300])


# --- the gateway ---------------------------------------------------------------------------

token = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
PATHS = st.builds(
    lambda path, query: "/" + path + (f"?{query}" if query else ""),
    token.map(lambda text: text.replace("?", "")),
    token,
).filter(lambda path: not path.startswith("/_localaws"))
TYPES = ["", "text/plain", "application/json", "application/x-amz-json-1.0; charset=x", "a/b/c"]
TYPES += ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "\u00fc"]


@fuzz(250)
@given(
    method=st.sampled_from("GET POST PUT DELETE HEAD OPTIONS PATCH BREW".split()),
    path=PATHS,
    content_type=st.sampled_from(TYPES),
    extra=st.dictionaries(
        st.sampled_from(
            "Content-Encoding Range Expect X-Amz-Date X-Amz-Content-Sha256 X-Amz-Target "
            "X-Amz-Security-Token Authorization Origin Cookie".split()
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
        max_size=3,
    ),
    body=st.binary(max_size=100),
)
def test_any_request_to_the_gateway(
    server: Server,
    method: str,
    path: str,
    content_type: str,
    extra: dict[str, str],
    body: bytes,
) -> None:
    headers = {"Content-Type": content_type, **extra}
    assert_refused_or_done(*server.send(method, path, headers, body))


@fuzz(60)
@given(path=PATHS, content_type=st.sampled_from(TYPES), body=st.binary(max_size=100))
def test_any_signed_request_to_the_gateway(
    server: Server, path: str, content_type: str, body: bytes
) -> None:
    known = {"X-Amz-Target": "AWSStepFunctions.ListStateMachines", "Content-Type": content_type}
    headers = server.signed(path, known, body)
    assert_refused_or_done(*server.send("POST", path, headers, body))


@pytest.mark.parametrize(
    "path",
    [
        "/%",
        "/%zz",
        "/%ff",
        "/?%ff",
        "/?&&==",
        "/%00",
        "//",
        "/" + "a" * 9000,
    ],
)
def test_paths_and_queries_that_are_broken(server: Server, path: str) -> None:
    status, body = server.send("GET", path, {}, b"")
    assert_refused_or_done(status, body)
    assert server.is_alive()


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "nonsense"},
        {"X-Amz-Date": "yesterday"},
    ],
)
def test_headers_that_do_not_fit(server: Server, headers: dict[str, str]) -> None:
    signed = server.signed("/", {"X-Amz-Target": "AWSStepFunctions.ListActivities"}, b"hello")
    status, body = server.send("POST", "/", {**signed, **headers}, b"hello")
    assert_refused_or_done(status, body)
    assert server.is_alive()
