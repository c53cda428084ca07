"""Errors in one voice: what was wrong, what arrived, what to do.

Every message a user can cause is built here, so that all of them read alike:
"X must be ...; got ... . Use ... ." The exceptions form one small tree:

    IsthmusError
    +-- DataError (also ValueError)      the data or an argument is not usable
    +-- FileError (also ValueError)      a file is missing, damaged, hostile or of another version
    +-- TrainingError (also ValueError)  training could not go on

>>> must("n_components", "be at least 1", 0, "Use n_components=2")
DataError('n_components must be at least 1; got 0. Use n_components=2.')
"""

from __future__ import annotations

from os import PathLike

__all__ = ["DataError", "FileError", "IsthmusError", "TrainingError", "brief", "must", "need"]


class IsthmusError(Exception):
    """Base of every error isthmus raises on purpose."""


class DataError(IsthmusError, ValueError):
    """The data, or an argument, cannot be used as it is."""


class FileError(IsthmusError, ValueError):
    """A file is missing, damaged, of another version, or not to be trusted."""


class TrainingError(IsthmusError, ValueError):
    """Training could not go on; the message names the column, the row and the value."""


def brief(value: object, limit: int = 80) -> str:
    """A value as it may stand in a sentence: on one line, cut to `limit` characters; a path as its text."""
    words = str(value) if isinstance(value, (str, PathLike)) else repr(value)
    text = " ".join(words.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def must(what: str, rule: str, got: object, do: str, kind: type[IsthmusError] = DataError) -> IsthmusError:
    """The error "<what> must <rule>; got <got>. <do>." as an exception of type `kind`, not yet raised."""
    return kind(f"{what} must {rule}; got {brief(got) or 'nothing'}. {do.rstrip('.')}.")


def need(ok: bool, what: str, rule: str, got: object, do: str) -> None:
    """Raise `must(...)` unless `ok`."""
    if not ok:
        raise must(what, rule, got, do)
