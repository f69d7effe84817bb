"""Decisions that wait for a person: found in the histories, taken by a call or by a button."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from helpers import history, question
from helpers.errors import WorkbookError
from helpers.markup import escaped
from helpers.panel import Panel, sentence
from helpers.pending import Pending
from helpers.question import APPROVED, DENIED, Question
from helpers.session import Session
from helpers.stack import App

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
NONE = "No decision is pending. A new one appears here by itself."
_SETTLED_SHOWN = 20  # of those that are over


class ClosedError(WorkbookError):
    """The token takes no answer any more; the text says which way it went, if that is known."""


def token(events: list[dict[str, Any]]) -> str:
    """Return the task token that an execution's history shows.

    It is in the output of TaskSubmitted: the Lambda function's answer, as the state AskUser got it.
    Raises WorkbookError where the execution has not asked anybody.
    """
    submitted = question.asked(events)
    if submitted is None:
        raise WorkbookError("This history has no TaskSubmitted event: nobody has been asked yet.")
    shown = question.payload(submitted).get("token")
    if shown is None:
        raise WorkbookError("Who was asked has got the token, but the history does not show it.")
    return shown


def pending(session: Session, app: App) -> list[Question]:
    """Return every decision that an execution of the app waits for, newest first."""
    return Pending(session, app).look()


def decide(session: Session, asked: Question | str, *, allow: bool) -> str:
    """Answer a question, or the one with this token: allow restores the policy.

    Otherwise it stays quarantined. Returns the sentence that says what was done. Raises ClosedError
    (a WorkbookError) for a token that was used, has expired or never was one; of a question, it
    says what became of it.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html
    """
    task_token = asked.token if isinstance(asked, Question) else asked
    output = {
        "action": ACTIONS[allow],
        "decidedBy": {
            "channel": "workbook",
            "principal": session.principal,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    }
    states = session.client("stepfunctions")
    try:
        states.send_task_success(taskToken=task_token, output=json.dumps(output))
    except ClientError as error:
        words = SENTENCES.get(error.response["Error"]["Code"])
        if words is None:
            raise
        found = _what_became_of(session, asked) if isinstance(asked, Question) else None
        raise ClosedError(f"{found} Nothing was changed now." if found else words) from error
    return APPROVED if allow else DENIED


def _what_became_of(session: Session, asked: Question) -> str | None:
    """Return the question's outcome, None where its history does not tell or cannot be read."""
    try:
        events = history.events(session.client("stepfunctions"), asked.execution)
    except (BotoCoreError, ClientError):
        return None  # the error that led here is the one to tell
    return question.outcome(events, asked.token)


def settle(session: Session, execution: str, *, allow: bool) -> str:
    """Answer an execution's question unless somebody has: for a reader who runs all cells.

    Returns the sentence that says what was done, now or before.
    """
    events = history.events(session.client("stepfunctions"), execution)
    if question.asked(events) is None:
        last = events[-1]["type"] if events else "none"
        return f"There is nothing to decide: the last event is {last}."
    waiting = question.read(execution, events)
    if waiting is None:
        return str(question.outcome(events, token(events)))
    try:
        return decide(session, waiting, allow=allow)
    except ClosedError as error:
        return str(error)  # somebody was quicker


def panel(session: Session, app: App) -> ApprovalPanel:
    """Return a panel with Approve and Deny for every pending question; end a cell with it."""
    return ApprovalPanel(session, app)


