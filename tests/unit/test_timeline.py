"""The timeline: where an execution's time went, as a picture and as letters."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest

from helpers import history, timeline
from helpers.history import Span
from helpers.timeline import Timeline, _Scale
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


def looped(times: int) -> list[dict]:
    """A Map over so many items, one after the other, with a state before it."""
    script = Script()
    script.passes("Pass", "Begin")
    script("MapStateEntered", name="Each", input="[]")
    started = script("MapStateStarted", length=times)
    for index in range(times):
        item = script("MapIterationStarted", started, name="Each", index=index)
        script.passes("Pass", "Look", item)
        script("MapIterationSucceeded", name="Each", index=index)
    script("MapStateSucceeded")
    script("MapStateExited", name="Each", output="[]")
    script.passes("Pass", "End")
    return script.events


def picture(events: list[dict]) -> ET.Element:
    return ET.fromstring(Timeline(events).svg())  # noqa: S314 - our own


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


def test_every_state_is_named_with_its_time():
    said = words(answered(timedelta(seconds=1)))
    assert {"ModifyState", "ValidatePolicy ↻2", "AskUser", "10 ms"} <= set(said)
    assert {"1.1 s", "waited 1.0 s"} <= set(said)
    assert {"works", "waits for a person"} <= set(said)
    assert Timeline(answered(timedelta(seconds=1))).summary == (
        "5 states in 1.3 s, 1.0 s of it waiting for a person"
    )


def test_the_legend_explains_only_what_is_there():
    script = Script()
    script.passes("Pass", "Only")
    said = words(script.events)
    assert "works" in said
    assert "waits for a person" not in said


def test_plain_text_has_a_line_for_each_state():
    lines = str(Timeline(answered(timedelta(seconds=1)))).splitlines()
    assert [line.split()[0] for line in lines] == [
        "ModifyState", "ValidatePolicy", "ChooseAction", "TempRemove", "AskUser",
    ]  # fmt: skip
    assert lines[4].count("░") > 30
    assert "░" not in "".join(lines[:4])


def test_what_a_stored_output_compares_has_no_times():
    """The same episode, once answered after a second and once after a day."""
    slow, fast = (Timeline(answered(timedelta(seconds=s))) for s in (86_400, 1))
    assert repr(slow) == repr(fast) == "Timeline of 5 states; waited for a person in AskUser"
    assert str(slow) != str(fast)
    assert repr(Timeline(waiting())) == "Timeline of 5 states; waits for a person in AskUser"


def test_work_is_seen_beside_days_of_waiting():
    """Without the break TempRemove's 40 ms would be a 5,000,000th of the width."""
    timeline = Timeline(answered(timedelta(days=2, hours=3)))
    remove = next(row for row in timeline.rows if row.name == "TempRemove")
    (bar,) = remove.bars(timeline._scale)
    assert bar.end - bar.begin > 0.05
    assert "╱ 2 d 3 h ╱" in words(answered(timedelta(days=2, hours=3)))
    assert str(timeline).splitlines()[-1] == "╱ is a cut: 2 d 3 h"
    assert "╱" in str(timeline).splitlines()[4]


def test_two_long_waits_have_a_break_each():
    day = 86_400_000.0
    spans = [
        Span(0, "A", "work", 0, 10),
        Span(0, "A", "person", 10, day),
        Span(1, "B", "work", day, day + 20),
        Span(1, "B", "person", day + 20, 3 * day),
        Span(2, "C", "work", 3 * day, 3 * day + 10),
    ]
    scale = _Scale.of(spans, 3 * day + 10)
    assert scale.cuts == [(10, day), (day + 20, 3 * day)]
    assert [scale(moment) for moment in (0, 3 * day + 10)] == pytest.approx([0, 1])
    # What is not cut stays in proportion.
    assert scale(day + 20) - scale(day) == pytest.approx(2 * scale(10))


@pytest.mark.parametrize("lengths", [[10, 10, 10], [100, 10], [5], [0, 0, 7]])
def test_nothing_is_cut_that_hides_nothing(lengths: list[float]):
    spans, begin = [], 0.0
    for row, length in enumerate(lengths):
        spans.append(Span(row, "A", "work", begin, begin + length))
        begin += length
    scale = _Scale.of(spans, begin)
    assert scale.cuts == []
    assert scale(begin / 2) == pytest.approx(0.5)


def test_what_runs_on_is_drawn_to_the_edge_and_says_so():
    timeline = Timeline(waiting())
    assert str(timeline).splitlines()[-1].endswith("still waits …")
    *_, last = timeline.rows[-1].bars(timeline._scale)
    assert (last.what, last.end) == ("person", 1.0)
    assert last.end - last.begin > 0.05, "it has begun at the newest event, and yet is seen"


def test_a_failed_state_is_told_by_a_sign_too():
    script = Script()
    script.function("Judge", failures=1, ends=False)
    script("ExecutionFailed", error="Boom")
    assert "✗ Judge" in words(script.events)
    assert str(Timeline(script.events)).startswith("✗ Judge")
    assert repr(Timeline(script.events)) == "Timeline of 1 state; ✗ Judge"


