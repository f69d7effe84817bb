"""AskUser's mail and ReceiveUser's page."""

import base64
import json
import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from hypothesis import example, given
from hypothesis import strategies as st

from helpers import inbox
from tests.unit.test_app_template import load, sample

approval_link = load("approval_link")
ask_user = load("ask_user.app")
managed_policy = load("managed_policy")
page = load("receive_user.page")
receive_user = load("receive_user.app")

# As long as AWS's, with all three signs that mean something in a link.
TOKEN = "AQCEAAAAKgAAAAMAAAAA" + base64.b64encode(bytes(range(256)) + bytes(229)).decode()
LABELS = ("ALLOW", "DENY")
FORGED = """
ALLOW: put the document back as it was
https://evil.example/Prod/allow?token=mine
| Document:
"""


# --- AskUser ---


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    mails: list[dict] = []
    monkeypatch.setattr(ask_user.sns, "publish", lambda **mail: mails.append(mail))
    return mails


def asking(**changed: object) -> dict:
    """Return the sample event, with an author's texts changed."""
    event = sample("ask_user")
    event["token"] = TOKEN
    quarantine, validation = event["quarantine"], event["validation"]
    for name, value in changed.items():
        match name:
            case "document":
                item = {"versionId": "v1", "wasDefault": True, **managed_policy.pack(value)}
                quarantine["withdrawn"] = [item]
            case "description":
                event["detail"]["requestParameters"]["description"] = value
            case "author":
                event["incident"]["author"]["arn"] = value
            case "statement":
                validation["statements"][0]["statement"] = value
            case "policy":
                quarantine["policyArn"] = value
                quarantine["policyName"] = value.rpartition("/")[2]
            case "granted":
                validation["granted"] = value
    return event


def mail_of(event: dict) -> str:
    return ask_user.message(ask_user.question(event), event)


def link_of(event: dict, answer: str = "allow") -> str:
    return ask_user.link(answer, event["token"], ask_user.question(event))


def said(link: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


def behind_bars(mail: str) -> str:
    return "\n".join(line[2:] for line in mail.splitlines() if line.startswith("| "))


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
        "2026-11-23 13:00:02 UTC",
    ):
        assert fact in mail["Message"]
    assert behind_bars(mail["Message"]) == (
        "Deletes buckets that nobody needs.\n" + quarantine["withdrawn"][0]["document"]
    )
    assert mail["TopicArn"] == ask_user.TOPIC_ARN


def test_both_links_carry_the_token_through_a_url():
    links = re.findall(r"https://\S+", mail_of(asking()))
    assert [urlsplit(link).path for link in links] == ["/Prod/allow", "/Prod/deny"]
    assert [said(link)["token"] for link in links] == [TOKEN, TOKEN]


def test_a_link_carries_the_short_facts():
    event = sample("ask_user")
    assert said(link_of(event)) == {
        "token": event["token"],
        "policy": "arn:aws:iam::123456789012:policy/my-bad-policy-aws-5-mins",
        "grants": "s3:DeleteBucket",
        "author": "arn:aws:iam::123456789012:user/alice",
        "deadline": "2026-11-23 13:00:02 UTC",
        "sha256": "9197f45ef7d09bc9",
        "description": "Deletes buckets that nobody needs.",
    }


LONG_POLICY = f"arn:aws:iam::123456789012:policy/{'a' * 510}/{'b' * 128}"
LONG_AUTHOR = f"arn:aws:iam::123456789012:user/{'c' * 510}/{'d' * 64}"


