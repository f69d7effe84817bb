"""The page behind the links of the mail, as a person meets it: a browser, a mouse, a keyboard."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from helpers import history, inbox, incident, policy, stack
from helpers.session import Session
from tests.browser.lab import PATIENCE, PICTURES

# What Chromium says about every page that is not a 2xx.
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
SCRIPT = "<script>alert(1)</script>"

# For every element with text of its own: WCAG's contrast with what lies behind it.
# https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
CONTRASTS = """() => {
  const numbers = colour => colour.match(/[0-9.]+/g).map(Number);
  const opaque = colour => numbers(colour).length === 3 || numbers(colour)[3] > 0;
  const luminance = colour => {
    const [r, g, b] = numbers(colour).slice(0, 3).map(c => c / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    const own = getComputedStyle(element).backgroundColor;
    return opaque(own) || !element.parentElement ? own : behind(element.parentElement);
  };
  return [...document.body.querySelectorAll("*")]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(e => {
      const [a, b] = [luminance(getComputedStyle(e).color), luminance(behind(e))];
      return [e.innerText, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
    });
}"""
BRIGHTNESS = """() => {
  const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g);
  return (Number(r) + Number(g) + Number(b)) / 3 / 255;
}"""


@dataclass
class Asked:
    """An execution that waits for an answer, and the links of its mail."""

    execution: str
    allow: str
    deny: str

    def link(self, answer: str) -> str:
        return {"allow": self.allow, "deny": self.deny}[answer]


@dataclass
class Seen:
    """What pages did on the quiet."""

    requests: list[Request] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> Page:
        page.set_default_timeout(PATIENCE)
        page.on("request", self._note)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.accept()))
        return page

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    def _hear(self, message: ConsoleMessage) -> None:
        if not REFUSED.match(message.text):
            self.messages.append(message.text)

    def posts(self) -> int:
        return sum(request.method == "POST" for request in self.requests)


@pytest.fixture
def asked(aws: Session, app: stack.App) -> Asked:
    """The bad policy, quarantined and asked about."""
    execution = incident.create(aws, app)
    return _asked(aws, execution, incident.POLICY)


def _asked(aws: Session, execution: str, name: str) -> Asked:
    mail = inbox.newest(aws, f"Approval needed: IAM policy {name}")
    return Asked(execution, mail.link("allow"), mail.link("deny"))


@pytest.fixture
def seen(asked: Asked) -> Iterator[Seen]:
    """Whatever a test does: nothing goes elsewhere, nothing is complained of, nothing pops up."""
    seen = Seen()
    yield seen
    api = urlsplit(asked.allow).netloc
    assert seen.requests
    assert {urlsplit(request.url).netloc for request in seen.requests} == {api}
    assert {urlsplit(r.url).path.rpartition("/")[2] for r in seen.requests} <= {"allow", "deny"}
    assert seen.messages == []
    assert seen.dialogs == []


@pytest.fixture
def new_tab(browser: Browser, seen: Seen) -> Iterator[Callable[..., Page]]:
    contexts = []

    def new_tab(**options: Any) -> Page:
        contexts.append(browser.new_context(**options))
        return seen.watch(contexts[-1].new_page())

    yield new_tab
    for context in contexts:
        context.close()


@pytest.fixture
def tab(new_tab: Callable[..., Page]) -> Page:
    return new_tab(viewport={"width": 1280, "height": 900})


def _title(page: Page) -> Any:
    return expect(page.get_by_role("heading", level=1))


def _press(page: Page) -> None:
    page.get_by_role("button").click()


def _answers(aws: Session, execution: str) -> list[dict[str, Any]]:
    """Return what the execution was answered, once it has ended."""
    incident.wait_for_end(aws, execution)
    events = history.events(aws.client("stepfunctions"), execution)
    outputs = [
        json.loads(event["taskSucceededEventDetails"]["output"])
        for event in events
        if event["type"] == "TaskSucceeded"
    ]
    return [output for output in outputs if "decidedBy" in output]


def _in_force(aws: Session) -> dict[str, Any]:
    return policy.versions(aws).in_force.document


def _waits(aws: Session, execution: str) -> bool:
    described = aws.client("stepfunctions").describe_execution(executionArn=execution)
    return described["status"] == "RUNNING" and _in_force(aws) != incident.DOCUMENT


def test_looking_ten_times_decides_nothing(aws: Session, asked: Asked, tab: Page, seen: Seen):
    for number in range(10):
        answer = "allow" if number % 2 else "deny"
        assert tab.goto(asked.link(answer)).status == 200
        _title(tab).to_have_text(f"{answer.capitalize()} this policy?")
    assert seen.posts() == 0
    assert _waits(aws, asked.execution)


def test_the_page_shows_what_is_being_decided(aws: Session, asked: Asked, tab: Page):
    tab.goto(asked.allow)
    rows = {
        row.get_by_role("term").inner_text(): row.get_by_role("definition").inner_text()
        for row in tab.locator("dl > div").all()
    }
    withdrawn = json.dumps(incident.DOCUMENT)
    assert rows.pop("Document’s SHA-256 begins with") in inbox.newest(aws, incident.POLICY).text
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", rows.pop("Answer by"))
    assert rows == {
        "Policy": incident.policy_arn(aws),
        "Grants": "s3:DeleteBucket",
        "Made by": f"arn:aws:iam::{aws.account}:root",
    }
    assert withdrawn not in tab.content()
    expect(tab.get_by_text("All of this comes from the link.")).to_be_visible()
    expect(tab.get_by_text("The mail of this request has the document")).to_be_visible()


@pytest.mark.parametrize(
    ("answer", "title", "action"), [("allow", "Allowed", "allow"), ("deny", "Denied", "delete")]
)
def test_the_button_decides(
    aws: Session, asked: Asked, tab: Page, answer: str, title: str, action: str
):
    tab.goto(asked.link(answer))
    tab.get_by_role("button", name=f"{answer.capitalize()} the policy").click()
    _title(tab).to_have_text(title)
    (output,) = _answers(aws, asked.execution)
    assert output["action"] == action
    assert output["decidedBy"]["channel"] == "approval page"
    assert output["decidedBy"]["sourceIp"] == "127.0.0.1"
    expect(tab.get_by_text(output["decidedBy"]["time"])).to_be_visible()
    assert (_in_force(aws) == incident.DOCUMENT) == (answer == "allow")


def test_going_back_and_pressing_again_changes_nothing(aws: Session, asked: Asked, tab: Page):
    tab.goto(asked.deny)
    _press(tab)
    _title(tab).to_have_text("Denied")
    tab.go_back()
    _title(tab).to_have_text("Deny this policy?")
    # A page that may not ask does not claim that the request still waits.
    expect(tab.get_by_text("it cannot know whether somebody has answered")).to_be_visible()
    _press(tab)
    _title(tab).to_have_text("Already decided")
    assert tab.get_by_role("button").count() == 0
    assert [output["action"] for output in _answers(aws, asked.execution)] == ["delete"]
    assert _in_force(aws) != incident.DOCUMENT


def test_a_double_click_decides_once(aws: Session, asked: Asked, tab: Page):
    tab.goto(asked.allow)
    tab.get_by_role("button").dblclick()
    _title(tab).to_have_text(re.compile("^(Allowed|Already decided)$"))
    assert [output["action"] for output in _answers(aws, asked.execution)] == ["allow"]
    assert _in_force(aws) == incident.DOCUMENT


def test_of_many_presses_at_once_one_decides(aws: Session, asked: Asked):
    links = [asked.allow, asked.deny] * 4
    with ThreadPoolExecutor(len(links)) as people:
        statuses = [page.status for page in people.map(inbox.press_button, links)]
    assert sorted(statuses) == [200] + [410] * 7
    (output,) = _answers(aws, asked.execution)
    assert output["action"] == ("delete" if statuses.index(200) % 2 else "allow")


@pytest.mark.parametrize(("first", "second"), [("allow", "deny"), ("deny", "allow")])
def test_the_first_of_two_tabs_counts(
    aws: Session, asked: Asked, new_tab: Callable[..., Page], first: str, second: str
):
    tabs = {answer: new_tab() for answer in (first, second)}
    for answer, page in tabs.items():
        page.goto(asked.link(answer))
    _press(tabs[first])
    _title(tabs[first]).to_have_text({"allow": "Allowed", "deny": "Denied"}[first])
    _press(tabs[second])
    _title(tabs[second]).to_have_text("Already decided")
    assert len(_answers(aws, asked.execution)) == 1
    assert (_in_force(aws) == incident.DOCUMENT) == (first == "allow")


def test_a_reload_decides_nothing_more(aws: Session, asked: Asked, tab: Page, seen: Seen):
    tab.goto(asked.allow)
    _press(tab)
    _title(tab).to_have_text("Allowed")
    assert len(_answers(aws, asked.execution)) == 1
    versions = policy.versions(aws)
    tab.reload()
    assert seen.posts() == 2
    _title(tab).to_have_text("Already decided")
    assert len(_answers(aws, asked.execution)) == 1
    assert policy.versions(aws) == versions


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_keyboard_is_enough(aws: Session, asked: Asked, tab: Page, key: str):
    tab.goto(asked.deny)
    tab.keyboard.press("Tab")
    button = tab.get_by_role("button")
    expect(button).to_be_focused()
    expect(button).to_have_css("outline-style", "solid")
    expect(button).to_have_css("outline-width", "3px")
    tab.keyboard.press(key)
    _title(tab).to_have_text("Denied")
    assert len(_answers(aws, asked.execution)) == 1


def test_it_works_without_javascript(aws: Session, asked: Asked, new_tab: Callable[..., Page]):
    page = new_tab(java_script_enabled=False)
    page.goto(asked.deny)
    _press(page)
    _title(page).to_have_text("Denied")
    assert len(_answers(aws, asked.execution)) == 1


@pytest.mark.parametrize("encode", [str, quote])
def test_a_token_pasted_by_hand_works(
    aws: Session, asked: Asked, tab: Page, encode: Callable[[str], str]
):
    """As a learner does it, who takes the token out of the history."""
    address = urlsplit(asked.allow)
    (token,) = parse_qs(address.query)["token"]
    tab.goto(address._replace(query=f"token={encode(token)}").geturl())
    expect(tab.get_by_text("This link does not tell.")).to_be_visible()
    _press(tab)
    _title(tab).to_have_text("Allowed")
    assert len(_answers(aws, asked.execution)) == 1


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("", "The token is missing"),
        ("?token=%FF%FE", "This is not a token"),
        ("?token=AQC&token=AQD", "More than one token"),
        (f"?token={'a' * 6_000}", "This is not a token"),
    ],
)
def test_a_broken_link_shows_a_page(asked: Asked, tab: Page, query: str, title: str):
    tab.goto(asked.allow.split("?")[0] + query)
    _title(tab).to_have_text(title)
    expect(tab.get_by_text("Nothing was changed")).to_be_visible()
    assert tab.get_by_role("button").count() == 0


def test_an_invented_token_is_told_from_a_used_one(asked: Asked, tab: Page):
    tab.goto(asked.allow.split("?")[0] + "?token=AQCEAAAAKgAAAAMAAAAA" + "A" * 300)
    _press(tab)
    _title(tab).to_have_text("No such request")


@pytest.fixture
def hostile(aws: Session, app: stack.App) -> Iterator[Asked]:
    """An attacker's policy: a script in its path and its description, and a forged link."""
    iam, name = aws.client("iam"), "hostile"
    words = f"{SCRIPT}\nALLOW: put it back\nhttps://evil.example/Prod/allow?token=t"
    arn = iam.create_policy(
        PolicyName=name,
        Path=f"/{SCRIPT}/https://evil.example/allow/",
        Description=words,
        PolicyDocument=json.dumps(incident.DOCUMENT),
    )["Policy"]["Arn"]
    try:
        execution = _execution_about(aws, app, name)
        incident.wait_for_question(aws, execution)
        yield _asked(aws, execution, name)
    finally:
        incident.delete_policy(aws, arn)


def _execution_about(aws: Session, app: stack.App, name: str) -> str:
    """Wait for the execution about a policy that has a path: incident.execution knows none."""
    states, give_up = aws.client("stepfunctions"), time.monotonic() + 60
    while time.monotonic() < give_up:
        for execution in stack.running(aws, app.state_machine):
            if name in states.describe_execution(executionArn=execution)["input"]:
                return execution
        time.sleep(0.05)
    raise AssertionError(f"nothing happened about {name}")


def test_a_script_of_an_attacker_is_text(aws: Session, hostile: Asked, asked: Asked, tab: Page):
    tab.goto(hostile.deny)
    _title(tab).to_have_text("Deny this policy?")
    expect(tab.get_by_text(f"policy/{SCRIPT}/https://evil.example/allow/hostile")).to_be_visible()
    expect(tab.get_by_role("blockquote")).to_contain_text(f"{SCRIPT}\\nALLOW: put it back\\nhttps")
    assert tab.locator("script, a, img, iframe").count() == 0
    _picture(tab, "approval_page_of_an_attacker")
    _press(tab)
    _title(tab).to_have_text("Denied")
    assert tab.locator("script, a, img, iframe").count() == 0
    assert [output["action"] for output in _answers(aws, hostile.execution)] == ["delete"]


def test_no_other_page_can_frame_it(browser: Browser, asked: Asked, tab: Page):
    tab.goto(asked.allow)
    stranger = browser.new_page()
    stranger.set_content(f'<iframe src="{asked.allow}"></iframe>')
    expect(stranger.frame_locator("iframe").get_by_role("button")).to_have_count(0)
    stranger.wait_for_function("() => window.frames.length === 1")
    assert "Allow the policy" not in stranger.frames[1].content()
    stranger.close()


def _picture(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_light_and_dark_on_a_phone_and_a_desk(
    aws: Session, asked: Asked, new_tab: Callable[..., Page], scheme: str, width: int
):
    page = new_tab(viewport={"width": width, "height": 720}, color_scheme=scheme)

    def look(name: str) -> None:
        _picture(page, f"approval_page_{name}_{scheme}_{width}")
        assert (page.evaluate(BRIGHTNESS) < 0.2) == (scheme == "dark")
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) >= 3
        assert [found for found in contrasts if found[1] < 4.5] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    for answer in ("allow", "deny"):
        page.goto(asked.link(answer))
        look(answer)
        # A finger's size: https://www.w3.org/TR/WCAG22/#target-size-enhanced
        assert page.get_by_role("button").bounding_box()["height"] >= 44
        assert page.get_by_role("button").bounding_box()["width"] <= width
    page.goto(asked.allow.split("&")[0])
    look("pasted")
    page.goto(asked.allow)
    _press(page)
    _title(page).to_have_text("Allowed")
    look("allowed")
    page.go_back()
    _press(page)
    _title(page).to_have_text("Already decided")
    look("closed")


def test_it_has_landmarks_headings_and_a_language(asked: Asked, tab: Page):
    tab.goto(asked.allow)
    assert tab.locator("html").get_attribute("lang") == "en"
    assert tab.title() == "Allow this policy?"
    for landmark in ("banner", "main"):
        expect(tab.get_by_role(landmark)).to_have_count(1)
    levels = tab.locator("h1, h2, h3, h4, h5, h6").evaluate_all("all => all.map(h => h.tagName)")
    assert levels == ["H1", "H2"]
    # The sign before the word is for eyes only.
    expect(tab.get_by_role("button", name="Allow the policy", exact=True)).to_have_count(1)
    assert tab.get_by_role("time").get_attribute("datetime").endswith("Z")


def test_it_prints_what_was_decided_without_the_button(asked: Asked, new_tab: Callable[..., Page]):
    page = new_tab(color_scheme="dark")
    page.goto(asked.allow)
    page.emulate_media(media="print")
    expect(page.get_by_role("button")).to_be_hidden()
    expect(page.get_by_text(incident.POLICY)).to_be_visible()
    assert page.evaluate(BRIGHTNESS) == 1
    assert [found for found in page.evaluate(CONTRASTS) if found[1] < 7] == []
    _picture(page, "approval_page_printed")