class ApprovalPanel(Panel):
    """A live panel: new questions appear by themselves, answered ones say what became of them."""

    def __init__(self, session: Session, app: App, seconds: float | None = None) -> None:
        """Look once, and then every so many ``seconds``. Raises what boto3 raises."""
        super().__init__(session, app.state_machine, seconds)
        import ipywidgets

        self._pending = Pending(session, app)
        self._rows: dict[str, _Row] = {}  # by token
        self._count, self._list = ipywidgets.HTML(), ipywidgets.VBox()
        self.box = ipywidgets.VBox([self._count, self._trouble, self._list])
        self.refresh()
        self.start()

    @property
    def questions(self) -> list[Question]:
        """What waits for an answer, newest first, as the panel has it."""
        return [row.question for row in self._newest_first() if row.state is State.OPEN]

    def refresh(self) -> bool:
        """Look once for new questions, and for what became of the others.

        Returns whether anything has changed, or soon will.
        """
        before = self._summary()
        waiting = {found.token: found for found in self._pending.look()}
        for found in waiting.values():
            if found.token not in self._rows:
                self._rows[found.token] = _Row(found, self.click)
        for row in list(self._rows.values()):
            if row.state is State.ANSWERED:
                self._pending.answered(row.question)
            self._look_after(row, waiting)
        self._draw()
        return self._summary() != before or self._pending.expecting

    def click(self, row: _Row, *, allow: bool) -> None:
        """What the buttons do: decide, and say in the panel what came of it."""
        if not row.take(allow):
            row.add("A question takes one answer: this click has changed nothing.")
            return
        try:
            row.settle(decide(self._session, row.question, allow=allow), State.ANSWERED)
        except ClosedError as error:
            row.settle(str(error), State.ANSWERED)
        except ClientError as error:
            row.reopen(f"{sentence(error)} Nothing was decided.")
        except Exception as error:  # noqa: BLE001 - whatever it is, the panel is where it is seen
            row.reopen(
                f"{sentence(error)} It is not known whether the answer has arrived: while the "
                "buttons are here, press again. An answer counts once."
            )
        self._tell_count()
        self.tick()

    def tick(self) -> None:
        """Let the seconds of the open questions go on."""
        now = datetime.now(UTC)
        for row in list(self._rows.values()):
            row.tick(now)

    def finish(self) -> None:
        """Leave no button that nobody looks after."""
        for row in list(self._rows.values()):
            if row.state is State.OPEN:
                row.settle("No longer followed here.", State.OVER)
        self._count.value = "<i>This panel looks no more: run its cell again to go on.</i>"

    def _look_after(self, row: _Row, waiting: dict[str, Question]) -> None:
        """Say what became of a row's question, once its execution has ended or was redriven."""
        runs = row.question.execution in self._pending.running
        if (
            row.state is State.OVER
            or row.question.token in waiting
            or (runs and row.state is not State.OPEN)
        ):
            return
        states = self._session.client("stepfunctions")
        try:
            events = history.events(states, row.question.execution)
        except states.exceptions.ExecutionDoesNotExist:
            row.settle("The execution was deleted with its state machine.", State.OVER)
            return
        found = question.outcome(events, row.question.token)
        if found is not None:
            row.settle(found, State.OVER)

    def _draw(self) -> None:
        over = [row for row in self._newest_first() if row.state is State.OVER]
        for row in over[_SETTLED_SHOWN:]:
            del self._rows[row.question.token]
            row.close()
        self._tell_count()
        boxes = tuple(row.box for row in self._newest_first())
        if boxes != self._list.children:
            self._list.children = boxes
        self.tick()

    def _tell_count(self) -> None:
        if not self._stopped.is_set():
            self._count.value = f"<b>{escaped(self._heading())}</b>"

    def _newest_first(self) -> list[_Row]:
        rows = list(self._rows.values())
        return sorted(rows, key=lambda row: row.question.asked, reverse=True)

    def _summary(self) -> list[tuple[str, State]]:
        return [(row.question.token, row.state) for row in list(self._rows.values())]

    def _heading(self) -> str:
        count = len(self.questions)
        return f"{count} decision{' is' if count == 1 else 's are'} pending" if count else NONE

    def __repr__(self) -> str:
        return "\n".join([self._heading(), *map(repr, self.questions)])

    def _repr_html_(self) -> str:
        described = [found.html() for found in self.questions]
        buttons = "<div><i>Run this cell again for the buttons.</i></div>" if described else ""
        return f"<div><b>{escaped(self._heading())}</b></div>{buttons}{''.join(described)}"


class State(Enum):
    """How far a question is in the panel."""

    OPEN = "its buttons can be pressed"
    SENDING = "an answer is on its way"
    ANSWERED = "decided, and the execution may still run"
    OVER = "nothing more will be said of it"