@pytest.mark.parametrize(
    "texts",
    [
        {"policy": LONG_POLICY},
        {"author": LONG_AUTHOR},
        {"description": "\u6f22" * 1_000},
        {"description": "\x00" * 1_000},
        {"granted": [f"s3:Delete{number}" for number in range(300)]},
        {
            "policy": LONG_POLICY,
            "author": LONG_AUTHOR,
            "description": "\U0001f600" * 1_000,
            "granted": [f"s3:Delete{number}" for number in range(300)],
        },
    ],
)
def test_a_link_is_never_too_long_for_a_mail_and_has_the_whole_token(texts: dict):
    link = link_of(asking(**texts), "deny")
    assert len(link) <= 998
    facts = said(link)
    assert facts["token"] == TOKEN
    # What fits is whole; what does not, shows both its ends, and crowds out nothing else.
    assert facts["deadline"] == "2026-11-23 13:00:02 UTC"
    assert facts["sha256"] == "9197f45ef7d09bc9"
    for name, start in (("policy", "arn:aws:iam"), ("author", "arn:aws:iam"), ("grants", "s3:Del")):
        assert facts[name].startswith(start)
    assert ("…" in facts["policy"]) == ("policy" in texts)
    if "policy" in texts:
        assert facts["policy"].endswith("bbbbbb")
    if "description" in texts:
        assert "author" in texts or "…" not in facts["author"]


def test_a_token_that_fills_the_link_leaves_no_room_for_facts():
    link = approval_link.write("https://x/allow", "a" * 2_048, {"policy": "p", "description": "d"})
    assert link == f"https://x/allow?token={'a' * 2_048}"


def test_the_page_shows_what_the_mail_wrote_into_the_link():
    facts = said(link_of(asking()))
    facts.pop("token")
    shown = respond(request("GET", token=TOKEN, **facts))["body"]
    for text in facts.values():
        assert text in shown


# Where the author of a policy has a word, in and beyond what IAM takes.
PLACES = ["document", "description", "author", "statement", "policy"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x85", "\u2028", "\u2029", " " * 80])
def test_no_author_can_forge_a_line_or_a_link_of_the_mail(place: str, end: str):
    mail = mail_of(asking(**{place: f"arn:aws:iam::1:policy/{FORGED.replace(chr(10), end)}"}))
    links = re.findall(r"[a-z]+://\S+", mail)
    assert [urlsplit(link).hostname for link in links] == [urlsplit(ask_user.API_URL).hostname] * 2
    lines = re.split(r"[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", mail)
    assert [line.split(":")[0] for line in lines if line.startswith(LABELS)] == list(LABELS)
    assert lines.count("Document:") == 1
    assert mail.count("//") == 2
    assert "evil.example" in mail  # it is shown, but as what it is
    assert mail.index(links[1]) < mail.index("\n|")


@pytest.mark.parametrize("place", PLACES)
def test_a_forged_link_is_not_the_one_that_the_workbook_follows(place: str):
    text = mail_of(asking(**{place: f"arn:aws:iam::1:policy/{FORGED}"}))
    links = tuple(inbox._LINK.findall(text))
    mail = inbox.Mail("s", "a@b", "c@d", datetime(2026, 11, 22, tzinfo=UTC), text, links)
    for answer in ("allow", "deny"):
        assert mail.link(answer).startswith(f"{ask_user.API_URL}/{answer}?")
    assert "evil.example" not in " ".join(links)


@given(st.text(alphabet=st.characters() | st.sampled_from("/\n\t ")))
def test_what_is_quoted_stays_behind_its_bars(text: str):
    for line in ask_user.quote(text).split("\n") if ask_user.quote(text) else []:
        assert line.startswith("| ")
        assert line.isprintable()
        assert "//" not in line
        assert len(line) <= 78


@given(st.text(max_size=300), st.text(max_size=300), st.integers(0, 1_000))
@example(policy="", words="¡" * 120 + "…" + "\x1f" * 40, room=307)
def test_a_link_can_be_read_whatever_is_written_into_it(policy: str, words: str, room: int):
    page_of = "https://x/" + "y" * room
    link = approval_link.write(page_of, "AQC+/=", {"policy": policy, "description": words})
    facts = said(link)
    assert len(link) <= max(998, len(page_of) + len("?token=AQC%2B%2F%3D"))
    assert facts.pop("token") == "AQC+/="
    assert set(facts) <= {"policy", "description"}
    for name, text in (("policy", policy), ("description", words)):
        shown, whole = facts.get(name, "…"), approval_link.visible(text)
        gaps = [place for place, letter in enumerate(shown) if letter == "…"]  # or its author's
        assert shown == whole or any(
            whole.startswith(shown[:gap]) and whole.endswith(shown[gap + 1 :]) for gap in gaps
        )


def test_a_document_keeps_its_meaning_behind_bars():
    document = {"Statement": [{"Condition": {"StringLike": {"aws:Referer": "https://a//b/*"}}}]}
    for text in (json.dumps(document, indent=4), json.dumps(document, indent="\t")):
        assert json.loads(ask_user.quote(text).replace("\n| ", "\n")[2:]) == document


def test_white_space_moves_no_words_of_a_name_to_the_margin():
    assert ask_user.fact("Policy", f"a{' ' * 300}ALLOW: x") == "Policy     a ALLOW: x"
    lines = ask_user.fact("ARN", "a" * 1_000).splitlines()
    assert [line[:11] for line in lines] == ["ARN        ", *[" " * 11] * 5]
    assert max(map(len, lines)) == 200


@pytest.mark.parametrize(
    "padding", ["\n" * 90_000, " " * 90_000, " \n" * 60_000, "\t" * 90_000, " " * 9_000]
)
def test_white_space_hides_no_end_of_a_document(padding: str):
    mail = mail_of(asking(document='{"Version": "2012-10-17",' + padding + '"Statement": []}'))
    assert '"Statement": []}' in behind_bars(mail)
    assert len(mail) < 5_000


def test_a_document_that_is_all_short_lines_is_shown_without_its_white_space():
    text = "[" + ",".join(f"{' ' * 70}\n1" for _ in range(1_000)) + "]"
    mail = mail_of(asking(document=text))
    assert "".join(behind_bars(mail).split()).endswith("".join(text.split()))
    assert len(mail) < 10_000


def test_a_document_that_was_compressed_is_shown():
    text = json.dumps({"Statement": [{"Sid": str(number)} for number in range(400)]}, indent=1)
    event = asking(document=text)
    assert "documentZlib" in event["quarantine"]["withdrawn"][0]
    assert behind_bars(mail_of(event)).endswith(text)


def test_the_largest_mail_is_one_that_sns_takes():
    # A document has at most 6,144 characters that are not white space, none beyond U+00FF:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    event = asking(
        document="\n".join("\x80" * 6_144).ljust(131_072),
        description="\x80" * 1_000,
        policy=f"arn:aws:iam::123456789012:policy/{'/' * 510}/{'b' * 128}",
        author=LONG_AUTHOR,
        granted=[f"s3:Delete{number}" for number in range(300)],
    )
    mail = mail_of(event)
    assert behind_bars(mail).replace("\n", "").count(r"\u0080") == 7_144
    assert len(mail.encode()) <= 262_144
    # https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1
    assert max(map(len, mail.split("\n"))) <= 998


