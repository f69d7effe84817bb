"""The inbox: mails as a person reads them, whatever is in them, and a panel that follows them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from helpers import inbox
from helpers.errors import WorkbookError
from helpers.inbox import InboxPanel, Mail
from helpers.localaws.letters import Letter
from helpers.localaws.postoffice import PostOffice
from helpers.session import Session
from tests.unit.test_approval import until

SCRIPT = "<script>alert(1)</script>"
ACCOUNT = "123456789012"


def session(mailbox: Path | None, account: str = ACCOUNT) -> Session:
    boto: Any = None
    endpoint = None if mailbox is None else "http://127.0.0.1:1"
    target, folder = ("aws", None) if mailbox is None else ("local", str(mailbox))
    return Session(target, account, "us-east-1", "somebody", endpoint, folder, boto)


@pytest.fixture
def office(tmp_path: Path) -> PostOffice:
    return PostOffice(tmp_path / "mail")


@pytest.fixture
def aws(office: PostOffice) -> Session:
    return session(office.folder)


def write(office: PostOffice, text: str, subject: str = "Hello", account: str = ACCOUNT) -> None:
    office.deliver(account, "security@example.com", Letter(subject, text))


def mail(text: str) -> Mail:
    sent = datetime(2026, 11, 23, tzinfo=UTC)
    addresses = tuple(text[first:last] for first, last in inbox._links(text))
    return Mail("subject", "a@example.com", "b@example.com", sent, text, addresses)


class TestLinks:
    @pytest.mark.parametrize(
        ("text", "links"),
        [
            ("see https://a.example/b.", ["https://a.example/b"]),
            ("(https://a.example/b)", ["https://a.example/b"]),
            ("https://a.example/b_(c)", ["https://a.example/b_(c)"]),
            ("https://a.example/b),", ["https://a.example/b"]),
            ("[https://a.example/?a=[1]]", ["https://a.example/?a=[1]"]),
            ("'https://a.example/b'!?", ["https://a.example/b"]),
            ('"https://a.example/b"', ["https://a.example/b"]),
            ("<https://a.example/b>", ["https://a.example/b"]),
            ("`https://a.example/b`; **http://c.example**", None),
            ("https://a.example/b?c=%2B&d=e%3D", ["https://a.example/b?c=%2B&d=e%3D"]),
            ("https://a.example/?token=a_b-c_", ["https://a.example/?token=a_b-c_"]),
            ("HTTP://a.example/K", ["HTTP://a.example/K"]),
            ("https://a.example:8443/x#y...", ["https://a.example:8443/x#y"]),
            ("https://a.example/\u202emoc.live", ["https://a.example/"]),
            ("https://\u0430pple.example/", []),
            ("https://[ https://[::1 https:// http://. https://)", []),
            ("javascript:alert(1) data:text/html,x ftp://a.example mailto:a@b.example", []),
            ("www.example.com //a.example /\\u002fa.example", []),
        ],
    )
    def test_only_addresses_are_links(self, text: str, links: list[str] | None) -> None:
        found = [text[first:last] for first, last in inbox._links(text)]
        assert found == (
            links if links is not None else ["https://a.example/b", "http://c.example"]
        )
        assert mail(text)._repr_html_().count("<a href") == len(found)

    def test_a_link_opens_in_a_tab_that_knows_nothing_of_this_one(self) -> None:
        shown = mail("https://a.example/?x=1&y='2")._repr_html_()
        assert 'href="https://a.example/?x=1&amp;y=&#x27;2"' in shown
        assert 'target="_blank" rel="noopener noreferrer"' in shown

    def test_a_link_cannot_leave_its_attribute(self) -> None:
        shown = mail('https://a.example/"onmouseover="alert(1)')._repr_html_()
        assert '<a href="https://a.example/" target' in shown
        assert "&quot;onmouseover=&quot;alert(1)" in shown

    def test_a_very_long_one_takes_no_time(self) -> None:
        assert mail("https://a.example/" + ")" * 200_000).links == ("https://a.example/",)


class TestMail:
    def test_line_breaks_stay_and_nothing_is_markup(self) -> None:
        shown = mail(f"one\n  two {SCRIPT}\u202e")._repr_html_()
        assert "one\n  two &lt;script&gt;" in shown
        assert "white-space:pre-wrap" in shown
        assert "\u202e" not in shown

    def test_its_head_is_a_stranger_s_too(self) -> None:
        hostile = Mail(SCRIPT, SCRIPT, SCRIPT, datetime.now(UTC), "text", ())
        assert "<script" not in hostile._repr_html_()
        assert hostile._repr_html_().count("&lt;script&gt;") == 3

    def test_from_to_and_date_are_said(self) -> None:
        shown = mail("text")._repr_html_()
        assert "from a@example.com to b@example.com, 2026-11-23 00:00:00 UTC" in shown

    def test_a_long_one_is_folded_at_the_end_of_a_line(self) -> None:
        lines = [f"line {number} https://a.example/{number}" for number in range(100)]
        shown = mail("\n".join(lines))._repr_html_()
        before, after = shown.split("<details>")
        assert f"{inbox._LINES_SHOWN - 1}</a>" in before
        assert f"line {inbox._LINES_SHOWN} " not in before
        assert f"line {inbox._LINES_SHOWN} " in after
        assert f"{100 - inbox._LINES_SHOWN} lines</summary>" in after
        assert shown.count("<a href") == 100
        assert shown.count("line ") == 100

    def test_it_is_folded_where_a_paragraph_ends_near_there(self) -> None:
        lines = [f"line {n}" if n not in (3, 20) else "" for n in range(100)]
        before, after = mail("\n".join(lines))._repr_html_().split("<details>")
        assert "line 19" in before
        assert "line 21" in after
        assert "79 lines</summary>" in after

    @pytest.mark.parametrize("lines", [1, 5, 26])
    def test_a_short_one_is_not(self, lines: int) -> None:
        assert "<details>" not in mail("\n".join(["text"] * lines))._repr_html_()

    def test_one_endless_line_is_folded_whole(self) -> None:
        before, after = mail("x" * 100_000)._repr_html_().split("<details>")
        assert "xx" not in before
        assert "x" * 100_000 in after
        assert "1 line</summary>" in after

    def test_an_empty_one_is_shown(self) -> None:
        assert "<b>subject</b>" in mail("")._repr_html_()


def test_a_page_s_words_are_not_broken_and_no_markup() -> None:
    """JupyterLab breaks plain text in the middle of a word."""
    shown = inbox.Answer(200, f"left as it is {SCRIPT}")._repr_html_()
    assert "word-break:normal" in shown
    assert "HTTP 200\nleft as it is &lt;script&gt;" in shown


class TestFolder:
    def test_mails_are_read_newest_first(self, aws: Session, office: PostOffice) -> None:
        for number in range(12):
            write(office, str(number))
        assert [found.text for found in inbox.mails(aws)] == [str(n) for n in range(11, -1, -1)]

    def test_no_folder_is_no_mail(self, aws: Session, office: PostOffice) -> None:
        assert inbox.mails(aws) == []
        (office.folder / ACCOUNT).mkdir(parents=True)  # its own folders are not there yet
        assert inbox.mails(aws) == []

    def test_headers_beyond_ascii_are_read(self, aws: Session, office: PostOffice) -> None:
        letter = Letter("Zugriff für Überprüfung ✓", "ü", sender="Wächter, der")
        office.deliver(ACCOUNT, "security@example.com", letter)
        (found,) = inbox.mails(aws)
        assert (found.subject, found.text) == (letter.subject, "ü")
        assert found.sender == '"Wächter, der" <no-reply@sns.amazonaws.com>'

    def test_the_date_is_utc_wherever_this_computer_is(
        self, aws: Session, office: PostOffice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        try:
            write(office, "text")
            (found,) = inbox.mails(aws)
        finally:
            monkeypatch.undo()
            time.tzset()
        assert abs(datetime.now(UTC) - found.sent) < timedelta(hours=1)

    def test_a_hostile_address_does_not_hide_the_mails(
        self, aws: Session, office: PostOffice
    ) -> None:
        write(office, "https://[ is no address, https://a.example/allow is one")
        (found,) = inbox.mails(aws)
        assert found.links == ("https://a.example/allow",)
        assert found.link("allow") == "https://a.example/allow"

    def test_another_account_s_mails_are_not_seen(self, office: PostOffice) -> None:
        write(office, "mine")
        write(office, "theirs", account="000000000002")
        assert [m.text for m in inbox.mails(session(office.folder))] == ["mine"]
        other = InboxPanel(session(office.folder, "000000000002"))
        other.stop()
        assert [m.text for m in other.mails] == ["theirs"]


@pytest.fixture
def panel(aws: Session) -> Iterator[InboxPanel]:
    panel = InboxPanel(aws, seconds=0.02)
    yield panel
    panel.stop()
    panel.thread.join(10)
    assert not panel.thread.is_alive()


def threads() -> int:
    return sum(thread.name == "inboxpanel" for thread in threading.enumerate())


class TestPanel:
    def test_new_mail_appears_by_itself(self, office: PostOffice, panel: InboxPanel) -> None:
        assert "No mail yet" in panel._heading.value
        write(office, f"one {SCRIPT}")
        until(lambda: len(panel._list.children) == 1)
        first = panel._list.children[0]
        assert "one &lt;script&gt;" in first.value
        write(office, "two")
        until(lambda: len(panel._list.children) == 2)
        assert "two" in panel._list.children[0].value
        assert panel._list.children[1] is first, "who reads it must not be disturbed"
        assert "2 mails" in panel._heading.value

    def test_equal_mails_are_two(self, office: PostOffice, panel: InboxPanel) -> None:
        write(office, "the same")
        write(office, "the same")
        until(lambda: len(panel._list.children) == 2)

    def test_a_deleted_mail_goes(self, aws: Session, office: PostOffice, panel: InboxPanel) -> None:
        write(office, "one")
        until(lambda: panel._list.children)
        assert inbox.delete(aws) == 1
        until(lambda: not panel._list.children)
        assert "No mail yet" in panel._heading.value

    def test_a_mail_that_goes_between_finding_and_opening_it_is_none(
        self, aws: Session, office: PostOffice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(office, "one")
        found = inbox.mailbox.Maildir._lookup

        def lose(box: Any, key: str) -> str:
            place = found(box, key)
            (Path(box._path) / place).unlink()
            return place

        monkeypatch.setattr(inbox.mailbox.Maildir, "_lookup", lose)
        assert inbox.mails(aws) == []

    def test_a_mail_is_read_once(
        self, aws: Session, office: PostOffice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reads, read = [], inbox._read
        monkeypatch.setattr(inbox, "_read", lambda *of: reads.append(1) or read(*of))
        for number in range(20):
            write(office, str(number))
        folder = inbox._Folder(aws)
        assert [len(folder.look()) for _ in range(10)] == [20] * 10
        assert len(reads) == 20

    def test_of_very_many_the_newest_are_shown(
        self, aws: Session, office: PostOffice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inbox, "_MAILS_SHOWN", 3)
        for number in range(5):
            write(office, f"text {number}")
        panel = InboxPanel(aws, seconds=0.02)
        write(office, "text 5")
        until(lambda: "text 5" in panel._list.children[0].value)
        panel.stop()
        shown = [widget.value for widget in panel._list.children]
        assert [m.text in value for m, value in zip(panel.mails, shown, strict=False)] == [True] * 3
        assert "6 mails; the newest 3 are here" in repr(panel)
        assert panel._repr_html_().count("text ") == 3

    def test_a_mailbox_that_goes_is_told_and_the_panel_goes_on(
        self, office: PostOffice, panel: InboxPanel
    ) -> None:
        write(office, "one")
        until(lambda: panel.mails)
        aside = office.folder.rename(office.folder.with_name("aside"))
        until(lambda: "The mailbox is gone" in panel._trouble.value)
        assert "goes on trying" in panel._trouble.value
        assert "one" in panel._list.children[0].value, "what was seen stays"
        aside.rename(office.folder)
        write(office, "two")
        until(lambda: len(panel.mails) == 2 and panel._trouble.value == "")

    def test_five_in_a_row_leave_one_thread_and_the_last_leaves_none(self, aws: Session) -> None:
        before = threads()
        panels = [InboxPanel(aws, seconds=0.02) for _ in range(5)]
        until(lambda: threads() == before + 1)
        assert "looks no more" in panels[0]._heading.value
        panels[-1].stop()
        until(lambda: threads() == before)
        assert ACCOUNT not in InboxPanel._live

    def test_on_a_real_account_it_says_where_the_mail_is(self) -> None:
        before = threading.active_count()
        panel = inbox.panel(session(None))
        assert threading.active_count() == before
        assert not panel.refresh()
        for words in (panel._heading.value, repr(panel), panel._repr_html_()):
            assert "look into that mailbox" in words
        panel.stop()
        with pytest.raises(WorkbookError, match="look into that mailbox"):
            inbox.mails(session(None))
        assert inbox.delete(session(None)) == 0

    def test_what_is_stored_is_plain(self, office: PostOffice, panel: InboxPanel) -> None:
        write(office, "https://a.example/", subject=f"Hi {SCRIPT}")
        until(lambda: panel.mails)
        bundle = panel._repr_mimebundle_()
        assert bundle["text/plain"] == f"1 mail\nthe newest: Hi {SCRIPT}"
        assert 'href="https://a.example/"' in bundle["text/html"]
        assert "<script" not in bundle["text/html"]
        assert "application/vnd.jupyter.widget-view+json" in bundle


@pytest.mark.parametrize(
    ("link", "advice", "other"),
    [
        ("http://127.0.0.1:4566/restapis/a", "local AWS was restarted", "online"),
        ("https://a.execute-api.us-east-1.amazonaws.com/Prod/allow", "online", "local AWS"),
    ],
)
def test_a_page_that_does_not_answer_is_a_sentence(
    link: str, advice: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise URLError("refused")

    monkeypatch.setattr("urllib.request.OpenerDirector.open", refuse)
    with pytest.raises(WorkbookError, match=advice) as silent:
        inbox.open_link(link)
    assert other not in str(silent.value)