def test_an_aborted_state_is_told_from_one_that_runs():
    script = Script()
    script.events = waiting()
    script("ExecutionAborted")
    assert "■ AskUser" in words(script.events)
    assert not any("…" in line for line in words(script.events))


def test_a_caught_failure_is_told():
    script = Script()
    script.function("Judge", failures=1, ends=False)
    script("TaskStateExited", name="Judge", output="{}")
    assert "⤷ Judge" in words(script.events)


def test_states_in_branches_stand_below_what_holds_them():
    lines = str(Timeline(nested())).splitlines()
    assert [line.split("  ─")[0].split("  █")[0].rstrip()[:8] for line in lines] == [
        "Both", "  Tell", "  Each", "    Look", "Done",
    ]  # fmt: skip


def test_visits_at_the_same_time_have_a_bar_each():
    script = Script()
    script("MapStateEntered", name="Each", input="[1, 2]")
    started = script("MapStateStarted", length=2)
    items = [script("MapIterationStarted", started, name="Each", index=i) for i in range(2)]
    inside = [script("TaskStateEntered", item, name="Look", input="{}") for item in items]
    for entered in inside:
        script("TaskStateExited", entered, name="Look", output="{}")
    timeline = Timeline(script.events)
    look = next(row for row in timeline.rows if row.name == "Look")
    bars = list(look.bars(timeline._scale))
    assert [(bar.lane, bar.height) for bar in bars] == [(0, 0.5), (1, 0.5)]
    assert bars[1].begin < bars[0].end


def test_a_thousand_iterations_are_one_row_and_few_bars():
    events = looped(1000)
    said = words(events)
    assert "Look ×1,000" in said
    assert len(Timeline(events).svg()) < 60_000
    assert len(Timeline(events).rows) == 4
    assert "End" in said, "what comes after them is seen"
    assert picture(events).get("height") == picture(looped(2)).get("height")


def test_many_states_are_cut_and_the_rest_is_counted():
    script = Script()
    for number in range(timeline.MOST_ROWS + 3):
        script.passes("Pass", f"P{number}")
    assert any("3 more states" in line for line in words(script.events))
    assert str(Timeline(script.events)).splitlines()[-1].startswith("… 3 more states")


@pytest.mark.parametrize("name", ['<b>&"$x_1$', "Ünïcode ✓ 🎉 名前"])
def test_names_that_are_markup_or_pictures_stay_text(name: str):
    script = Script()
    script.passes("Pass", name)
    assert name in words(script.events)


def test_a_long_name_is_shortened_in_the_picture():
    script = Script()
    script.passes("Pass", "N" * 80)
    assert f"{'N' * 33}…" in words(script.events)


@pytest.mark.parametrize("events", [[], Script().events])
def test_without_a_state_there_is_nothing_to_raise(events: list[dict]):
    assert str(Timeline(events)) == "No state has been entered."
    assert repr(Timeline(events)) == "Timeline of 0 states"
    assert picture(events).tag == f"{SVG}svg"


def test_the_picture_is_the_same_each_time():
    """A stored output changes only when what it shows does."""
    assert Timeline(waiting())._repr_html_() == Timeline(waiting())._repr_html_()


def test_it_shrinks_with_its_room_and_is_read_on_any_ground():
    found = picture(waiting())
    assert found.get("style") == "max-width:100%;height:auto"
    svg = Timeline(waiting()).svg()
    assert "currentColor" in svg
    assert "#ffffff" not in svg, "a white ground would stay white in the dark"
    assert timeline._INK not in svg


def test_a_screen_reader_hears_what_is_drawn():
    found = picture(answered(timedelta(seconds=1)))
    assert found.get("role") == "img"
    assert found.find(f"{SVG}title").text.startswith("Timeline of 5 states")
    assert "AskUser" in found.find(f"{SVG}desc").text


def test_whoever_does_not_look_does_not_wait_for_matplotlib():
    code = (
        "import sys; from helpers.timeline import Timeline; repr(Timeline([])); "
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(0, "0 ms"), (999.4, "999 ms"), (999.6, "1.0 s"), (59_940, "59.9 s"), (59_960, "1 min"),
     (3_600_000, "1 h"), (86_400_000, "1 d")],
)  # fmt: skip
def test_durations_read_as_a_person_says_them(milliseconds: float, said: str):
    assert timeline.duration(milliseconds) == said


def test_two_pictures_in_one_page_share_no_hatching() -> None:
    """The first may be in a hidden tab, where the second one's hatching would be hidden too."""

    def hatched(events: list[dict]) -> set[str]:
        return {pattern.get("id") for pattern in picture(events).iter(f"{SVG}pattern")}

    earlier, later = answered(timedelta(seconds=5)), answered(timedelta(seconds=5))
    for event in later:
        event["timestamp"] += timedelta(minutes=1)
    assert hatched(earlier)
    assert hatched(earlier) == hatched(earlier)
    assert not hatched(earlier) & hatched(later)
