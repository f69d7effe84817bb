"""The exercises of the episode's lessons: each obvious wrong answer is told from the others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from helpers import approval, history, incident, inventory, stack
from helpers.exercises import approve_or_deny, catch_a_bad_policy, clean_up
from helpers.history import Event
from helpers.session import Session


@pytest.fixture(scope="module")
def events(lasting_aws: Session) -> list[Event]:
    """The history of an execution that has asked."""
    app = stack.require(lasting_aws)
    execution = incident.create(lasting_aws, app)
    return history.events(lasting_aws.client("stepfunctions"), execution)


class TestToken:
    def test_found(self, events: list[Event]) -> None:
        assert catch_a_bad_policy.token(events, approval.token(events))

    @pytest.mark.parametrize(
        ("take", "words"),
        [
            (lambda output: output, "still a dict"),
            (lambda output: output["Payload"], "one level at a time"),
            (lambda output: output["StatusCode"], "this is int"),
            (str, "other things around it"),
            (lambda output: output["Payload"]["token"][:40] + "…", "its beginning"),
            (lambda output: output["Payload"]["policyArn"], "an ARN"),
            (lambda output: "Payload", "no token of it"),
        ],
    )
    def test_told_apart(self, events: list[Event], take: Any, words: str) -> None:
        output = history.details(events[-1])["output"]
        verdict = catch_a_bad_policy.token(events, take(output))
        assert verdict.done is False
        assert words in verdict.words

    def test_no_verdict_gives_the_token_away(self, events: list[Event]) -> None:
        token = approval.token(events)
        for answer in (token, token[:30], f"x{token}", "no"):
            assert token not in catch_a_bad_policy.token(events, answer).words

    def test_open(self, events: list[Event]) -> None:
        assert catch_a_bad_policy.token(events, ...).done is None


class TestHarmlessAfter:
    @pytest.fixture
    def right(self, events: list[Event]) -> float:
        left = next(
            event
            for event in events
            if event.get("stateExitedEventDetails", {}).get("name") == "TempRemove"
        )
        return (left["timestamp"] - events[0]["timestamp"]).total_seconds() * 1000

    def test_right_also_when_it_is_rounded(self, events: list[Event], right: float) -> None:
        assert catch_a_bad_policy.harmless_after(events, right)
        assert catch_a_bad_policy.harmless_after(events, round(right))

    def test_told_apart(self, events: list[Event], right: float) -> None:
        temp_remove = history.steps(events).set_index("step").loc["TempRemove"]
        entered = right - temp_remove["duration"]
        for answer, words in (
            (right / 1000, "in seconds"),
            (temp_remove["duration"], "TempRemove alone"),
            (entered, "was entered"),
            (-right, "less than nothing"),
            (right + 50, "harmless for a while"),
            (entered / 2, "still dangerous"),
            (timedelta(milliseconds=right), "timedelta"),
            ("soon", "form that is asked for"),
        ):
            verdict = catch_a_bad_policy.harmless_after(events, answer)
            assert verdict.done is False, answer
            assert words in verdict.words, answer


class TestApproving:
    def test_right_with_more_beside_it(self, aws: Session) -> None:
        assert approve_or_deny.approving(aws, {"action": "allow"})
        assert approve_or_deny.approving(aws, {"action": "allow", "why": "needed"})

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            ({"action": "delete"}, "goes on to Denied"),
            ({"action": "Allow"}, "AnswerNotUnderstood: this is none of the answers"),
            ({"action": True}, "AnswerNotUnderstood: this is none of the answers"),
            ({"Action": "allow"}, "AnswerNotUnderstood: it looks into a field"),
            ({}, "AnswerNotUnderstood: it looks into a field"),
            (["allow"], "AnswerNotUnderstood"),
            ('{"action": "allow"}', "That is text"),
            ({"action": {1}}, "form that is asked for"),
        ],
    )
    def test_told_apart(self, aws: Session, answer: object, words: str) -> None:
        verdict = approve_or_deny.approving(aws, answer)
        assert verdict.done is False
        assert words in verdict.words


class TestHandIn:
    @staticmethod
    def _right(states: Any, token: str) -> bool:
        try:
            states.send_task_success(taskToken=token, output='{"action": "delete"}')
        except states.exceptions.TaskTimedOut:
            return False
        return True

    @staticmethod
    def _allows(states: Any, token: str) -> bool:
        states.send_task_success(taskToken=token, output='{"action": "allow"}')
        return True

    @staticmethod
    def _says_nothing(states: Any, token: str) -> None:
        states.send_task_success(taskToken=token, output='{"action": "delete"}')

    @staticmethod
    def _catches_nothing(states: Any, token: str) -> bool:
        states.send_task_success(taskToken=token, output='{"action": "delete"}')
        return True

    @classmethod
    def _always_true(cls, states: Any, token: str) -> bool:
        cls._right(states, token)
        return True

    @staticmethod
    def _catches_all(states: Any, token: str) -> bool:
        try:
            states.send_task_success(taskToken=token, output='{"action": "delete"}')
        except states.exceptions.ClientError:
            return False
        return True

    @staticmethod
    def _no_json(states: Any, token: str) -> bool:
        states.send_task_success(taskToken=token, output="delete")
        return True

    @staticmethod
    def _does_nothing(states: Any, token: str) -> bool:
        return bool(token)

    def test_right(self, aws: Session, app: stack.App) -> None:
        assert approve_or_deny.hand_in(aws, app, self._right)

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            ("_allows", "did not go through Denied"),
            ("_says_nothing", "returned None, not True"),
            ("_catches_nothing", "It raised TaskTimedOut"),
            ("_always_true", "returned True, not False"),
            ("_catches_all", "the error is hidden"),
            ("_no_json", "It raised InvalidOutput"),
            ("_does_nothing", "still waits"),
        ],
    )
    def test_told_apart(self, aws: Session, app: stack.App, answer: str, words: str) -> None:
        verdict = approve_or_deny.hand_in(aws, app, getattr(self, answer))
        assert verdict.done is False
        assert words in verdict.words

    def test_open(self, aws: Session, app: stack.App) -> None:
        def hand_in(states: Any, token: str) -> None: ...

        assert approve_or_deny.hand_in(aws, app, hand_in).done is None


class TestOutlive:
    ALL = frozenset({"Policies", "Users", "Trails", "Buckets", "Log groups"})

    @pytest.fixture
    def there(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
        """What is there of each kind: one thing, but nothing of the lessons."""
        found = {kind: ["one"] for kind in clean_up.MAKERS} | {"Of the lessons": []}
        monkeypatch.setattr(inventory, "of", lambda session: inventory.Inventory(found))
        return found

    def test_right(self, aws: Session, there: dict[str, list[str]]) -> None:
        assert clean_up.outlive(aws, self.ALL)
        assert clean_up.outlive(aws, self.ALL | {"Of the lessons"})

    def test_a_kind_with_nothing_in_it_may_be_named_or_not(
        self, aws: Session, there: dict[str, list[str]]
    ) -> None:
        there["Policies"] = []
        assert clean_up.outlive(aws, self.ALL)
        assert clean_up.outlive(aws, self.ALL - {"Policies"})
        assert clean_up.outlive(aws, self.ALL - {"Users"}).done is False

    def test_an_empty_account_excuses_nothing(
        self, aws: Session, there: dict[str, list[str]]
    ) -> None:
        there.update({kind: [] for kind in there})
        assert clean_up.outlive(aws, self.ALL)
        assert clean_up.outlive(aws, self.ALL - {"Policies"}).done is False

    def test_each_kind_of_the_inventory_is_known(self, aws: Session) -> None:
        assert set(inventory.of(aws).found) == set(clean_up.MAKERS)

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            ({"Roles"}, "Roles go with the stack"),
            ({"policies"}, "no kind of the table"),
            ({"Policies", "Users", "Trails", "Buckets"}, "Lambda has made something"),
            ({"Policies", "Log groups", "Users", "Trails"}, "not named 1 more that no stack made"),
            (set(), "Lambda has made something"),
            ("Policies", "one text"),
        ],
    )
    def test_told_apart(
        self, aws: Session, there: dict[str, list[str]], answer: object, words: str
    ) -> None:
        verdict = clean_up.outlive(aws, answer)
        assert verdict.done is False
        assert words in verdict.words


class TestLogGroups:
    @staticmethod
    def _named(logs: Any, prefix: str) -> list[str]:
        pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        return [group["logGroupName"] for page in pages for group in page["logGroups"]]

    def test_right(self, aws: Session) -> None:
        own = f"/aws/lambda/{stack.NAME[:20]}"
        verdict = clean_up.log_groups(aws, lambda logs: self._named(logs, own))
        assert verdict
        assert f" {len(stack.log_groups(aws))} just now" in verdict.words

    def test_told_apart(self, aws: Session, app: stack.App, events: list[Event]) -> None:
        own = f"/aws/lambda/{stack.NAME[:20]}"
        for answer, words in (
            (lambda logs: logs.describe_log_groups(logGroupNamePrefix=own), "the whole answer"),
            (
                lambda logs: logs.describe_log_groups(logGroupNamePrefix=own)["logGroups"],
                "in logGroupName",
            ),
            (lambda logs: self._named(logs, "/aws/lambda"), "belongs to somebody else"),
            (lambda logs: self._named(logs, f"/aws/lambda/{stack.NAME}"), "may be shortened"),
            (lambda logs: self._named(logs, f"{own}-exercise"), "is missing"),
            (lambda logs: [*self._named(logs, own), "/aws/lambda/invented"], "none of the app's"),
            (print, "A list of names"),
        ):
            verdict = clean_up.log_groups(aws, answer)
            assert verdict.done is False, words
            assert words in verdict.words

    def test_what_the_check_makes_is_gone_afterwards(self, aws: Session) -> None:
        logs = aws.client("logs")
        before = self._named(logs, "/aws/lambda")
        clean_up.log_groups(aws, lambda logs: 1 / 0 if logs is None else [])
        assert self._named(logs, "/aws/lambda") == before