def test_a_text_that_is_no_unicode_stops_no_mail(sent: list[dict]):
    event = asking(description="\ud800", author="\udfff", policy="arn:aws:iam::1:policy/\ud800")
    ask_user.lambda_handler(event, None)
    assert r"\ud800" in sent[0]["Message"].encode().decode()
    assert sent[0]["Subject"].isascii()


@pytest.mark.parametrize("parameters", [None, {}, {"policyArn": "arn:aws:iam::1:policy/p"}])
def test_a_call_without_a_description_has_none(parameters: dict | None):
    event = asking()
    event["detail"]["requestParameters"] = parameters
    assert "Description:\nnone in this call\n" in mail_of(event)
    assert "description" not in said(link_of(event))


def test_the_answer_shows_the_token_and_what_it_decides(sent: list[dict]):
    event = sample("ask_user")
    assert ask_user.lambda_handler(event, None) == {
        "token": event["token"],
        "policyName": "my-bad-policy-aws-5-mins",
        "policyArn": event["quarantine"]["policyArn"],
        "granted": ["s3:DeleteBucket"],
        "author": "arn:aws:iam::123456789012:user/alice",
        "deadline": "2026-11-23 13:00:02 UTC",
        "sha256": event["quarantine"]["withdrawn"][0]["sha256"],
        "description": "Deletes buckets that nobody needs.",
    }


