"""The timeline: where an execution's time went, as a picture and as letters."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest

from helpers import history, timeline
from helpers.history import Span
from helpers.timeline import Timeline
from tests.unit.test_history import ASK, Script, nested, waiting

SVG = "{http://www.w3.org/2000/svg}"


def answered(asked_for: timedelta) -> list[dict]:
    """The episode: AskUser is answered after so long, then the execution ends."""
    script = Script()
    script.events = waiting()
    script("TaskSucceeded", **ASK, output="{}")
    script("TaskStateExited", name="AskUser", output="{}")
    script("ExecutionSucceeded", output="{}")
    for event in script.events[-3:]:
        event["timestamp"] += asked_for
    return script.events


def picture(events: list[dict]) -> ET.Element:
    return ET.fromstring(Timeline(events)._repr_svg_())  # noqa: S314 - our own


def words(events: list[dict]) -> list[str]:
    return ["".join(text.itertext()).strip() for text in picture(events).iter(f"{SVG}text")]


def test_waiting_for_a_person_is_a_span_of_its_own():
    spans = [s for s in history.spans(answered(timedelta(seconds=1))) if s.step == "AskUser"]
    begin = spans[0].begin
    assert spans == [
        Span(4, "AskUser", "work", begin, begin + 30),
        Span(4, "AskUser", "person", begin + 30, begin + 1040),
        Span(4, "AskUser", "work", begin + 1040, begin + 1050),
    ]


def test_who_still_waits_has_a_span_without_an_end():
    assert history.spans(waiting())[-1].what == "person"
    assert history.spans(waiting())[-1].end is None


def test_a_wait_that_times_out_ends_with_it():
    script = Script()
    script.events = waiting()
    script("TaskTimedOut", **ASK, error="States.Timeout")
    script("ExecutionFailed", error="States.Timeout")
    person, after = history.spans(script.events)[-2:]
    assert (person.what, after.what) == ("person", "work")
    assert person.end == after.begin


def test_the_spans_of_a_step_follow_one_another_without_a_gap():
    for events in (nested(), answered(timedelta(0)), waiting()):
        table = history.steps(events)
        by_row: dict[int, list[Span]] = {}
        for span in history.spans(events):
            by_row.setdefault(span.row, []).append(span)
        assert sorted(by_row) == list(range(len(table)))
        for row, spans in by_row.items():
            assert [s.end for s in spans[:-1]] == [s.begin for s in spans[1:]]
            assert {s.step for s in spans} == {table.step[row]}
            if spans[-1].end is not None:
                assert spans[-1].end - spans[0].begin == pytest.approx(table.duration[row])


def test_what_a_state_does_is_known_by_its_type():
    script = Script()
    script.passes("Wait", "Rest")
    assert [span.what for span in history.spans(script.events)] == ["clock"]
    found = {span.step: span.what for span in history.spans(nested())}
    assert found == {"Both": "states", "Tell": "work", "Each": "states", "Look": "work",
                     "Done": "work"}  # fmt: skip


def test_every_step_is_named_with_its_time():
    said = words(answered(timedelta(seconds=1)))
    assert {"ModifyState", "ValidatePolicy ×3", "AskUser", "10 ms"} <= set(said)
    assert "1.1 s, 1.0 s of it waiting for a person" in said
    assert {"works", "waits for a person"} <= set(said)


def test_the_legend_explains_only_what_is_there():
    script = Script()
    script.passes("Pass", "Only")
    said = words(script.events)
    assert "works" in said
    assert "waits for a person" not in said


def test_plain_text_has_a_line_for_each_step():
    lines = repr(Timeline(answered(timedelta(seconds=1)))).splitlines()
    assert [line.split()[0] for line in lines] == [
        "ModifyState", "ValidatePolicy", "ChooseAction", "TempRemove", "AskUser",
    ]  # fmt: skip
    assert lines[4].count("░") > 30
    assert "░" not in "".join(lines[:4])


def test_what_runs_on_lasts_until_the_newest_event_and_says_so():
    assert repr(Timeline(waiting())).splitlines()[-1].endswith("…")


def test_a_failed_step_is_told_by_a_sign_too():
    script = Script()
    script.function("Judge", failures=1, ends=False)
    script("ExecutionFailed", error="Boom")
    assert "✗ Judge" in words(script.events)
    assert repr(Timeline(script.events)).startswith("✗ Judge")


def test_many_steps_are_cut_and_the_rest_is_counted():
    script = Script()
    for number in range(timeline.MOST_STEPS + 3):
        script.passes("Pass", f"P{number}")
    assert any("3 more steps" in line for line in words(script.events))
    assert repr(Timeline(script.events)).splitlines()[-1].startswith("… 3 more steps")


def test_names_that_are_markup_stay_text():
    script = Script()
    script.passes("Pass", '<b>&"$x_1$')
    assert '<b>&"$x_1$' in words(script.events)


@pytest.mark.parametrize("events", [[], Script().events])
def test_without_a_step_there_is_nothing_to_raise(events: list[dict]):
    assert repr(Timeline(events)) == "(no steps)"
    assert picture(events).tag == f"{SVG}svg"


def test_the_picture_is_the_same_each_time():
    """A stored output changes only when what it shows does."""
    assert Timeline(waiting())._repr_svg_() == Timeline(waiting())._repr_svg_()


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(0, "0 ms"), (999.4, "999 ms"), (999.6, "1.0 s"), (59_940, "59.9 s"), (59_960, "1 min"),
     (3_600_000, "1 h"), (86_400_000, "1 d")],
)  # fmt: skip
def test_durations_read_as_a_person_says_them(milliseconds: float, said: str):
    assert timeline.duration(milliseconds) == said
