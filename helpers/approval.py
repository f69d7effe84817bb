"""Decisions that wait for a person: found in the histories, taken by a call or by a button."""

from __future__ import annotations

import base64
import html
import json
import threading
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from helpers import history
from helpers.errors import WorkbookError, explain
from helpers.session import Session
from helpers.stack import App, running
from helpers.table import table

ACTIONS = {True: "allow", False: "delete"}  # what the state UsersChoice looks for

SENTENCES = {
    "TaskTimedOut": (
        "This was decided before, or its deadline has passed: a task token works once. "
        "Nothing was changed."
    ),
    "TaskDoesNotExist": "Step Functions knows no task for this token. Nothing was changed.",
    "InvalidToken": (
        "This is not a task token. Copy the whole value, from the first letter to the last; "
        "nothing was changed."
    ),
}


@dataclass(frozen=True)
class Question:
    """One decision that an execution waits for."""

    execution: str
    token: str = field(repr=False)
    about: dict[str, Any]
    document: str
    asked: datetime

    @property
    def policy(self) -> str:
        """The name of the policy in question."""
        return self.about.get("policyName", "?")

    @property
    def granted(self) -> list[str]:
        """The restricted actions that the policy grants."""
        return self.about.get("granted", [])


def token(events: list[dict[str, Any]]) -> str:
    """Return the task token that an execution's history shows.

    It is in the output of TaskSubmitted: the Lambda function's answer, as the state AskUser got it.
    Raises WorkbookError where the execution has not asked anybody.
    """
    return _asked(events)["token"]


