"""Permission, found out by trying: what mallory can do before, under quarantine, and approved.

The calls are made with her own access key, and none changes anything, whether she may or not: each
asks for what S3 refuses to everybody, or for what is nothing. That tells whether she may all the
same, for S3 looks at permissions before anything else:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

from helpers import bucket, waiting
from helpers.errors import EXPIRED, UNKNOWN_KEY, WorkbookError
from helpers.incident import Attempt, Mallory, attempt
from helpers.session import Session
from helpers.table import breakable, columns, sign, table


@dataclass(frozen=True)
class Ground:
    """Where mallory may try: a bucket that has an object in it, and a key that has none."""

    bucket: str
    nothing: str = "probe/there-is-no-such-object"


@dataclass(frozen=True)
class Probe:
    """A call that tells whether mallory may do something, and changes nothing where she may.

    ``call`` makes it, with her session. ``proof`` is the error that only somebody gets who is
    allowed; without one, success tells it.
    """

    action: str
    call: Callable[[Mallory, Ground], Attempt]
    proof: str = ""


def _delete_bucket(mallory: Mallory, ground: Ground) -> Attempt:
    """Try to delete a bucket that is not empty, which S3 refuses to everybody: BucketNotEmpty.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html
    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    return attempt(mallory.client("s3").delete_bucket, Bucket=ground.bucket)


def _delete_object(mallory: Mallory, ground: Ground) -> Attempt:
    """Delete an object that is not there: S3 says it is done, and has nothing to delete.

    The workbook's bucket keeps no versions, so no delete marker comes of it either.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
    """
    s3 = mallory.client("s3")
    return attempt(s3.delete_object, Bucket=ground.bucket, Key=ground.nothing)


def _delete_version(mallory: Mallory, ground: Ground) -> Attempt:
    """Delete a version of an object that is not there: "null" is what one without versions has.

    With a version named, S3 asks for s3:DeleteObjectVersion. What S3 answers where there is no
    such object is not confirmed on AWS.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
    """
    s3 = mallory.client("s3")
    return attempt(s3.delete_object, Bucket=ground.bucket, Key=ground.nothing, VersionId="null")


def _read_lock(mallory: Mallory, ground: Ground) -> Attempt:
    """Read the Object Lock configuration of a bucket that has none: reading changes nothing.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html
    """
    return attempt(mallory.client("s3").get_object_lock_configuration, Bucket=ground.bucket)


# What the app restricts as it is deployed, then what else the lessons' policy grants.
PROBES = (
    Probe("s3:DeleteBucket", _delete_bucket, proof="BucketNotEmpty"),
    Probe("s3:DeleteObject", _delete_object),
    Probe("s3:DeleteObjectVersion", _delete_version),
    Probe(
        "s3:GetBucketObjectLockConfiguration",
        _read_lock,
        proof="ObjectLockConfigurationNotFoundError",
    ),
)
DENIED = ("AccessDenied", "AccessDeniedException")
PATIENCE_SECONDS = {"local": 0, "aws": 60}  # with a change of IAM, which counts at once locally


@dataclass(frozen=True)
class Answer:
    """What AWS answered to a probe: ``may`` is None where that tells nothing about permission."""

    may: bool | None
    attempt: Attempt

    def __bool__(self) -> bool:
        return bool(self.may)

    @property
    def word(self) -> str:
        """The verdict with its sign."""
        if self.may is None:
            return f"? {self.attempt.error}"
        return "✓ allowed" if self.may else f"✗ {self.attempt.error}"

    @property
    def html(self) -> str:
        """The verdict, its sign coloured."""
        mark, word = self.word.split(" ", 1)
        shown = f"<b>{mark}</b>" if self.may is None else sign(self.may)
        return f"{shown}&nbsp;{breakable(word)}"

    @property
    def told(self) -> str:
        """AWS's own words."""
        error = self.attempt.error
        return f"{error}: {self.attempt.message}" if error else self.attempt.message

    def __repr__(self) -> str:
        return f"{self.word}. {self.attempt!r}"


def wait_until(mallory: Mallory, *, allowed: bool, action: str = "s3:DeleteBucket") -> None:
    """Wait until the last change of mallory's permissions counts, before she acts in earnest.

    ``allowed`` is whether she may do ``action`` then; the action's probe asks, which changes
    nothing. Raises WorkbookError where AWS goes on answering otherwise.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    """
    session = mallory.session
    probe = next(probe for probe in PROBES if probe.action == action)
    what, usually = "the change of her permissions to count", "That takes some seconds."
    patience = PATIENCE_SECONDS[session.target]
    with _ground(session) as ground:

        def counts() -> bool:
            return _ask(probe, mallory, ground).may is allowed

        if waiting.settles(session, what, counts, usually, patience):
            return
    answer = "may not" if allowed else "may still"
    doubt = (
        "does she have the policy, and is it in force?" if allowed else "did TempRemove succeed?"
    )
    raise WorkbookError(
        f"AWS answers that mallory {answer} call {action}. A change of IAM takes some seconds to "
        f"count: run this cell again in a minute. If that does not help, look above: {doubt}"
    )


