"""A decision that an execution waits for: read from its history, and what became of it.

Everything here takes the list of events that boto3 returns. Sources: the events of a task that
waits for a token (https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html);
what AskUser's function answers (app/functions/ask_user).
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from helpers.markup import visible
from helpers.replacement import Replacement
from helpers.table import table
from helpers.visits import Event, fields

DEADLINE = "%Y-%m-%d %H:%M:%S UTC"  # as the app writes it, in its mail too
APPROVED = "Approved: the policy gets its document back."
DENIED = "Denied: it stays harmless."
_LONGEST = 400


@dataclass(frozen=True)
class Question:
    """One decision that an execution waits for.

    ``document`` is what approving would put back, as its author wrote it; ``in_force`` the document
    that counts until then, "" where it is not known. ``counted`` says whether the withdrawn
    version was in force, and so would be again.
    """

    execution: str
    token: str = field(repr=False)
    about: dict[str, Any]
    document: str = field(repr=False)
    asked: datetime
    in_force: str = field(default="", repr=False)
    counted: bool = True

    @property
    def policy(self) -> str:
        """The name of the policy in question."""
        return str(self.about.get("policyName", "?"))

    @property
    def author(self) -> str:
        """Who made the call that started the execution."""
        return str(self.about.get("author", "?"))

    @property
    def granted(self) -> list[str]:
        """The restricted actions that the policy grants; none where it could not be judged."""
        return [str(action) for action in self.about.get("granted") or []]

    @property
    def deadline(self) -> datetime | None:
        """Until when an answer counts; None where the question does not say."""
        try:
            return datetime.strptime(self.about.get("deadline") or "", DEADLINE).replace(tzinfo=UTC)
        except (TypeError, ValueError):
            return None

    def waited(self, now: datetime) -> int:
        """Whole seconds since the question was asked."""
        return max(0, int((now - self.asked).total_seconds()))

    def left(self, now: datetime) -> int | None:
        """Whole seconds until the deadline, 0 when it has passed, None where there is none."""
        return self.deadline and max(0, int((self.deadline - now).total_seconds()))

    @property
    def replacement(self) -> Replacement:
        """What approving changes of what is in force."""
        return Replacement(self.in_force if self.counted else "", self.document)

    def __repr__(self) -> str:
        grants = ", ".join(self.granted) or "not known"
        return visible(f"{self.policy}: grants {grants}; by {self.author}")

    def html(self, *, folded: bool = False) -> str:
        """What is being decided, as HTML; what approving changes may be folded away."""
        facts = table(("Decision", ""), self._facts().items())
        return (
            f'<div style="line-height:1.4;overflow-wrap:anywhere">{facts}'
            f"{self._changes(folded)}</div>"
        )

    def _repr_html_(self) -> str:
        return self.html()

    def _facts(self) -> dict[str, str]:
        facts = {
            "Policy": self.about.get("policyArn", self.policy),
            "Author": self.author,
            "Grants": ", ".join(self.granted) or "not known: the policy could not be judged",
            "Asked": f"{self.asked.astimezone(UTC):{DEADLINE}}",
            "Answer before": self.about.get("deadline", "?"),
            "Document": f"SHA-256 {self.about.get('sha256', '?')}",
        }
        if self.about.get("description"):
            facts["Its author says"] = self.about["description"]
        return {name: visible(value) for name, value in facts.items()}

    def _changes(self, folded: bool) -> str:
        if not self.counted:
            words = "Approving brings this version back; it was not in force, and will not be"
        elif not self.in_force:
            words = "Approving puts this in force; what is in force now could not be read"
        else:
            words = "Approving changes what is in force: + comes, - goes"
        return (
            f"<details{'' if folded else ' open'}><summary>{words}</summary>"
            f"{self.replacement._repr_html_()}</details>"
        )


def asked(events: Sequence[Event]) -> Event | None:
    """Return the last TaskSubmitted event: a person was asked, perhaps has answered since."""
    return next((event for event in reversed(events) if event["type"] == "TaskSubmitted"), None)


def waits(events: Sequence[Event]) -> bool:
    """Whether an answer is waited for: nothing happens after TaskSubmitted until it comes."""
    return bool(events) and events[-1]["type"] == "TaskSubmitted"


def payload(submitted: Event) -> dict[str, Any]:
    """Return what AskUser's function answered: the token and the facts of the question."""
    answer = _parsed(submitted["taskSubmittedEventDetails"].get("output"))
    found = answer.get("Payload") if isinstance(answer, dict) else None
    return found if isinstance(found, dict) else {}


