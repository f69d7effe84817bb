"""Mail of a real account: it is in a person's mailbox, which nobody here can read.

What the app's mail leads to is known all the same: its links consist of the app's address and the
task token (app/functions/approval_link.py), and the history shows the token. So cells that follow a
link for a reader go on here too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from helpers import stack, waiting
from helpers.errors import WorkbookError
from helpers.markup import escaped, visible
from helpers.pending import Pending
from helpers.session import Session

VARIABLE = "WORKBOOK_EMAIL"
ANSWERS = ("allow", "deny")  # the pages that the app's links lead to
CONFIRMATION = "AWS Notification - Subscription Confirmation"  # the subject that SNS gives
IN_THE_MAILBOX = (
    "On a real account the mail goes to the address that you gave when deploying: look into that "
    "mailbox, and into its spam folder too."
)


@dataclass(frozen=True)
class RealMail:
    """A mail that was sent to a real mailbox: what it is about, and where its links lead."""

    policy: str
    api: str
    token: str = field(repr=False)

    @property
    def subject(self) -> str:
        """The subject under which it is found in the mailbox."""
        return f"Approval needed: IAM policy {self.policy}"

    def link(self, word: str) -> str:
        """Return the address of one of the app's pages, "allow" or "deny", for this question.

        The link in the mail has more behind the token, for the page to show. Raises WorkbookError
        for another page.
        """
        if word not in ANSWERS:
            raise WorkbookError(f"The app's mails have links to {' and '.join(ANSWERS)} only.")
        return f"{self.api}/{word}?token={quote_plus(self.token)}"

    def __repr__(self) -> str:
        return visible(f"{IN_THE_MAILBOX} Its subject is “{self.subject}”.")

    def _repr_html_(self) -> str:
        return f'<div style="line-height:1.4">{escaped(repr(self))}</div>'


@dataclass(frozen=True)
class RealNotice:
    """A mail that was sent to a real mailbox and asks nothing: ``words`` are in it."""

    words: str

    def __repr__(self) -> str:
        return f"{IN_THE_MAILBOX} Look for “{self.words}”."


def newest(session: Session, words: str) -> RealMail:
    """Return the mail about the newest question on a policy with ``words`` in its name.

    Waits until there is one. Raises WorkbookError where none comes, or the app is not there.
    """
    if words in CONFIRMATION and words:
        raise WorkbookError(f"{IN_THE_MAILBOX} Its subject is “{CONFIRMATION}”.")
    app = stack.find(session)
    pending = Pending(session, app)
    for _ in waiting.looks(session, "the app to send its mail", "That takes seconds."):
        for question in pending.look():
            if words in question.policy:
                return RealMail(question.policy, app.api, question.token)
    raise WorkbookError(f"No execution waits for an answer about {words or 'anything'}.")


def address(ask: Callable[[str], str] = input) -> str:
    """Return the address that the app's mails go to: WORKBOOK_EMAIL, else it is asked for.

    Raises WorkbookError where none is given: a mail to nobody could not be answered.
    """
    given = os.environ.get(VARIABLE) or _asked(ask)
    if "@" not in given:
        raise WorkbookError(
            "The app asks you by mail: run this cell again and type your address, or start the "
            f"workbook with {VARIABLE}=you@your.domain."
        )
    return given


def _asked(ask: Callable[[str], str]) -> str:
    try:
        return ask("Your e-mail address, for the app's questions: ").strip()
    except (EOFError, KeyboardInterrupt, NotImplementedError):
        return ""


def wait_for_confirmation(session: Session) -> str:
    """Wait until every mail subscription of the app is confirmed; return a sentence that says so.

    Raises WorkbookError with what to do where nobody confirms it.
    https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html
    """
    sns, topic = session.client("sns"), stack.find(session).topic
    what = f"you to follow the link in the mail “{CONFIRMATION}”"
    usually = "It comes within a minute or two, perhaps in the spam folder."
    for _ in waiting.looks(session, what, usually):
        found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        if found and all(one["SubscriptionArn"].startswith("arn:") for one in found):
            return f"{found[0]['Endpoint']} is subscribed."
    raise WorkbookError(
        f"Nobody has followed the link in the mail “{CONFIRMATION}” yet. {IN_THE_MAILBOX} The link "
        "is good for two days. Then run this cell again."
    )