def test_the_token_is_never_logged(sent: list[dict], capfd: pytest.CaptureFixture):
    ask_user.lambda_handler(sample("ask_user"), None)
    assert capfd.readouterr() == ("", "")


def test_it_asks_about_a_policy_that_nobody_could_judge(sent: list[dict]):
    event = sample("ask_user")
    event["validation"] = {"Error": "Lambda.Unknown", "Cause": "..."}
    assert ask_user.lambda_handler(event, None)["granted"] == []
    assert "could not be judged" in sent[0]["Message"]
    assert "could not be judged" in said(link_of(event))["grants"]


@pytest.mark.parametrize("kept", [[], [{"versionId": "v1", "sha256": "0" * 64}]])
def test_it_asks_about_a_text_that_is_not_there(sent: list[dict], kept: list[dict]):
    event = sample("ask_user")
    event["quarantine"]["withdrawn"] = kept
    ask_user.lambda_handler(event, None)
    assert "Document:\nnot shown: no text was kept\n" in sent[0]["Message"]


@pytest.mark.parametrize("name", ["p", "p" * 128, "\u00e4\u00f6\u00fc", "a\nb", "\ud800"])
def test_the_subject_is_one_that_sns_takes(name: str):
    subject = ask_user.subject({"policyName": name})
    assert subject.isascii()
    assert subject.isprintable()
    assert len(subject) < 100


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


def request(method: str = "POST", path: str = "/allow", **query: str | list[str]) -> dict:
    """Return what API Gateway passes on: of a name that comes twice, the first map has the last."""
    event = sample("receive_user")
    event |= {"httpMethod": method, "path": path, "resource": path}
    if query:
        values = {name: [v] if isinstance(v, str) else v for name, v in query.items()}
        event["multiValueQueryStringParameters"] = values
        event["queryStringParameters"] = {name: found[-1] for name, found in values.items()}
    return event


def form(body: str | None, *, encoded: bool = False, **query: str) -> dict:
    """Return a POST of a form; without a query, API Gateway passes on null."""
    event = request(**query)
    if not query:
        event |= {"queryStringParameters": None, "multiValueQueryStringParameters": None}
    return event | {"body": body, "isBase64Encoded": encoded}


def respond(event: dict) -> dict:
    return receive_user.lambda_handler(event, None)


@pytest.mark.parametrize(("path", "action"), [("/allow", "allow"), ("/deny", "delete")])
def test_a_press_of_the_button_decides(answers: list[dict], path: str, action: str):
    event = request(path=path)
    response = respond(event)
    assert response["statusCode"] == 200
    (answer,) = answers
    assert answer["taskToken"] == event["queryStringParameters"]["token"]
    output = json.loads(answer["output"])
    assert output["action"] == action
    assert output["decidedBy"]["sourceIp"] == "203.0.113.9"
    assert output["decidedBy"]["channel"] == "approval page"
    assert output["decidedBy"]["time"].endswith("+00:00")
    # The person sees what is kept.
    assert output["decidedBy"]["time"] in response["body"]
    assert "203.0.113.9" in response["body"]


def test_looking_decides_nothing(answers: list[dict]):
    for _ in range(10):
        response = respond(request("GET"))
        assert response["statusCode"] == 200
    assert answers == []
    assert response["body"].count("<button") == 1
    assert '<form class="allow" method="post">' in response["body"]
    assert "Opening this page has changed nothing" in response["body"]


def test_head_has_the_headers_and_no_body(answers: list[dict]):
    response = respond(request("HEAD"))
    assert response == {**respond(request("GET")), "body": ""}
    assert respond(request("HEAD", token=""))["statusCode"] == 400
    assert answers == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post"])
def test_other_methods_are_refused(answers: list[dict], method: str):
    response = respond(request(method))
    assert response["statusCode"] == 405
    assert response["headers"]["Allow"] == "GET, HEAD, POST"
    assert "Access-Control-Allow-Origin" not in response["headers"]
    assert answers == []


