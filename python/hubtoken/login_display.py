"""Shows a login that waits for its approval in a browser.

A notebook gets one display with the link and the code, which says how it ends; it is made of HTML
and of plain text, so it needs no widgets. Elsewhere the lines are printed, and a terminal gets a
dot for each answer that says nothing yet.
"""
# ruff: noqa: T201 - what is printed is for the user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def is_notebook() -> bool:
    """Say whether this code runs in the kernel of a notebook.

    Returns:
        False in a terminal, also in IPython's own.

    Example:
        >>> from hubtoken import login_display
        >>> login_display.is_notebook()
        False
    """
    import sys

    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_ipython() if callable(get_ipython) else None
    return getattr(shell, "kernel", None) is not None


def show(
    address: str, code: str, lines: "list[str]", picture: "Callable[[int], str | None]"
) -> "_NotebookDisplay | _PrintedDisplay":
    """Show a login.

    Args:
        address: The address to open.
        code: The code that the user types there.
        lines: The same in words, for where there is no notebook.
        picture: Draws the address as text for a terminal that has so many columns; None if it does
            not fit.

    Returns:
        What is shown, which says later how the login goes on.
    """
    if is_notebook():
        return _NotebookDisplay(address, code, lines[2:])
    return _PrintedDisplay(lines, picture)


class _NotebookDisplay:
    """One display, which changes in place."""

    def __init__(self, address: str, code: str, cautions: "list[str]") -> None:
        from IPython.display import display

        self._address, self._code, self._cautions = address, code, cautions
        bundle = self._bundle("Waiting for the approval.")
        self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def waiting(self, seconds: int) -> None:
        minutes = max(1, round(seconds / 60))
        unit = "minute" if minutes == 1 else "minutes"
        self._update(f"Waiting for the approval, {minutes} {unit} more.")

    def ended(self, outcome: str) -> None:
        self._update(outcome)

    def _update(self, state: str) -> None:
        if self._handle is not None:
            self._handle.update(self._bundle(state), raw=True)

    def _bundle(self, state: str) -> "dict[str, str]":
        from html import escape

        cautions = "".join(f"<p><b>{escape(line)}</b></p>" for line in self._cautions)
        html = (
            f'<div><p>To log in, open <a href="{escape(self._address)}" target="_blank" '
            f'rel="noopener noreferrer">{escape(self._address)}</a> and enter the code</p>'
            '<p style="font-family: monospace; font-size: 1.6em; letter-spacing: 0.2em">'
            f"<b>{escape(self._code)}</b></p>{cautions}<p><i>{escape(state)}</i></p></div>"
        )
        words = [f"To log in, open {self._address}", f"and enter the code {self._code}"]
        return {"text/html": html, "text/plain": "\n".join([*words, *self._cautions, state])}


class _PrintedDisplay:
    """Lines where a program's own `print` writes."""

    def __init__(self, lines: "list[str]", picture: "Callable[[int], str | None]") -> None:
        import sys

        self._is_terminal = sys.stdout is not None and sys.stdout.isatty()
        for line in lines:
            print(line)
        if self._is_terminal:
            from shutil import get_terminal_size

            drawn = picture(get_terminal_size().columns)
            if drawn is not None:
                print(drawn, end="")
        print("Waiting for the approval in the browser.", flush=True)

    def waiting(self, seconds: int) -> None:  # noqa: ARG002 - a line of text cannot count down
        if self._is_terminal:
            print(".", end="", flush=True)

    def ended(self, outcome: str) -> None:  # noqa: ARG002 - what follows says it
        if self._is_terminal:
            print(flush=True)
