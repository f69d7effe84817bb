"""A question read from a history, and what became of it: every way it can go."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from helpers import question
from helpers.question import APPROVED, DENIED, Question

SCRIPT = "<script>alert(1)</script>"
ASKED = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
DOCUMENT = '{"Statement": []}'
TOKEN = "AQC-token"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:guard:one"
ABOUT = {
    "policyName": "much",
    "policyArn": "arn:aws:iam::123456789012:policy/much",
    "granted": ["s3:DeleteBucket", "s3:DeleteObject"],
    "author": "arn:aws:iam::123456789012:user/eve",
    "deadline": "2026-11-23 07:00:00 UTC",
    "sha256": "ab" * 32,
    "description": "",
}


def event(kind: str, seconds: int = 0, **details: Any) -> dict[str, Any]:
    name = f"{kind[0].lower()}{kind[1:]}EventDetails"
    if kind.endswith("StateEntered"):
        name = "stateEnteredEventDetails"
    return {"type": kind, "timestamp": ASKED + timedelta(seconds=seconds), name: details}


def entered(**kept: Any) -> dict[str, Any]:
    withdrawn = [{"versionId": "v1", "wasDefault": True, **kept}]
    quarantine = {"policyArn": ABOUT["policyArn"], "inForce": "v2", "restore": "v1"}
    of = {"quarantine": {**quarantine, "withdrawn": withdrawn}}
    return event("TaskStateEntered", name="AskUser", input=json.dumps(of))


def submitted(token: str = TOKEN, **about: Any) -> dict[str, Any]:
    answer = {"Payload": {"token": token, **ABOUT, **about}}
    return event("TaskSubmitted", output=json.dumps(answer))


def asking(**about: Any) -> list[dict[str, Any]]:
    return [entered(document=DOCUMENT), event("TaskStarted"), submitted(**about)]


def read(**about: Any) -> Question:
    found = question.read(EXECUTION, asking(**about))
    assert found
    return found


class TestReading:
    def test_it_says_what_is_asked(self) -> None:
        found = read()
        assert (found.policy, found.author) == ("much", ABOUT["author"])
        assert found.granted == ["s3:DeleteBucket", "s3:DeleteObject"]
        assert found.document == DOCUMENT
        assert found.token == TOKEN
        assert found.counted

    def test_the_token_is_in_no_view_of_it(self) -> None:
        found = read()
        assert TOKEN not in repr(found) + found._repr_html_()

    def test_a_compressed_document_is_unpacked(self) -> None:
        text = DOCUMENT + " " * 5_000
        packed = base64.b64encode(zlib.compress(text.encode())).decode()
        found = question.read(EXECUTION, [entered(documentZlib=packed), submitted()])
        assert found
        assert found.document == text

    def test_a_document_that_was_not_kept_is_said(self) -> None:
        found = question.read(EXECUTION, [entered(), submitted()])
        assert found
        assert "has kept no text" in found._repr_html_()

    @pytest.mark.parametrize(
        "events",
        [
            [],
            [event("ExecutionStarted")],
            [*asking(), event("TaskSucceeded", output="{}")],
            [event("TaskSubmitted", output='"another task"')],
            [event("TaskSubmitted", output='{"Payload": 3}')],
            [event("TaskSubmitted", output="no JSON")],
            [event("TaskSubmitted")],
        ],
    )
    def test_whatever_asks_no_person_is_no_question(self, events: list[dict[str, Any]]) -> None:
        assert question.read(EXECUTION, events) is None

    def test_it_counts_what_has_gone_and_what_is_left(self) -> None:
        found, now = read(), ASKED + timedelta(seconds=90.9)
        assert found.waited(now) == 90
        assert found.left(now) == 3509
        assert found.left(ASKED + timedelta(days=1)) == 0
        assert found.waited(ASKED - timedelta(seconds=5)) == 0, "clocks differ"

    @pytest.mark.parametrize("deadline", ["soon", "", None, 7])
    def test_an_unreadable_deadline_is_none(self, deadline: Any) -> None:
        assert read(deadline=deadline).left(ASKED) is None
        assert read(deadline=deadline)._repr_html_()


class TestShowing:
    def test_what_approving_changes_is_shown_both_ways(self) -> None:
        found = Question(
            EXECUTION, TOKEN, ABOUT, '{"Effect": "Allow"}', ASKED, '{"Effect": "Deny"}'
        )
        assert ("-", '  "Effect": "Deny"') in found.replacement.lines
        assert ("+", '  "Effect": "Allow"') in found.replacement.lines
        assert "+ comes, - goes" in found._repr_html_()

    def test_a_version_that_did_not_count_changes_nothing_in_force(self) -> None:
        found = Question(EXECUTION, TOKEN, ABOUT, "[1]", ASKED, "[2]", counted=False)
        assert {sign for sign, _ in found.replacement.lines} == {"+"}
        assert "it was not in force" in found._repr_html_()

    def test_what_is_in_force_may_be_unreadable(self) -> None:
        assert "could not be read" in Question(EXECUTION, TOKEN, ABOUT, "[1]", ASKED).html()

    def test_the_documents_can_be_folded(self) -> None:
        assert "<details open>" in read().html()
        assert "<details>" in read().html(folded=True)

    @pytest.mark.parametrize("name", ["policyName", "policyArn", "author", "description", "sha256"])
    def test_hostile_facts_are_text(self, name: str) -> None:
        words = f"{SCRIPT}\u202e"
        shown = read(**{name: words})
        assert "<script" not in shown._repr_html_()
        assert "\u202e" not in shown._repr_html_() + repr(shown)

    def test_hostile_grants_and_documents_are_text(self) -> None:
        document = json.dumps({"Sid": f"</pre></details>{SCRIPT}"})
        found = question.read(EXECUTION, [entered(document=document), submitted(granted=[SCRIPT])])
        assert found
        shown = found._repr_html_()
        assert "<script" not in shown
        assert shown.count("</pre>") == 1

    def test_one_that_could_not_be_judged_says_so(self) -> None:
        assert "could not be judged" in read(granted=[])._repr_html_()
        assert repr(read(granted=None)).startswith("much: grants not known")


def became(*events: dict[str, Any], token: str = TOKEN) -> str:
    words = question.outcome([*asking(), *events], token)
    assert words
    return words


def answer(**said: Any) -> dict[str, Any]:
    return event("TaskSucceeded", 5, output=json.dumps(said))


WORKBOOK = {"channel": "workbook", "principal": "arn:aws:iam::123456789012:root"}
PAGE = {"channel": "approval page", "sourceIp": "203.0.113.9"}


class TestOutcome:
    def test_there_is_none_while_it_waits(self) -> None:
        assert question.outcome(asking(), TOKEN) is None
        assert question.outcome([], TOKEN) is None
        assert question.outcome([*asking(), event("TaskTimedOut")], "another token") is None

    def test_it_says_which_way_it_went_and_who_decided(self) -> None:
        words = became(answer(action="allow", decidedBy=PAGE))
        assert words.startswith(APPROVED)
        assert "2026-11-23 06:00:05 UTC on the approval page, from the address 203.0.113.9" in words
        words = became(answer(action="delete", decidedBy=WORKBOOK))
        assert words.startswith(DENIED)
        assert f"in a workbook, by {WORKBOOK['principal']}" in words

    @pytest.mark.parametrize("said", [{}, {"decidedBy": None}, {"decidedBy": ["a"]}])
    def test_who_did_not_say_so_is_not_made_up(self, said: dict[str, Any]) -> None:
        assert "did not say who" in became(answer(action="allow", **said))

    @pytest.mark.parametrize("output", ['{"action": "yes"}', "[]", '"allow"', "no JSON", None])
    def test_an_answer_that_is_not_understood_approves_nothing(self, output: str | None) -> None:
        words = became(event("TaskSucceeded", output=output))
        assert "neither allow nor delete: nothing was approved" in words

    def test_it_says_how_the_execution_ended(self) -> None:
        done = json.dumps({"restored": {"inForceAgain": True, "versionId": "v3"}})
        ended = became(answer(action="allow"), event("ExecutionSucceeded", output=done))
        assert ended.endswith("Its v3 is in force.")
        failed = event("ExecutionFailed", error="ApprovalFailed", cause="It was changed.")
        assert became(answer(action="allow"), failed).endswith(
            "Then the execution failed. Reason: “ApprovalFailed: It was changed.”"
        )
        stopped = event("ExecutionAborted", cause="enough")
        assert became(answer(action="allow"), stopped).endswith("was stopped. Reason: “enough”")

    @pytest.mark.parametrize(
        ("last", "words"),
        [
            (event("TaskTimedOut", error="States.Timeout"), "Nobody answered before the deadline"),
            (event("TaskFailed", error="No"), "reported a failure (SendTaskFailure)"),
            (event("ExecutionAborted", error="E", cause="because"), "stopped: it waits for no"),
            (event("ExecutionTimedOut"), "time was up"),
        ],
    )
    def test_without_an_answer_it_stays_under_quarantine(
        self, last: dict[str, Any], words: str
    ) -> None:
        assert words in became(event("TaskStateAborted"), last)
        assert "The policy stays under quarantine." in became(last)

    def test_the_cause_is_told_and_shortened(self) -> None:
        assert "“E: because”" in became(event("ExecutionAborted", error="E", cause="because"))
        assert len(became(event("ExecutionAborted", cause="x" * 10_000))) < 1_000

    def test_a_question_that_was_asked_again_is_told_apart(self) -> None:
        """A redrive of a stopped execution asks anew, with a token of its own."""
        events = [*asking(), event("ExecutionAborted"), submitted(token="second")]
        assert "stopped" in str(question.outcome(events, TOKEN))
        assert question.outcome(events, "second") is None
