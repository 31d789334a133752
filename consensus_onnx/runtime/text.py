"""Text from strangers, such as error messages that quote a model file, made fit for a terminal, a table and a log."""

from __future__ import annotations


def printable(text: str, limit: int = 300) -> str:
    """Return a text in one line of at most `limit` characters that a terminal only shows, never obeys.

    Runs of white space become one blank; control characters, and those that turn the direction of writing, become
    question marks.
    """
    line = " ".join(text[: 10 * limit].split())
    shown = "".join(character if character.isprintable() else "?" for character in line)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def first_line(error: BaseException, limit: int = 300) -> str:
    """Return an error's text in one printable line of at most `limit` characters.

    Error texts quote names from the model file, so they are as untrusted as the file: a 5 MB operator name makes a
    10 MB message, with control characters.
    """
    return printable(str(error), limit)