class Matrix:
    """Can mallory do it? A row for each action, a column for each stage at which she tried.

    Every cell comes from a call that was made with her access key at that stage; nothing is worked
    out from documents. The calls change nothing, whether she may or not: see the probes. On AWS a
    change of IAM takes some seconds to count everywhere, and a cell says what was answered at the
    moment: try the same stage again, and its column is replaced.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    """

    def __init__(
        self, session: Session, mallory: Mallory, probes: Sequence[Probe] = PROBES
    ) -> None:
        self._session, self._mallory, self.probes = session, mallory, tuple(probes)
        self.stages: dict[str, dict[str, Answer]] = {}

    def try_now(self, stage: str) -> Matrix:
        """Make the calls, and note the answers as those of ``stage``; return the table so far.

        Puts an object into the workbook's bucket meanwhile, so that it cannot be deleted, and
        takes it out again. Raises WorkbookError where mallory's access key is no longer known.
        """
        with _ground(self._session) as ground:
            self.stages[stage] = {
                probe.action: _ask(probe, self._mallory, ground) for probe in self.probes
            }
        return self

    def __getitem__(self, place: tuple[str, str]) -> Answer:
        """What was answered: ``can["quarantined", "s3:DeleteBucket"]``, true where allowed."""
        stage, action = place
        if stage not in self.stages:
            raise WorkbookError(f"Nothing was tried at {stage!r} yet: run can.try_now({stage!r}).")
        if action not in self.stages[stage]:
            known = ", ".join(self.stages[stage])
            raise WorkbookError(f"{action} was not tried, only {known}.")
        return self.stages[stage][action]

    def __repr__(self) -> str:
        if not self.stages:
            return "Can mallory do it? Nothing was tried yet."
        rows = [["Can mallory do it?", *self.stages]]
        rows += [
            [probe.action, *(self[stage, probe.action].word for stage in self.stages)]
            for probe in self.probes
        ]
        return columns(rows)

    def _repr_html_(self) -> str:
        if not self.stages:
            return f"<div>{escape(repr(self))}</div>"
        head = "".join(_cell("th", escape(title)) for title in ("Can mallory do it?", *self.stages))
        body = "".join(
            f"<tr>{_cell('td', breakable(probe.action), ';overflow-wrap:anywhere')}"
            + "".join(_cell("td", self[stage, probe.action].html) for stage in self.stages)
            + "</tr>"
            for probe in self.probes
        )
        answers = "".join(
            f"<details><summary>What AWS answered: {escape(stage)}</summary>"
            f"{table(('Call', 'Answer'), [(a.attempt.call, a.told) for a in given.values()])}"
            "</details>"
            for stage, given in self.stages.items()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{answers}"


@contextmanager
def _ground(session: Session) -> Iterator[Ground]:
    """Put an object into the workbook's own bucket for a while: one with objects stays.

    Under a name that nobody else uses: another learner's probe of the same account needs its own.
    """
    s3, where, key = session.client("s3"), bucket.ensure(session), f"probe/{uuid.uuid4()}"
    s3.put_object(Bucket=where, Key=key, Body=b"Keeps this bucket from being deleted.")
    try:
        yield Ground(where)
    finally:
        s3.delete_object(Bucket=where, Key=key)


def _ask(probe: Probe, mallory: Mallory, ground: Ground) -> Answer:
    """Make one call. Raises WorkbookError where it failed for the key's sake, not hers."""
    made = probe.call(mallory, ground)
    if made.error in UNKNOWN_KEY | EXPIRED:
        raise WorkbookError(
            "AWS does not know mallory's access key. A new one takes some seconds: wait, and run "
            "this cell again. If that does not help, the key was deleted. Hire her again: "
            "mallory = incident.Mallory.hire(aws), and make a new Matrix with her."
        )
    if made.error in (None, probe.proof):
        return Answer(True, made)
    return Answer(False if made.error in DENIED else None, made)


def _cell(tag: str, inner: str, style: str = "") -> str:
    return f'<{tag} align="left" style="text-align:left;vertical-align:top{style}">{inner}</{tag}>'
