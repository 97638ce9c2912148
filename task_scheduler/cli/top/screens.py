"""What lies over the live view for a moment: a question, the keys, a task.

Responsible for: asking, and showing text that may be longer than the screen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from task_scheduler.i18n import translate

__all__ = ["AskScreen", "TextScreen"]


class AskScreen(ModalScreen[bool]):
    """A question that is answered with yes or no."""

    BINDINGS: ClassVar = [
        Binding("y,Y", "answer(True)", show=False),
        Binding("n,N,escape,q", "answer(False)", show=False),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """Make the box."""
        text = f"{self._question}\n\n{translate('top.yes_or_no')}"
        yield Static(text, id="question", markup=False)

    def action_answer(self, is_yes: bool) -> None:
        """Give the answer."""
        self.dismiss(is_yes)


class TextScreen(ModalScreen[None]):
    """Lines of text, made to the width that there is."""

    BINDINGS: ClassVar = [Binding("escape,q,enter,question_mark", "leave", show=False)]

    def __init__(self, lines_for: Callable[[int], list[str]]) -> None:
        super().__init__()
        self._lines_for = lines_for

    def compose(self) -> ComposeResult:
        """Make the box."""
        width = max(20, self.app.size.width - 8)
        text = "\n".join(self._lines_for(width))
        with VerticalScroll(id="page"):
            yield Static(text, markup=False)

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(None)