@pytest.mark.parametrize("path", ["/other", "/", "", "/Allow", "/allow.html", "/allow/now"])
def test_another_page_is_not_there(answers: list[dict], path: str):
    assert respond(request(path=path))["statusCode"] == 404
    assert answers == []


@pytest.mark.parametrize("path", ["/allow/", "/allow//", "/Prod/allow/", "//allow"])
def test_a_stage_or_slashes_around_the_path_are_no_trouble(answers: list[dict], path: str):
    assert respond(request(path=path))["statusCode"] == 200
    assert json.loads(answers[0]["output"])["action"] == "allow"


@pytest.mark.parametrize(
    "pasted", ["AQC+/x==", "AQC /x==", ' "AQC+/x==" ', "AQC+/x==\n"]
)  # an unencoded plus arrives as a space
def test_a_token_pasted_by_hand_works(answers: list[dict], pasted: str):
    assert respond(request(token=pasted))["statusCode"] == 200
    assert answers[0]["taskToken"] == "AQC+/x=="


def test_a_page_of_a_pasted_token_says_that_the_link_does_not_tell(answers: list[dict]):
    response = respond(request("GET", token="AQC+/x=="))
    assert response["statusCode"] == 200
    assert "This link does not tell." in response["body"]
    assert response["body"].count("<button") == 1
    assert "<dl>" not in response["body"]


@pytest.mark.parametrize("encoded", [False, True])
def test_a_token_in_the_form_works(answers: list[dict], encoded: bool):
    body = "token=AQC%2B%2Fx%3D%3D"
    body = base64.b64encode(body.encode()).decode() if encoded else body
    assert respond(form(body, encoded=encoded))["statusCode"] == 200
    assert answers[0]["taskToken"] == "AQC+/x=="


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (form(""), 400),
        (form(None), 400),
        (form("other=1"), 400),
        (form("token"), 400),
        (form("token=%FF%FE"), 400),
        (form("%%%", encoded=True), 400),
        (form(base64.b64encode(b"token=\xff").decode(), encoded=True), 400),
        (form(base64.b64encode(b"").decode(), encoded=True), 400),
        (form("", token="AQC"), 200),
        (form("token=AQC", token="AQC"), 200),
        (form("token=other", token="AQC"), 400),
        (form("token=AQC&token=other"), 400),
    ],
)
def test_a_form_decides_with_exactly_one_token(answers: list[dict], event: dict, status: int):
    assert respond(event)["statusCode"] == status
    assert [answer["taskToken"] for answer in answers] == ["AQC"] * (status == 200)


def test_the_body_of_a_get_is_not_read(answers: list[dict]):
    event = form("token=AQC") | {"httpMethod": "GET"}
    assert respond(event)["statusCode"] == 400


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("tokens", "status"),
    [(["AQC", "AQC"], 200), (["AQC", ""], 200), (["AQC", "AQD"], 400), (["", ""], 400)],
)
def test_a_repeated_token_must_be_the_same(
    answers: list[dict], method: str, tokens: list[str], status: int
):
    assert respond(request(method, token=tokens))["statusCode"] == status
    assert len(answers) == (status == 200 and method == "POST")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "token",
    # The last ones: percent-encoded bytes that are no UTF-8, as a gateway may decode them.
    ["", " ", "a" * 2049, "<script>", "a\tb", "\u00e4", "a%00b", "{}", "\ufffd\ufffd", "\xff\xfe"],
)
def test_no_token_or_a_malformed_one_is_400(answers: list[dict], method: str, token: str):
    response = respond(request(method, token=token))
    assert response["statusCode"] == 400
    assert "Nothing was changed" in response["body"]
    assert answers == []


def test_the_longest_token_works(answers: list[dict]):
    assert respond(request(token="a" * 2048))["statusCode"] == 200
    assert len(answers) == 1


def test_no_query_at_all_is_400(answers: list[dict]):
    response = respond(form(None))
    assert response["statusCode"] == 400
    assert "The token is missing" in response["body"]


def error(code: str) -> Exception:
    return receive_user.states.exceptions.from_code(code)(
        {"Error": {"Code": code, "Message": "the token AQC"}}, "SendTaskSuccess"
    )


