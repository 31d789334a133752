"""What a worker has sent so far; reading it never waits for the rest."""

from __future__ import annotations

import os
import struct
from multiprocessing.connection import Connection

_LENGTH = struct.Struct("!i")  # how multiprocessing's `send_bytes` begins a message of up to 2 GB
_PIECE = 2**20  # bytes read at once; a socket holds some 200 kB


class Inbox:
    """Puts a worker's messages together from the pieces that arrive.

    `Connection.recv_bytes` waits until a message is whole: a worker that stops in the middle of one would hold up its
    supervisor, and with it every other worker, for ever.

    Parameters
    ----------
    connection : Connection
        The supervisor's end.
    largest : int
        Bytes of the longest message that is taken.
    """

    def __init__(self, connection: Connection, largest: int) -> None:
        self._connection = connection
        self._largest = largest
        self._held = bytearray()

    def take(self) -> bytes | None:
        """Return a message if it is whole by now, None if some of it or all is still to come.

        Raises
        ------
        EOFError, OSError
            If the worker has hung up.
        ValueError
            If it announces a message that is too long, or has sent more than one: it is to speak when it is asked.
        """
        while self._connection.poll():
            piece = os.read(self._connection.fileno(), _PIECE)
            if not piece:
                raise EOFError
            self._held += piece
            if len(self._held) < _LENGTH.size:
                continue
            (length,) = _LENGTH.unpack_from(self._held)
            if not 0 <= length <= self._largest:
                raise ValueError(f"message: expected at most {self._largest} bytes, got a length of {length}")
            missing = _LENGTH.size + length - len(self._held)
            if missing < 0:
                raise ValueError(f"message: {-missing} bytes follow its end")
            if missing == 0:
                message, self._held = bytes(memoryview(self._held)[_LENGTH.size :]), bytearray()
                return message
        return None
