"""What an optimized integration adds to a service's answer: its HTTP headers and request id.

Recorded on AWS for lambda:invoke, sqs:sendMessage, sns:publish, dynamodb:putItem and
glue:startJobRun; an AWS SDK integration, a Lambda's own ARN and what ``.sync`` waits for have
none. Why one filters it away:
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-inputpath-params.html#input-output-resultselector
"""

from __future__ import annotations

import threading
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.handlers import BUILTIN_HANDLERS

# As AWS spells them; MiniStack's others do not exist on AWS.
HEADERS = (
    "X-Amz-Executed-Version",
    "Connection",
    "x-amzn-RequestId",
    "x-amz-crc32",
    "Content-Length",
    "Date",
    "Content-Type",
)

_heard = threading.local()


def install() -> None:
    """Let every client that is made from now on tell what it is answered."""
    BUILTIN_HANDLERS.append(("after-call", _remember))


def _remember(http_response: AWSResponse, **_: Any) -> None:
    _heard.answer = http_response


def forget() -> None:
    """Forget what this thread has heard: a mocked answer has no metadata."""
    _heard.answer = None


def last() -> dict[str, Any]:
    """Return the fields for the last answer that this thread has heard."""
    answer: AWSResponse | None = getattr(_heard, "answer", None)
    if answer is None:
        return {}
    headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
    return {
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": {name: headers[name] for name in sorted(headers, key=str.lower)},
            "HttpStatusCode": answer.status_code,
        },
        "SdkResponseMetadata": {"RequestId": headers.get("x-amzn-RequestId", "")},
    }
