"""Watch an execution: a live panel of its graph, its steps and their data, its time and cost.

End a cell with ``watch.follow(aws, execution)``: the panel goes on by itself after the cell has
ended, and the notebook stays free for the next cell. It stops when the execution ends, and the
saved notebook keeps the last picture.

What has happened since the last look is shown state by state, at a pace that an eye can follow; the
times in it are those of the history.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, ClassVar

from helpers import execution, graph
from helpers.execution import Execution
from helpers.panel import Panel, sentence
from helpers.session import Session
from helpers.visits import Event, Walk

PACE = 0.2  # seconds between two pictures
PICTURES = 20  # at most, of what has happened between two looks
GONE = ("ExecutionDoesNotExist", "StateMachineDoesNotExist")


def follow(session: Session, arn: str) -> Watch:
    """Return a panel that follows the execution ``arn``; end a cell with it.

    Raises what boto3 raises where the execution cannot be seen at all.
    """
    return Watch(session, arn)


class Watch(Panel):
    """The panel of one execution."""

    # Sooner than other panels: what happens here, happens in hundredths of a second.
    SECONDS: ClassVar = {"local": 0.05, "aws": 2.0}
    SLOWEST: ClassVar = {"local": 0.5, "aws": 10.0}
    TICK = 0.05

    def __init__(self, session: Session, arn: str, seconds: float | None = None) -> None:
        """Look once, and then every so many ``seconds``."""
        super().__init__(session, arn, seconds)
        self._handle: Any = None  # of the output in the notebook, once it is shown
        self._drawn = 0  # events
        self._next_picture = monotonic()
        self.seen: Execution = execution.look(session, arn)
        self._build()
        self._draw(self.seen.events if self.seen.ended else [])
        self.start()

    @property
    def ended(self) -> bool:
        """Whether the execution has ended, and all of it is shown."""
        return self.seen.ended and not self._behind

    def refresh(self) -> bool:
        """Look once; return whether anything has changed. What is new is drawn by `tick`."""
        if self.seen.ended:
            return False
        before, self.seen = self.seen, execution.look(self._session, self._subject, self.seen)
        self._header.value = self.seen.header()
        changed = (before.status, len(before.events)) != (self.seen.status, len(self.seen.events))
        if changed and self.seen.waiting:  # perhaps until the notebook is saved and closed
            self._keep()
        return changed

    def tick(self) -> None:
        """Draw one picture more, of what was seen and not drawn yet."""
        if self._behind and monotonic() >= self._next_picture:
            self._next_picture = monotonic() + PACE
            events = self.seen.events
            self._draw(events[: _pictures(events, self._drawn)[-PICTURES:][0]])

    @property
    def _behind(self) -> bool:
        return self._drawn < len(self.seen.events)

    def choose(self, row: int) -> None:
        """Show a step's data; ``row`` is its place among the steps."""
        step = self.seen.step(row)
        self._data.value = step.html(step.log(self._session))

    def _note(self, error: Exception) -> bool:
        """Say what keeps the panel from being up to date; a deleted execution does for good."""
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        if code not in GONE:
            return super()._note(error)
        self._tell(f"{sentence(error)} What was seen of it last stays here.")
        return True

    def finish(self) -> None:
        """Leave the last picture behind, for who opens the saved notebook."""
        self._stop.layout.display = "none"
        if self._behind:
            self._draw(self.seen.events)
        if not self.seen.ended:
            self._header.value = f"{self.seen.header()}<i>No longer followed.</i>"
        self._keep()

    def _keep(self) -> None:
        """Let what is stored with the notebook be the picture of now."""
        if self._handle is not None:
            self._handle.update(self._bundle(), raw=True)

    # --- showing -------------------------------------------------------------------------

    def _build(self) -> None:
        import ipywidgets

        from helpers.chooser import Chooser

        self._header, self._data = ipywidgets.HTML(), ipywidgets.HTML()
        self._graph = ipywidgets.HTML(layout=ipywidgets.Layout(max_width="100%", overflow="auto"))
        whole = ipywidgets.Layout(width="auto", flex="none")
        self._stop = ipywidgets.Button(description="Stop following", icon="stop", layout=whole)
        self._stop.on_click(lambda _: self.stop())
        self._steps = Chooser(rows=7, layout=ipywidgets.Layout(width="auto"))
        self._steps.observe(self._chosen, names="value")
        chooser = ipywidgets.VBox(
            [ipywidgets.HTML("Choose a step to see its data:"), self._steps, self._data],
            layout=ipywidgets.Layout(flex="1 1 320px", min_width="280px"),
        )
        # Side by side where there is room, one below the other where there is not.
        both = ipywidgets.Box(
            [self._graph, chooser],
            layout=ipywidgets.Layout(flex_flow="row wrap", align_items="flex-start", width="100%"),
        )
        self.box = ipywidgets.VBox(
            [ipywidgets.HBox([self._header, self._stop]), self._trouble, both]
        )

    def _draw(self, events: list[Event]) -> None:
        self._drawn = len(events)
        self._header.value = self.seen.header()
        # The steps first: who sees a state in the picture can choose it already.
        options = [
            (f"{row + 1}. {visit.name} · {visit.shown.words}", row)
            for row, visit in enumerate(Walk(events).visits)
        ]
        with self._steps.lock:
            chosen = self._steps.value
            self._steps.unobserve(self._chosen, names="value")
            self._steps.offer(options)
            self._steps.observe(self._chosen, names="value")
        self._graph.value = graph.svg(self.seen.definition, events)
        if chosen is not None:
            self.choose(chosen)

    def _chosen(self, change: dict[str, Any]) -> None:
        if change["new"] is not None:
            try:
                self.choose(change["new"])
            except Exception as error:  # noqa: BLE001 - a click has no cell to show it in
                self._note(error)

    def __repr__(self) -> str:
        return repr(self.seen)

    def _repr_html_(self) -> str:
        return self.seen._repr_html_()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        self._handle = display(self._bundle(), raw=True, display_id=True)
        if self._handle is not None and self.seen.ended:  # perhaps while it was being shown
            self._handle.update(self._bundle(), raw=True)


def _pictures(events: list[Event], drawn: int) -> list[int]:
    """Return after how many events there is another picture to be seen, and after all of them."""
    ends = ("StateEntered", "Submitted", "Failed", "TimedOut")
    counts = [
        count
        for count, event in enumerate(events, start=1)
        if count > drawn and event["type"].endswith(ends)
    ]
    return [*(count for count in counts if count < len(events)), len(events)]
