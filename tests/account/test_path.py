"""The way to AWS itself: what it says about mail, and that it knows no other AWS than AWS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import inbox, real_mail, stack, trail, waiting
from helpers.errors import WorkbookError
from helpers.localaws.record import CHECKOUT
from helpers.real_mail import RealMail
from helpers.session import Session
from tests.account.course import ADDRESS, Package
from tests.account.playing import EVERYTHING, PlayingAccount

Enter = Callable[..., Session]


@pytest.fixture
def aws(account: PlayingAccount, enter: Enter) -> Session:
    return enter(account.user(EVERYTHING), account.number)


def test_the_session_is_one_of_aws(aws: Session) -> None:
    link = "https://abc.execute-api.us-east-1.amazonaws.com/Prod/allow?token=t"
    assert (aws.target, aws.endpoint, aws.mailbox) == ("aws", None, None)
    assert aws.url(link) == link
    assert repr(aws).startswith("Connected to AWS: account ")
    config = aws.client("stepfunctions").meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 5}


def test_only_two_modules_know_that_there_may_be_another_endpoint() -> None:
    """They put the local AWS's into the environment, where the target is local."""
    modules = [*(CHECKOUT / "helpers").glob("*.py"), *(CHECKOUT / "app").rglob("*.py")]
    knowing = {path.name for path in modules if "ENDPOINT_URL" in path.read_text()}
    assert knowing == {"environment.py", "session.py"}
    assert "endpoint" not in Path(real_mail.__file__).read_text()


def test_a_panel_says_where_the_mail_is(aws: Session) -> None:
    panel = inbox.panel(aws)
    assert panel.ended
    assert "look into that mailbox" in repr(panel)
    with pytest.raises(WorkbookError, match="look into that mailbox"):
        inbox.mails(aws)
    assert inbox.delete(aws) == 0
    told = repr(inbox.newest(aws, "DeadlinePassed", question=False))
    assert "look into that mailbox" in told
    assert told.endswith("Look for “DeadlinePassed”.")


def test_without_the_app_nobody_waits_for_its_mail(aws: Session) -> None:
    for call in (inbox.confirm_subscription, inbox.newest):
        with pytest.raises(WorkbookError, match="01_deploy_the_app"):
            call(aws)


def test_a_subscription_that_nobody_confirms_is_a_sentence(
    aws: Session, account: PlayingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail.ensure(aws)
    stack.deploy(aws, email=ADDRESS)
    monkeypatch.setitem(waiting.PATIENCE_SECONDS, "aws", 0)
    with pytest.raises(WorkbookError) as late:
        inbox.confirm_subscription(aws)
    assert "“AWS Notification - Subscription Confirmation”" in str(late.value)
    assert "good for two days. Then run this cell again" in str(late.value)
    (mail,) = inbox.mails(account.root)
    assert mail.subject == real_mail.CONFIRMATION
    with pytest.raises(WorkbookError, match="Its subject is “AWS Notification"):
        inbox.newest(aws, "Subscription Confirmation")
    with pytest.raises(WorkbookError, match="No execution waits for an answer about my-policy"):
        inbox.newest(aws, "my-policy")


def test_a_real_mail_has_the_two_links_and_shows_no_token() -> None:
    mail = RealMail("a-policy", "https://api.example/Prod", "AQ+/=")
    assert mail.link("deny") == "https://api.example/Prod/deny?token=AQ%2B%2F%3D"
    assert "“Approval needed: IAM policy a-policy”" in repr(mail)
    assert "AQ" not in repr(mail) + mail._repr_html_()
    with pytest.raises(WorkbookError, match="allow and deny only"):
        mail.link("unsubscribe")


def test_the_address_is_the_variable_s_or_asked_for(
    aws: Session, monkeypatch: pytest.MonkeyPatch, account: PlayingAccount
) -> None:
    monkeypatch.delenv("WORKBOOK_EMAIL", raising=False)
    assert inbox.address(account.root) == stack.EMAIL
    assert inbox.address(aws, lambda _: " me@my.domain ") == "me@my.domain"
    for typed in ("", "nobody"):
        with pytest.raises(WorkbookError, match="WORKBOOK_EMAIL=you@your"):
            inbox.address(aws, lambda _, typed=typed: typed)

    def ended(_: str) -> str:
        raise EOFError

    with pytest.raises(WorkbookError, match="WORKBOOK_EMAIL=you@your"):
        inbox.address(aws, ended)
    monkeypatch.setenv("WORKBOOK_EMAIL", "other@my.domain")
    assert inbox.address(aws, ended) == "other@my.domain"


def test_a_package_is_made_with_the_learner_s_own_credentials(aws: Session) -> None:
    """The aws command that packages the code gets them, and nothing of another's."""
    made = Package.made(aws)
    assert made.bucket in made.template
    assert made.objects
