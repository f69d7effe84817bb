"""What the live panels share: one thread that looks, one line that says why it cannot.

A panel is an object beside its widgets: it can be used and tested without a browser, and shows
itself as plain HTML where no widgets live (a saved notebook on GitHub, in nbviewer, on paper).
"""

from __future__ import annotations

import threading
from html import escape
from time import monotonic
from typing import Any, ClassVar, Self

from helpers.errors import explain
from helpers.session import Session


class Panel:
    """A panel that follows its subject by itself until it is stopped, or the subject has ended.

    Of one kind and subject there is one that looks: a cell run again ends the panel before. A kind
    says what it does in `refresh`, and if need be in `ended`, `tick`, `finish` and `_note`.
    """

    # Between two looks. The quotas of Step Functions' API are shared by all of an account: in
    # us-east-1 ListExecutions is refilled with 5 calls a second, GetExecutionHistory with 20.
    # https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
    SECONDS: ClassVar = {"local": 0.2, "aws": 2.0}
    SLOWEST: ClassVar = {"local": 1.0, "aws": 10.0}  # while nothing changes
    TICK = 1.0  # seconds: a panel's clocks go on, however seldom it looks
    _live: ClassVar[dict[str, Self]]  # of each kind: who looks, by subject

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls._live = {}

    def __init__(self, session: Session, subject: str, seconds: float | None = None) -> None:
        """Make ready to look every so many ``seconds``; `start` begins."""
        import ipywidgets

        self._session, self._subject = session, subject
        self._seconds = seconds or self.SECONDS[session.target]
        self._slowest = max(self._seconds, self.SLOWEST[session.target])
        self._stopped = threading.Event()
        self._trouble = ipywidgets.HTML()
        self.box: Any = None  # all of the panel's widgets, once they are built
        self.thread = threading.Thread(
            target=self._follow, name=type(self).__name__.lower(), daemon=True
        )

    def start(self) -> None:
        """Begin to look; end the panel that did so before."""
        earlier = self._live.get(self._subject)
        if earlier:
            earlier.stop()
        self._live[self._subject] = self
        self.thread.start()

    def stop(self) -> None:
        """Look no more; what is shown stays."""
        self._stopped.set()

    # --- what a kind of panel says of itself ------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return False

    def refresh(self) -> bool:
        """Look once; return whether anything has changed."""
        raise NotImplementedError

    def tick(self) -> None:
        """Let the clocks go on: about once a second."""

    def finish(self) -> None:
        """Say that nobody looks any more: the last thing that the thread does."""

    def _note(self, error: Exception) -> bool:
        """Say what keeps the panel from being up to date; return whether it will stay so."""
        self._tell(f"{sentence(error)} The panel goes on trying.")
        return False

    def _tell(self, trouble: str) -> None:
        style = "border-left:4px solid #bf8700;padding-left:8px;line-height:1.4"
        self._trouble.value = f'<div style="{style}">{escape(trouble)}</div>'

    # --- following --------------------------------------------------------------------------

    def _follow(self) -> None:
        pause = self._seconds
        due = monotonic() + pause
        while not self.ended and not self._stopped.wait(self._until(due)):
            try:
                self.tick()
                if monotonic() < due:
                    continue
                changed = self.refresh()
                self._trouble.value = ""
                pause = self._seconds if changed else min(pause * 1.5, self._slowest)
            except Exception as error:  # noqa: BLE001 - shown where the learner looks
                if self._note(error):
                    break
                pause = self._slowest
            due = monotonic() + pause
        if self._live.get(self._subject) is self:
            del self._live[self._subject]
        self.finish()

    def _until(self, due: float) -> float:
        return min(self.TICK, max(0.0, due - monotonic()))

    # --- showing ----------------------------------------------------------------------------

    def _repr_html_(self) -> str:
        raise NotImplementedError

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return self._bundle()

    def _bundle(self) -> dict[str, Any]:
        """The widget where widgets live; where they do not, the same as plain HTML."""
        bundle = self.box._repr_mimebundle_()
        return {**bundle, "text/html": self._repr_html_(), "text/plain": repr(self)}


def sentence(error: Exception) -> str:
    """Return an error in a sentence, for a place that has no cell to show it in."""
    return explain(error) or f"{type(error).__name__}: {error}"
