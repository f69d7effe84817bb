"""The host's page: who is where, who is stuck, what waits for a decision."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from helpers.markup import escaped
from helpers.workshop.decisions import Waiting
from helpers.workshop.seats import Seat
from helpers.workshop.standing import Lesson, Standing

STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #f6f8fa; --text: #1f2328;
  --dim: #59636e; --good: #1a7f37; --bad: #b3261e; --wait: #9a6700; --back: #fff; --link: #0969da }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --soft: #151b23; --text: #f0f6fc;
  --dim: #9198a1; --good: #3fb950; --bad: #ff7b72; --wait: #d29922; --back: #0d1117;
  --link: #4493f8 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 76rem; margin: 0 auto; padding: 1.5rem }
header { display: flex; flex-wrap: wrap; gap: .5rem 2rem; align-items: baseline;
  justify-content: space-between }
h1 { font-size: 1.5rem; margin: 0 }
p { margin: .25rem 0 }
.dim { color: var(--dim) }
.note { border-left: 4px solid var(--link); background: var(--soft); padding: .5rem 1rem;
  margin: 1rem 0; overflow-wrap: anywhere }
.counts { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.25rem 0 }
.counts div { border: 1px solid var(--line); border-radius: 8px; padding: .5rem 1rem;
  min-width: 8rem; background: var(--soft) }
.counts b { display: block; font-size: 1.5rem; line-height: 1.2 }
article { border: 1px solid var(--line); border-radius: 8px; padding: .75rem 1rem; margin: .75rem 0;
  display: grid; grid-template-columns: 16rem 1fr auto; gap: .25rem 1.5rem }
article.stuck { border-left: 4px solid var(--bad) }
article.waits { border-left: 4px solid var(--wait) }
article h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere }
ol.way { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 0; padding: 0 }
ol.way li { white-space: nowrap; font-variant-numeric: tabular-nums }
ol.way .done { color: var(--good) } ol.way .open { color: var(--dim) }
.words { overflow-wrap: anywhere; margin-top: .375rem }
.bad { color: var(--bad) } .wait { color: var(--wait) }
.acts { display: flex; gap: .375rem; align-items: start }
button { font: inherit; color: inherit; background: var(--soft); border: 1px solid var(--line);
  border-radius: 6px; padding: .2rem .75rem; cursor: pointer; white-space: nowrap }
button:hover, button:focus-visible { border-color: var(--link); color: var(--link) }
button.grave:hover, button.grave:focus-visible { border-color: var(--bad); color: var(--bad) }
@media (max-width: 56rem) { article { grid-template-columns: 1fr } }
"""

# Asks before what cannot be undone, and draws the room anew every three seconds.
SCRIPT = """
document.addEventListener("submit", event => {
  const question = event.target.dataset.ask;
  if (question && !confirm(question)) {
    event.preventDefault();
    event.submitter.blur();  // what has the focus is not drawn anew
  } else for (const button of document.querySelectorAll("button")) button.disabled = true;
});
const room = document.getElementById("room");
// The hub takes what a script asks for only with the page's token. Without, it would log the host
// in anew each time, and the buttons' tokens would no longer hold: so no redirect is followed.
const guard = document.querySelector("input[name=_xsrf]")?.value ?? "";
const asked = {headers: {Accept: "text/html", "X-XSRFToken": guard}, redirect: "manual"};
if (guard) setInterval(async () => {  // after the day there is none
  if (document.hidden || room.contains(document.activeElement)) return;
  try {
    const answer = await fetch("room", asked);
    if (answer.ok) room.innerHTML = await answer.text();
    document.getElementById("late").hidden = answer.ok;
  } catch { document.getElementById("late").hidden = false; }
}, 3000);
"""


@dataclass(frozen=True)
class Learner:
    """What the host sees of a learner; ``here`` is whether the learner's server runs."""

    seat: Seat
    here: bool
    standing: Standing
    waiting: Sequence[Waiting]


def whole(room: str, note: str, kept: str, form: str, nonce: str) -> str:
    """Return the page; ``room`` and ``form``, the field that guards a form, are HTML.

    Both are "" when the day is over: then there is no button, and nothing is drawn anew.
    """
    told = f'<p class="note" role="status">{escaped(note)}</p>' if note else ""
    question = "End the day? Everything stops, and each learner's work is put into a zip file."
    end = _button("End the day", "end", form, ask=question, grave=True) if form else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>The workshop</title><style>{STYLE}</style></head><body>"
        f"<header><h1>The workshop</h1><div>{end}</div></header>"
        f'<p class="dim">Work that is put away goes to {escaped(kept)}</p>{told}'
        '<p class="note bad" id="late" hidden>The workshop does not answer: is it running?</p>'
        f'<main id="room">{room}</main><script nonce="{nonce}">{SCRIPT}</script></body></html>'
    )