def _asked(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what AskUser's function answered: the token and the facts of the question."""
    for event in reversed(events):
        if event["type"] == "TaskSubmitted":
            return json.loads(event["taskSubmittedEventDetails"]["output"])["Payload"]
    raise WorkbookError("This history has no TaskSubmitted event: nobody has been asked yet.")


def _document(events: list[dict[str, Any]]) -> str:
    """Return the document that approving would put back, as AskUser was entered with it."""
    entered = [event["stateEnteredEventDetails"] for event in events if _enters_ask_user(event)]
    quarantine = json.loads(entered[-1]["input"])["quarantine"]
    by_version = {item["versionId"]: item for item in quarantine["withdrawn"]}
    item = by_version.get(quarantine["restore"], {})
    if "documentZlib" in item:
        # A document grows this long by its white space, which IAM does not count.
        text = zlib.decompress(base64.b64decode(item["documentZlib"])).decode()
        return " ".join(text.split())
    return item.get("document", "The execution has kept no text.")


def _enters_ask_user(event: dict[str, Any]) -> bool:
    return event.get("stateEnteredEventDetails", {}).get("name") == "AskUser"


def pending(session: Session, app: App) -> list[Question]:
    """Return every decision that an execution of the app waits for, newest first."""
    states = session.client("stepfunctions")
    questions = []
    for execution in running(session, app.state_machine):
        events = history.events(states, execution)
        # While it waits, TaskSubmitted is the last thing that has happened.
        if events and events[-1]["type"] == "TaskSubmitted":
            about = _asked(events)
            task_token, asked = about.pop("token"), events[-1]["timestamp"]
            questions.append(Question(execution, task_token, about, _document(events), asked))
    return questions


def decide(session: Session, task_token: str, *, allow: bool) -> str:
    """Answer a question: allow restores the policy, otherwise it stays quarantined.

    Returns the sentence that says what was done. Raises WorkbookError for a token that was used,
    has expired or never was one.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html
    """
    states = session.client("stepfunctions")
    output = {
        "action": ACTIONS[allow],
        "decidedBy": {
            "channel": "workbook",
            "principal": session.principal,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    }
    try:
        states.send_task_success(taskToken=task_token, output=json.dumps(output))
    except ClientError as error:
        sentence = SENTENCES.get(error.response["Error"]["Code"])
        if sentence is None:
            raise
        raise WorkbookError(sentence) from error
    return "Approved: the policy gets its document back." if allow else "Denied: it stays harmless."


def settle(session: Session, execution: str, *, allow: bool) -> str:
    """Answer an execution's question unless somebody has: for a reader who runs all cells.

    Returns the sentence that says what was done.
    """
    events = history.events(session.client("stepfunctions"), execution)
    if events[-1]["type"] == "TaskSubmitted":
        return decide(session, token(events), allow=allow)
    if any(event["type"] == "TaskSucceeded" for event in events):
        return "You have decided already."
    return f"There is nothing to decide: the last event is {events[-1]['type']}."


def panel(session: Session, app: App) -> Panel:
    """Return a panel with Approve and Deny for every pending question; end a cell with it."""
    return Panel(session, app)


class Panel:
    """A live panel: new questions appear by themselves, answered ones say what became of them.

    One panel is live at a time: a cell that is run again ends the panel before it.
    """

    _live: Panel | None = None

    def __init__(self, session: Session, app: App, seconds: float = 1.0) -> None:
        import ipywidgets

        if Panel._live:
            Panel._live.close()
        Panel._live = self
        self._session, self._app, self._seconds = session, app, seconds
        self._rows: dict[str, Any] = {}
        self._open: set[str] = set()
        self._closed = threading.Event()
        self._list, self._trouble = ipywidgets.VBox(), ipywidgets.HTML()
        self._box = ipywidgets.VBox([self._list, self._trouble])
        self.refresh()
        threading.Thread(target=self._watch, name="approval-panel", daemon=True).start()

    def close(self) -> None:
        """Stop looking for new questions; what is shown stays."""
        self._closed.set()

    def refresh(self) -> None:
        """Look once for new questions, and for ones that were decided elsewhere."""
        questions = pending(self._session, self._app)
        waiting = {question.token for question in questions}
        for question in reversed(questions):
            if question.token not in self._rows:
                self._rows[question.token] = self._row(question)
                self._open.add(question.token)
        for gone in self._open - waiting:
            self._settle(gone, "Decided elsewhere, or the deadline has passed.")
        self._draw()

    def click(self, question: Question, *, allow: bool) -> None:
        """What the buttons do: decide, and say in the panel what came of it."""
        if question.token not in self._open:
            return  # the second of two clicks: what the first one did stands beside the buttons
        try:
            sentence = decide(self._session, question.token, allow=allow)
        except Exception as error:  # noqa: BLE001 - whatever it is, the panel is where it is seen
            sentence = explain(error) or f"{type(error).__name__}: {error}"
        self._settle(question.token, sentence)

    def _watch(self) -> None:
        while not self._closed.wait(self._seconds):
            try:
                self.refresh()
                self._note("")
            except Exception as error:  # noqa: BLE001 - shown where the learner looks
                self._note(explain(error) or f"{type(error).__name__}: {error}")

    def _row(self, question: Question) -> Any:
        import ipywidgets

        approve = ipywidgets.Button(description="Approve", button_style="success", icon="check")
        deny = ipywidgets.Button(description="Deny", button_style="danger", icon="times")
        approve.on_click(lambda _: self.click(question, allow=True))
        deny.on_click(lambda _: self.click(question, allow=False))
        text = ipywidgets.HTML(_describe(question))
        outcome = ipywidgets.HTML()
        return ipywidgets.VBox([text, ipywidgets.HBox([approve, deny, outcome])])

    def _settle(self, task_token: str, sentence: str) -> None:
        self._open.discard(task_token)
        approve, deny, outcome = self._rows[task_token].children[1].children
        approve.disabled = deny.disabled = True
        outcome.value = f"<b>{html.escape(sentence)}</b>"

    def _note(self, sentence: str) -> None:
        """Show what keeps the panel from being up to date, until it is again."""
        if self._trouble.value != html.escape(sentence):
            self._trouble.value = html.escape(sentence)

    def _draw(self) -> None:
        import ipywidgets

        rows = tuple(reversed(self._rows.values())) or (
            ipywidgets.HTML("<i>No decision is pending.</i>"),
        )
        if len(rows) != len(self._list.children) or rows[0] is not self._list.children[0]:
            self._list.children = rows

    def __repr__(self) -> str:
        return f"{len(self._open)} pending decisions, {len(self._rows)} shown"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The widget where widgets live; where they do not, what was pending, as plain HTML."""
        questions = pending(self._session, self._app)
        still = "".join(_describe(question) for question in questions)
        bundle = self._box._repr_mimebundle_()
        bundle["text/html"] = still or "<i>No decision is pending.</i>"
        bundle["text/plain"] = repr(self)
        return bundle


def _describe(question: Question) -> str:
    """Return what is being decided, as HTML with everything escaped."""
    facts = {
        "Policy": question.about.get("policyArn", question.policy),
        "Author": question.about.get("author", "?"),
        "Grants": ", ".join(question.granted) or "?",
        "Asked": f"{question.asked.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "Answer before": question.about.get("deadline", "?"),
        "SHA-256": question.about.get("sha256", "?"),
    }
    if question.about.get("description"):
        facts["Description, in its author's words"] = question.about["description"]
    document = html.escape(question.document)
    return (
        f"{table(('Decision', ''), facts.items())}"
        f"<details><summary>Document</summary><pre>{document}</pre></details>"
    )
