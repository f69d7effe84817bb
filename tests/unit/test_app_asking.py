"""AskUser's mail and ReceiveUser's page."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from tests.unit.test_app_template import load, sample

ask_user = load("ask_user.app")
receive_user = load("receive_user.app")


# --- AskUser ---


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    mails: list[dict] = []
    monkeypatch.setattr(ask_user.sns, "publish", lambda **mail: mails.append(mail))
    return mails


def test_the_mail_says_all_that_a_decision_needs(sent: list[dict]):
    event = sample("ask_user")
    ask_user.lambda_handler(event, None)
    (mail,) = sent
    quarantine, incident = event["quarantine"], event["incident"]
    for fact in (
        quarantine["policyArn"],
        incident["author"]["arn"],
        incident["eventName"],
        event["validation"]["createdAt"],
        "s3:DeleteBucket",
        "statement 0 (VisualEditor0)",
        quarantine["withdrawn"][0]["sha256"],
        quarantine["withdrawn"][0]["document"],
        "2026-11-23 13:00:02 UTC",
    ):
        assert fact in mail["Message"]
    assert mail["TopicArn"] == ask_user.TOPIC_ARN


def test_both_links_carry_the_token_through_a_url(sent: list[dict]):
    event = sample("ask_user")
    ask_user.lambda_handler(event, None)
    links = re.findall(r"https://\S+", sent[0]["Message"])
    assert [urlsplit(link).path for link in links] == ["/Prod/allow", "/Prod/deny"]
    for link in links:
        assert parse_qs(urlsplit(link).query)["token"] == [event["token"]]


def test_the_answer_shows_the_token_and_what_it_decides(sent: list[dict]):
    event = sample("ask_user")
    assert ask_user.lambda_handler(event, None) == {
        "token": event["token"],
        "policyName": "my-bad-policy-aws-5-mins",
        "policyArn": event["quarantine"]["policyArn"],
        "granted": ["s3:DeleteBucket"],
        "author": "arn:aws:iam::123456789012:user/alice",
        "deadline": "2026-11-23 13:00:02 UTC",
    }


def test_the_token_is_never_logged(sent: list[dict], capfd: pytest.CaptureFixture):
    ask_user.lambda_handler(sample("ask_user"), None)
    assert capfd.readouterr() == ("", "")


def test_it_asks_about_a_policy_that_nobody_could_judge(sent: list[dict]):
    event = sample("ask_user")
    event["validation"] = {"Error": "Lambda.Unknown", "Cause": "..."}
    assert ask_user.lambda_handler(event, None)["granted"] == []
    assert "could not be judged" in sent[0]["Message"]


def test_it_asks_about_a_text_that_is_not_there(sent: list[dict]):
    event = sample("ask_user")
    event["quarantine"]["withdrawn"] = []
    ask_user.lambda_handler(event, None)
    assert "too long for a mail" in sent[0]["Message"]


@pytest.mark.parametrize("name", ["p", "p" * 128, "\u00e4\u00f6\u00fc"])
def test_the_subject_is_one_that_sns_takes(name: str):
    subject = ask_user.subject({"policyName": name})
    assert subject.isascii()
    assert len(subject) <= 100


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ({"type": "IAMUser", "arn": "arn:aws:iam::1:user/a", "userName": "a"},
         "arn:aws:iam::1:user/a"),
        ({"type": "AWSService", "invokedBy": "cloudformation.amazonaws.com"},
         "cloudformation.amazonaws.com"),
        ({"type": "AWSAccount", "principalId": "AIDA"}, "AIDA"),
        ({}, "not known"),
    ],
)  # fmt: skip
def test_every_kind_of_author_has_a_name(identity: dict, name: str):
    assert ask_user.author(identity) == name


def test_a_mail_that_is_not_taken_is_an_error_with_a_name(monkeypatch):
    def refuse(**_):
        raise ClientError({"Error": {"Code": "Throttled", "Message": "slow down"}}, "Publish")

    monkeypatch.setattr(ask_user.sns, "publish", refuse)
    with pytest.raises(ask_user.MailNotSentError, match="slow down"):
        ask_user.lambda_handler(sample("ask_user"), None)


# --- ReceiveUser ---


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    taken: list[dict] = []
    monkeypatch.setattr(
        receive_user.states, "send_task_success", lambda **answer: taken.append(answer)
    )
    return taken


def request(method: str = "POST", path: str = "/allow", **query: str) -> dict:
    event = sample("receive_user")
    event |= {"httpMethod": method, "path": path, "resource": path}
    if query:
        event["queryStringParameters"] = query
    return event


def respond(event: dict) -> dict:
    return receive_user.lambda_handler(event, None)


@pytest.mark.parametrize(("path", "action"), [("/allow", "allow"), ("/deny", "delete")])
def test_a_press_of_the_button_decides(answers: list[dict], path: str, action: str):
    event = request(path=path)
    assert respond(event)["statusCode"] == 200
    (answer,) = answers
    assert answer["taskToken"] == event["queryStringParameters"]["token"]
    output = json.loads(answer["output"])
    assert output["action"] == action
    assert output["decidedBy"]["sourceIp"] == "203.0.113.9"
    assert output["decidedBy"]["channel"] == "approval page"
    assert output["decidedBy"]["time"].endswith("+00:00")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_decides_nothing(answers: list[dict], method: str):
    for _ in range(10):
        response = respond(request(method))
        assert response["statusCode"] == 200
    assert answers == []
    assert response["body"].count("<button") == 1
    assert '<form method="post">' in response["body"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(answers: list[dict], method: str):
    response = respond(request(method))
    assert response["statusCode"] == 405
    assert response["headers"]["Allow"] == "GET, HEAD, POST"
    assert answers == []


def test_another_page_is_not_there(answers: list[dict]):
    assert respond(request(path="/other"))["statusCode"] == 404
    assert answers == []


def test_a_stage_in_the_path_is_no_trouble(answers: list[dict]):
    respond(request(path="/Prod/allow/"))
    assert len(answers) == 1


@pytest.mark.parametrize(
    "pasted", ["AQC+/x==", "AQC /x==", ' "AQC+/x==" ', "AQC+/x==\n"]
)  # an unencoded plus arrives as a space
def test_a_token_pasted_by_hand_works(answers: list[dict], pasted: str):
    assert respond(request(token=pasted))["statusCode"] == 200
    assert answers[0]["taskToken"] == "AQC+/x=="


def test_a_token_in_the_form_works(answers: list[dict]):
    event = request()
    event |= {"queryStringParameters": None, "body": "token=AQC%2B%2Fx%3D%3D"}
    assert respond(event)["statusCode"] == 200
    assert answers[0]["taskToken"] == "AQC+/x=="


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "token", ["", " ", "a" * 2049, "<script>", "a\tb", "\u00e4", "a%00b", "{}"]
)
def test_no_token_or_a_malformed_one_is_400(answers: list[dict], method: str, token: str):
    response = respond(request(method, token=token))
    assert response["statusCode"] == 400
    assert "Nothing was changed" in response["body"]
    assert answers == []


def test_no_query_at_all_is_400(answers: list[dict]):
    event = request()
    event["queryStringParameters"] = None
    assert respond(event)["statusCode"] == 400


def error(code: str) -> Exception:
    return receive_user.states.exceptions.from_code(code)(
        {"Error": {"Code": code, "Message": "the token AQC"}}, "SendTaskSuccess"
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("TaskTimedOut", 410),
        ("TaskDoesNotExist", 410),
        ("InvalidToken", 404),
        ("AccessDeniedException", 502),
        ("ThrottlingException", 502),
    ],
)
def test_a_refusal_says_so(monkeypatch, capfd, code: str, status: int):
    def refuse(**_):
        raise error(code)

    monkeypatch.setattr(receive_user.states, "send_task_success", refuse)
    response = respond(request())
    assert response["statusCode"] == status
    assert re.search(r"Nothing was changed|No decision was made", response["body"])
    assert "AQC" not in "".join(capfd.readouterr())


def test_an_aws_that_does_not_answer_says_so(monkeypatch):
    def hang(**_):
        raise ConnectTimeoutError(endpoint_url="https://states")

    monkeypatch.setattr(receive_user.states, "send_task_success", hang)
    assert respond(request())["statusCode"] == 502


def test_what_a_link_says_is_shown_as_text(answers: list[dict]):
    evil = "<script>alert(1)</script>\"'&" + "x" * 5_000
    body = respond(request("GET", token="AQC", policy=evil))["body"]
    assert "<script" not in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;" in body
    assert len(body) < 5_000


@pytest.mark.parametrize(
    "event",
    [request("GET"), request("POST"), request(token=""), request("PUT"), request(path="/x")],
)
def test_every_page_is_whole_private_and_without_script(answers: list[dict], event: dict):
    response = respond(event)
    headers, body = response["headers"], response["body"]
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert body.startswith('<!doctype html>\n<html lang="en">')
    assert body.count("<h1>") == body.count("<title>") == body.count("<main>") == 1
    assert not re.search(r"<script|javascript:| on\w+=| style=|https?://", body)
    assert f"<style>{receive_user.STYLE}</style>" in body  # what the policy has the hash of
    assert sample("receive_user")["queryStringParameters"]["token"] not in body