def read(execution: str, events: Sequence[Event]) -> Question | None:
    """Return the question that an execution waits with, None where it waits for no person."""
    if not waits(events):
        return None
    about = payload(events[-1])
    token = about.pop("token", None)
    if token is None:
        return None  # a task token that the history does not show: not the app's question
    kept = _withdrawn(quarantine(events))
    return Question(
        execution=execution,
        token=token,
        about=about,
        document=_document(kept),
        asked=events[-1]["timestamp"],
        counted=kept.get("wasDefault", True),
    )


def quarantine(events: Sequence[Event]) -> dict[str, Any]:
    """Return what AskUser was entered with: which versions were withdrawn, which is in force."""
    for event in reversed(events):
        if event["type"] == "TaskStateEntered" and fields(event).get("name") == "AskUser":
            return json.loads(fields(event)["input"]).get("quarantine", {})
    return {}


def _withdrawn(of: dict[str, Any]) -> dict[str, Any]:
    """Return the version that approving would put back."""
    versions = {item["versionId"]: item for item in of.get("withdrawn", [])}
    return versions.get(of.get("restore"), {})


def _document(kept: dict[str, Any]) -> str:
    if "documentZlib" in kept:
        return zlib.decompress(base64.b64decode(kept["documentZlib"])).decode()
    return kept.get("document", "The execution has kept no text.")


# What became of it --------------------------------------------------------------------------------


def outcome(events: Sequence[Event], token: str) -> str | None:
    """Return what became of the question with this token, None while it waits.

    Says which way it went and who decided, that the time was up, or who stopped the execution; and
    how the execution ended, if it has.
    """
    submitted = [
        place
        for place, event in enumerate(events)
        if event["type"] == "TaskSubmitted" and payload(event).get("token") == token
    ]
    if not submitted:
        return None
    since = events[submitted[-1] + 1 :]
    for event in since:
        if event["type"] == "TaskSucceeded":
            return _answered(event, since[-1])
        if event["type"] in _UNANSWERED:
            return f"{_UNANSWERED[event['type']]} The policy stays under quarantine.{_said(event)}"
    return None


_UNANSWERED = {
    "TaskTimedOut": "Nobody answered before the deadline: the token has expired.",
    "TaskFailed": "Somebody reported a failure (SendTaskFailure) instead of an answer.",
    "ExecutionAborted": "The execution was stopped: it waits for no answer any more.",
    "ExecutionTimedOut": "The execution's time was up: it waits for no answer any more.",
    "ExecutionFailed": "The execution has failed: it waits for no answer any more.",
}


def _answered(answer: Event, last: Event) -> str:
    said = _parsed(fields(answer).get("output"))
    said = said if isinstance(said, dict) else {}
    verdict = {"allow": APPROVED, "delete": DENIED}.get(str(said.get("action")))
    if verdict is None:
        verdict = "The answer was neither allow nor delete: nothing was approved."
    when = f"{answer['timestamp'].astimezone(UTC):{DEADLINE}}"
    return f"{verdict} Decided {when} {_who(said.get('decidedBy'))}.{_end(last)}"


def _who(decided_by: Any) -> str:
    """Say who decided, as the answer says it: whoever has the token can write what he likes."""
    said = decided_by if isinstance(decided_by, dict) else {}
    if said.get("channel") == "workbook":
        return f"in a workbook, by {_short(said.get('principal'))}"
    if said.get("channel") == "approval page":
        return f"on the approval page, from the address {_short(said.get('sourceIp'))}"
    return "by somebody who did not say who"


def _end(last: Event) -> str:
    if last["type"] == "ExecutionFailed":
        return f" Then the execution failed.{_said(last)}"
    if last["type"] == "ExecutionAborted":
        return f" Then the execution was stopped.{_said(last)}"
    if last["type"] != "ExecutionSucceeded":
        return ""
    output = _parsed(fields(last).get("output"))
    restored = output.get("restored") if isinstance(output, dict) else None
    if isinstance(restored, dict) and restored.get("inForceAgain"):
        return f" Its {_short(restored.get('versionId'))} is in force."
    return ""


def _said(event: Event) -> str:
    """The error and the cause that an event names, if it does."""
    found = (fields(event).get(key) for key in ("error", "cause"))
    words = ": ".join(_short(text) for text in found if text)
    return f" Reason: “{words}”" if words else ""


def _short(text: Any) -> str:
    words = visible(text)
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except (ValueError, RecursionError):
        return None