class _Row:
    """One question in the panel: what it is about, its buttons, and what became of it."""

    def __init__(self, asked: Question, click: Callable[..., None]) -> None:
        import ipywidgets

        self.question, self.state = asked, State.OPEN
        self._lock = threading.Lock()  # clicks come in the kernel's thread, looks in the panel's
        self._said: list[str] = []
        self._approve = ipywidgets.Button(description="Approve", icon="check")
        self._deny = ipywidgets.Button(description="Deny", icon="times")
        self._approve.on_click(lambda _: click(self, allow=True))
        self._deny.on_click(lambda _: click(self, allow=False))
        self._clock, self._outcome = ipywidgets.HTML(), ipywidgets.HTML()
        # Folded: the buttons stay in sight, and what stands below the panel.
        about = ipywidgets.HTML(asked.html(folded=True))
        flowing = ipywidgets.Layout(flex_flow="row wrap", align_items="center", width="100%")
        answers = ipywidgets.Box([self._approve, self._deny, self._clock], layout=flowing)
        framed = ipywidgets.Layout(
            border="1px solid rgba(128,128,128,0.5)", padding="8px 12px", margin="6px 0"
        )
        self.box = ipywidgets.VBox([about, answers, self._outcome], layout=framed)
        self._enable()

    def take(self, allow: bool) -> bool:
        """Take the first click; return False for any other."""
        with self._lock:
            if self.state is not State.OPEN:
                return False
            self.state = State.SENDING
        self._disable()
        self._say("Approving …" if allow else "Denying …")
        return True

    def settle(self, words: str, state: State) -> None:
        """Say what became of the question; what is over stays as it is."""
        with self._lock:
            if self.state is State.OVER:
                return
            self._disable()
            self._say(words, *self._said[1:])
            self.state = state  # last: who sees it finds the words

    def reopen(self, words: str) -> None:
        """Offer the buttons again, after an answer that could not be sent."""
        with self._lock:
            if self.state is not State.SENDING:
                return
            self.state = State.OPEN
        self._enable()
        self._say(words)

    def add(self, words: str) -> None:
        """Say something beside what is said already, once."""
        if words not in self._said:
            self._say(*self._said[:1], words)

    def tick(self, now: datetime) -> None:
        """Say how long the question waits, and how long an answer counts."""
        if self.state is not State.OPEN:
            self._clock.value = ""
            return
        left = self.question.left(now)
        until = "no deadline" if left is None else f"{clock(left)} left" if left else "time is up"
        waited = f"waiting {clock(self.question.waited(now))} · {until}"
        self._clock.value = f'<span style="margin-left:8px">{waited}</span>'

    def close(self) -> None:
        """Let go of the widgets."""
        for widget in (*self.box.children, self._approve, self._deny, self._clock, self.box):
            widget.close()

    def _enable(self) -> None:
        for button, style in ((self._approve, "success"), (self._deny, "danger")):
            button.disabled, button.button_style = False, style
            button.style.text_color = button.style.button_color = button.layout.border = None

    def _disable(self) -> None:
        self._clock.value = ""
        # JupyterLab fades what is disabled: on a colour of its own, white letters would be lost.
        for button in (self._approve, self._deny):
            button.disabled, button.button_style = True, ""
            button.style.text_color = "var(--jp-ui-font-color0, currentColor)"
            button.style.button_color = "transparent"
            button.layout.border = "1px solid"

    def _say(self, words: str, *notes: str) -> None:
        self._said = [words, *notes]
        beside = "".join(f"<div>{escaped(note)}</div>" for note in notes)
        said = f"<b>{escaped(words)}</b>{beside}"
        self._outcome.value = f'<div style="line-height:1.4">{said}</div>'


def clock(seconds: int) -> str:
    """Return a length of time that a person sees counting.

    >>> clock(5), clock(3_725), clock(90_061)
    ('0:00:05', '1:02:05', '1 d 1:01:01')
    """
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{f'{days} d ' if days else ''}{hour}:{minute:02}:{second:02}"