def refuse_with(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def refuse(**_: str) -> None:
        raise error(code)

    monkeypatch.setattr(receive_user.states, "send_task_success", refuse)


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
    refuse_with(monkeypatch, code)
    response = respond(request())
    assert response["statusCode"] == status
    assert re.search(r"Nothing was changed|was not confirmed", response["body"])
    assert "AQC" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("deadline", "title"),
    [
        ("2999-01-01 00:00:00 UTC", "Already decided"),
        ("2001-01-01 00:00:00 UTC", "This request is closed"),
        ("soon", "This request is closed"),
        ("", "This request is closed"),
    ],
)
def test_a_closed_request_says_what_can_be_known(monkeypatch, deadline: str, title: str):
    """Step Functions gives one error for both; before the deadline it can only be the one."""
    refuse_with(monkeypatch, "TaskTimedOut")
    response = respond(request(token="AQC", deadline=deadline))
    assert response["statusCode"] == 410
    assert f"<h1>{title}</h1>" in response["body"]
    assert ("its time was up" in response["body"]) == (title == "This request is closed")
    assert "already decided" in response["body"].lower()
    assert "<button" not in response["body"]


def test_an_aws_that_does_not_answer_says_so(monkeypatch):
    def hang(**_):
        raise ConnectTimeoutError(endpoint_url="https://states")

    monkeypatch.setattr(receive_user.states, "send_task_success", hang)
    assert respond(request())["statusCode"] == 502


@pytest.mark.parametrize(
    "name", ["policy", "grants", "author", "deadline", "sha256", "description"]
)
def test_what_a_link_says_is_shown_as_text(answers: list[dict], name: str):
    evil = "<script>alert(1)</script>\"'&" + "x" * 8_000
    body = respond(request("GET", token="AQC", **{name: evil}))["body"]
    assert "<script" not in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;" in body
    assert "x" * 600 in body
    assert "x" * 700 not in body
    assert page.LABELS[name] in body


def test_what_cannot_be_seen_is_written_out():
    facts = receive_user.facts_of(request(policy="\u202egnp\x00\n\ufffd", author="caf\xe9"))
    assert facts == {"policy": r"\u202egnp\u0000\n" + "\ufffd", "author": "caf\xe9"}


@pytest.mark.parametrize(
    ("deadline", "shown"),
    [
        (
            "2999-01-01 00:00:00 UTC",
            '<time datetime="2999-01-01T00:00:00Z">2999-01-01 00:00:00 UTC</time></dd>',
        ),
        (
            "2001-01-01 00:00:00 UTC",
            '<time datetime="2001-01-01T00:00:00Z">2001-01-01 00:00:00 UTC</time> '
            "(this time has passed)</dd>",
        ),
        ("tomorrow <b>", "<dd>tomorrow &lt;b&gt;</dd>"),
    ],
)
def test_the_deadline_is_shown_as_a_time(answers: list[dict], deadline: str, shown: str):
    assert shown in respond(request("GET", token="AQC", deadline=deadline))["body"]


def test_the_page_says_whose_words_it_shows(answers: list[dict]):
    body = respond(request("GET"))["body"]
    assert "All of this comes from the link." in body
    assert "perhaps of an attacker" in body
    assert "Description, in its author’s words" in body
    assert "The mail of this request has the document" in body


def test_a_name_of_aws_or_of_nobody_is_no_fact(answers: list[dict]):
    body = respond(request("GET", token="AQC", other="<p>other</p>", policy=["first", "second"]))[
        "body"
    ]
    assert "other" not in re.sub(r"<style>.*?</style>", "", body, flags=re.DOTALL)
    assert "first" in body
    assert "second" not in body


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
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert body.startswith('<!doctype html>\n<html lang="en">')
    assert body.count("<h1>") == body.count("<title>") == body.count("<main>") == 1
    assert not re.search(r"<script|javascript:| on\w+=| style=|https?://", body)
    assert f"<style>{page.STYLE}</style>" in body  # what the policy has the hash of
    assert sample("receive_user")["queryStringParameters"]["token"] not in body
