"""The states API's requests: refused as AWS refuses them, before any operation sees them.

MiniStack takes what comes: an unknown operation, a number for a name, a list for the body. AWS
checks a request in three steps, each with an error of its own: the JSON and its types
(SerializationException), the model's constraints (ValidationException, all at once), and what
only Step Functions knows of names, ARNs and tokens (InvalidName, InvalidArn, InvalidToken).

https://docs.aws.amazon.com/step-functions/latest/apireference/CommonErrors.html
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core import iam_actions
from ministack.core.concurrency import run_reentrant
from ministack.core.responses import error_response_json
from ministack.core.router import extract_access_key_id
from ministack.services import stepfunctions
from moto.core.utils import get_service_model

from helpers.localaws import constraints
from helpers.localaws.admission import CALLER

Item = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[[dict[str, Any]], Answer]
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Answer]]

# "Maximum input or output size for a task, state, or execution"
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
PAYLOAD_BYTES = 262_144

# What a name must not hold; the reference lists it beside every name.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
_FORBIDDEN_IN_NAMES = re.compile(
    r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff\U0010ffff]"
)
_ARN = re.compile(r"arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:(?P<kind>[A-Za-z]+):(?P<name>\S+)")


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault
    """A request that AWS refuses: ``code`` is the error's name, the text its message."""

    def __init__(self, code: str, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.code = code

    @property
    def answer(self) -> Answer:
        """The HTTP answer: 400, as all errors of this API."""
        return error_response_json(self.code, str(self), 400)


def refusing(operation: Operation) -> Operation:
    """Wrap an operation that may raise Refused, so that it answers with the error instead."""

    @functools.wraps(operation)
    def answer(data: dict[str, Any]) -> Answer:
        try:
            return operation(data)
        except Refused as refused:
            return refused.answer

    return answer


def install(
    more: dict[str, Operation], prepare: dict[str, Callable[[dict[str, Any]], object]]
) -> None:
    """Check every request to the states API.

    ``more`` are operations that MiniStack does not know, by name. ``prepare`` is what an
    operation needs that takes long, such as parsing: it is done on another thread first.
    """
    stepfunctions.handle_request = _checked(stepfunctions.handle_request, more, prepare)
    # Who may do what is asked first, and MiniStack looks for the resource in whatever came.
    iam_actions._safe_json_field = json_field


def json_field(document: bytes, field: str) -> str:
    """Return a text member of a JSON body, or "" where there is none, or no JSON."""
    try:
        value = read_json(document.decode()).get(field)
    except (ValueError, AttributeError):
        return ""
    return value if isinstance(value, str) else ""


def _checked(
    handle: Handler,
    more: dict[str, Operation],
    prepare: dict[str, Callable[[dict[str, Any]], object]],
) -> Handler:
    async def checked(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Answer:
        try:
            name = operation_name(headers)
            data = request(name, body)
        except Refused as refused:
            return refused.answer
        CALLER.set(extract_access_key_id(headers, query))
        if name in prepare:
            await asyncio.to_thread(prepare[name], data)
        if name in more:
            answer = stepfunctions._finalize_response(await run_reentrant(more[name], data))
        else:
            answer = await handle(method, path, headers, json.dumps(data).encode(), query)
        return _worded(answer, data)

    return checked


def operation_name(headers: dict[str, str]) -> str:
    """Return the operation that a request's X-Amz-Target names.

    Raises Refused with UnknownOperationException where there is none of that name.
    """
    prefix, _, name = headers.get("x-amz-target", "").partition(".")
    if prefix != "AWSStepFunctions" or name not in _model().operation_names:
        raise Refused("UnknownOperationException", "")
    return name


def request(operation: str, body: bytes) -> dict[str, Any]:
    """Return the members of a request's body that the operation knows; null counts as absent.

    Raises Refused with SerializationException or ValidationException.
    """
    shape = _model().operation_model(operation).input_shape
    try:
        document = read_json(body.decode() or "{}")
        json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except ValueError as error:
        raise Refused("SerializationException", "The request body is not valid JSON") from error
    try:
        data = constraints.typed(shape, document)
    except constraints.WrongTypeError as error:
        raise Refused("SerializationException", str(error)) from error
    found = list(constraints.broken(shape, data))
    if found:
        raise Refused("ValidationException", constraints.detected(found))
    return data


def read_json(text: str) -> Any:
    """Return what a JSON text says. Raises ValueError, for too deep a nesting and NaN too."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("The JSON is nested too deeply") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


@functools.lru_cache(maxsize=1)
def _model() -> Any:
    return get_service_model("stepfunctions")


# What MiniStack says of a thing that is not there in words of its own.
_WORDS = {
    "StateMachineDoesNotExist": ("State Machine Does Not Exist: '{}'", "stateMachineArn"),
    "ExecutionDoesNotExist": ("Execution Does Not Exist: '{}'", "executionArn"),
    "ActivityDoesNotExist": ("Activity Does Not Exist: '{}'", "activityArn"),
}


def missing(kind: str, arn: str) -> Refused:
    """Return the error for a StateMachine, Execution or Activity that is not there."""
    code = f"{kind}DoesNotExist"
    return Refused(code, _WORDS[code][0].format(arn))


def _worded(answer: Answer, data: dict[str, Any]) -> Answer:
    """Return an error in AWS's words where MiniStack has others."""
    status, _, body = answer
    if status < 400:
        return answer
    code = json.loads(body).get("__type")
    words, member = _WORDS.get(code, ("", ""))
    return error_response_json(code, words.format(data[member]), 400) if member in data else answer


# --- names, ARNs, payloads ---------------------------------------------------------------


def name(value: str) -> str:
    """Return a name. Raises Refused with InvalidName."""
    if _FORBIDDEN_IN_NAMES.search(value):
        raise Refused("InvalidName", f"Invalid Name: '{value}'")
    return value


def arn(value: str, *kinds: str) -> str:
    """Return the ARN of a resource of one of these kinds. Raises Refused with InvalidArn."""
    found = _ARN.fullmatch(value)
    if not found:
        raise Refused("InvalidArn", f"Invalid Arn: 'Invalid ARN prefix: {value}'")
    if found["kind"] not in kinds:
        kind = found["kind"].lower()
        raise Refused(
            "InvalidArn", f"Invalid Arn: 'Resource type not valid in this context: {kind}'"
        )
    return value


def payload(text: str, code: str, subject: str) -> str:
    """Return a JSON text of at most 262,144 bytes in UTF-8. Raises Refused with ``code``."""
    if len(text.encode()) > PAYLOAD_BYTES:
        raise Refused(code, f"{subject}: 'The payload is larger than {PAYLOAD_BYTES} bytes'")
    try:
        read_json(text)
    except ValueError as error:
        raise Refused(code, f"{subject}: '{error}'") from error
    return text


def body(answer: Answer) -> Item:
    """Return what an answer says."""
    return json.loads(answer[2])
