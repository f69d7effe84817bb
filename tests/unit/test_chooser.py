"""A choice is neither lost nor changed while the list grows."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from helpers.chooser import Chooser

ONE, TWO, THREE = ("one", 1), ("two", 2), ("three", 3)


def _click(chooser: Chooser, index: int) -> None:
    """What the browser sends for a click."""
    chooser.set_state({"index": index})


def test_a_list_offers_and_nothing_is_chosen_by_itself() -> None:
    chooser = Chooser()
    chooser.offer([ONE, TWO])
    assert (chooser.options, chooser.value) == ((ONE, TWO), None)


def test_a_choice_stays_when_the_list_grows() -> None:
    chooser = Chooser()
    chooser.offer([ONE, TWO])
    _click(chooser, 1)
    chooser.offer([ONE, ("two, done", 2), THREE])
    assert (chooser.value, chooser.label) == (2, "two, done")


def test_a_click_in_the_middle_of_growing_is_not_lost() -> None:
    """`ipywidgets.Select` alone takes it and then forgets it: the value of before is set again."""
    chooser, heard = Chooser(), []
    chooser.offer([ONE, TWO])
    chooser.observe(lambda change: heard.append(change["new"]), names="value")
    click = threading.Thread(target=_click, args=(chooser, 1))

    def _in_the_middle(_: Any) -> None:
        click.start()
        click.join(0.2)  # it has to wait for the end of `offer`, which comes after this

    chooser.observe(_in_the_middle, names="options")
    chooser.offer([ONE, TWO, THREE])
    click.join()
    assert (chooser.value, heard) == (2, [2])


def test_the_browser_is_told_the_choice_once() -> None:
    """Else the first option is seen chosen in between."""
    told: list[dict[str, Any]] = []
    chooser = Chooser()
    chooser.offer([ONE, TWO])
    _click(chooser, 1)
    chooser.comm = SimpleNamespace(
        kernel=True,
        comm_id="a comm",
        on_msg=lambda _: None,
        send=lambda data, buffers: told.append(data["state"]),
    )
    chooser.offer([ONE, TWO, THREE])
    assert [state["index"] for state in told] == [1]
    assert [len(state["_options_labels"]) for state in told] == [3]