def room(learners: Sequence[Learner], lessons: Sequence[Lesson], seats: int, form: str) -> str:
    """Return the part that is drawn anew: counts, and a row for each learner."""
    stuck = sum(learner.standing.stuck is not None for learner in learners)
    waits = sum(len(learner.waiting) for learner in learners)
    counts = (
        (f"{len(learners)} of {seats}", "seats taken"),
        (str(sum(learner.here for learner in learners)), "at work"),
        (str(stuck), "stuck"),
        (str(waits), "decisions wait"),
    )
    cards = "".join(f"<div><b>{number}</b>{words}</div>" for number, words in counts)
    rows = "".join(_row(learner, lessons, form) for learner in learners)
    empty = '<p class="dim">Nobody is here yet.</p>'
    return f'<div class="counts">{cards}</div>{rows or empty}'


def _row(learner: Learner, lessons: Sequence[Lesson], form: str) -> str:
    seat, stuck = learner.seat, learner.standing.stuck
    kind = "stuck" if stuck else "waits" if learner.waiting else ""
    place = f"seat {seat.number} · account {seat.account}"
    steps = "".join(_step(lesson, learner.standing) for lesson in lessons)
    return (
        f'<article class="{kind}" id="{escaped(seat.name)}"><div><h2>{escaped(seat.name)}</h2>'
        f'<p class="dim">{place}<br>{_presence(learner)}</p></div>'
        f'<div><ol class="way">{steps}</ol>{_words(learner)}</div>'
        f'<div class="acts">{_acts(seat, form)}</div></article>'
    )


def _presence(learner: Learner) -> str:
    newest = learner.standing.newest
    ran = f"last cell {_ago(newest.time)}" if newest else "no cell yet"
    return f"{'at work' if learner.here else 'not at work'}, {ran}"


def _step(lesson: Lesson, standing: Standing) -> str:
    """Show a notebook as its checkpoints: ● is reached, ○ is not."""
    ran = standing.reached.get(lesson.name, frozenset())
    signs = "".join("●" if cell in ran else "○" for cell in lesson.checkpoints)
    done = sum(cell in ran for cell in lesson.checkpoints)
    if not lesson.checkpoints:
        signs = "●" if ran else "○"
    complete = "●" in signs and "○" not in signs
    words = f"{lesson.title}: {done} of {len(lesson.checkpoints)} checkpoints"
    return (
        f'<li class="{"done" if complete else "open"}" title="{escaped(words)}">'
        f'{escaped(lesson.name[:2])} <span aria-label="{escaped(words)}">{signs}</span></li>'
    )


def _words(learner: Learner) -> str:
    parts = []
    if stuck := learner.standing.stuck:
        where = stuck.notebook.rsplit("/", 1)[-1].removesuffix(".ipynb")
        parts.append(
            f'<div class="words"><span class="bad">Stuck</span> in {escaped(where)}, '
            f"{_ago(stuck.time)}: {escaped(stuck.sentence)}</div>"
        )
    if learner.waiting:
        oldest = min(waiting.since for waiting in learner.waiting)
        count = len(learner.waiting)
        noun = "decision waits" if count == 1 else "decisions wait"
        names = ", ".join(escaped(waiting.execution) for waiting in learner.waiting[:3])
        parts.append(
            f'<div class="words"><span class="wait">{count} {noun}</span> '
            f"{_ago(oldest.astimezone(UTC).timestamp())}: {names}</div>"
        )
    return "".join(parts)


def _acts(seat: Seat, form: str) -> str:
    name = seat.name
    again = _button(
        "Let in again",
        "let-in",
        form,
        name=name,
        ask=f"Let the next browser log in as {name}? The one before is logged out.",
    )
    reset = _button(
        "Reset",
        "reset",
        form,
        name=name,
        ask=f"Reset {name}? The work is kept as a zip file; notebooks and account start over.",
        grave=True,
    )
    free = _button(
        "Free the seat",
        "free",
        form,
        name=name,
        ask=f"Free {name}'s seat? The work is kept as a zip file; seat and name are the next "
        "one's who comes, with an empty account.",
        grave=True,
    )
    return again + reset + free


def _button(
    words: str, act: str, form: str, *, ask: str, name: str = "", grave: bool = False
) -> str:
    kind = ' class="grave"' if grave else ""
    return (
        f'<form method="post" action="do" data-ask="{escaped(ask)}">{form}'
        f'<input type="hidden" name="act" value="{act}">'
        f'<input type="hidden" name="name" value="{escaped(name)}">'
        f"<button{kind}>{escaped(words)}</button></form>"
    )


def _ago(moment: float) -> str:
    seconds = max(0, int(time.time() - moment))
    if seconds < 60:
        return f"{seconds} s ago"
    if seconds < 3600:
        return f"{seconds // 60} min ago"
    return datetime.fromtimestamp(moment, UTC).strftime("at %H:%M UTC")
