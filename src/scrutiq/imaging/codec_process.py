"""Decoding in a process of its own, for codecs that damaged data can bring down.

gdcm 3.2 ends the process (an exception that nobody can catch) on certain broken JPEG streams, and its C library writes
to standard error as it likes; pylibjpeg-openjpeg 2.6 does not return from certain broken JPEG 2000 streams. A batch
must survive all three, so such frames are decoded by a child that may die: the frame is refused, and the next one gets
a new child.
"""

from __future__ import annotations

import atexit
import os
import pickle
import struct
import subprocess
import sys
import threading
from typing import IO, Any

import numpy as np
import numpy.typing as npt

__all__ = ["CodecError", "decode_apart"]

_LENGTH = struct.Struct("<Q")


class CodecError(Exception):
    """The frame could not be decoded."""


def decode_apart(
    syntax: str, plugin: str, frame: bytes, options: dict[str, Any], seconds: float
) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """Decode one encapsulated frame in the child process.

    Parameters
    ----------
    syntax : str
        Transfer syntax UID.
    plugin : str
        Decoding plugin of pydicom.
    frame : bytes
        Encapsulated (PS3.5 A.4), of one frame.
    options : dict
        Options of pydicom's decoder.
    seconds : float
        Longest time to wait.

    Returns
    -------
    tuple of ndarray and dict
        The pixels and their properties, as ``pydicom.pixels.decoders.base.Decoder.as_array`` gives them.

    Raises
    ------
    CodecError
        If the codec refuses the frame, dies of it or takes too long.
    """
    return _child().decode((syntax, plugin, frame, options), seconds)


class _Child:
    """The child process and the pipe to it; one request at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def decode(self, request: tuple[Any, ...], seconds: float) -> tuple[npt.NDArray[Any], dict[str, Any]]:
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            expired = threading.Event()

            def expire() -> None:
                expired.set()
                process.kill()

            timer = threading.Timer(seconds, expire)
            timer.daemon = True
            timer.start()
            try:
                _send(process.stdin, request)
                answer = _receive(process.stdout)
            except (OSError, EOFError):
                self.stop()
                raise CodecError from None
            finally:
                timer.cancel()
                timer.join()  # so that a late one does not kill the next frame's decoding
            if expired.is_set():
                self.stop()
        if answer is None:
            raise CodecError
        shape, dtype, content, properties = answer
        return np.frombuffer(bytearray(content), dtype=dtype).reshape(shape), properties

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            # The parent's own search path: the child decodes with the same libraries, whatever the working folder.
            code = f"import sys; sys.path[:] = {sys.path!r}; from scrutiq.imaging.codec_process import serve; serve()"
            self._process = subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self._process

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                try:
                    if stream is not None:
                        stream.close()
                except OSError:
                    pass
            self._process = None


_CHILDREN: dict[int, _Child] = {}
_CHILDREN_LOCK = threading.Lock()


def _child() -> _Child:
    # A forked worker starts its own: two processes on one pipe would read each other's answers.
    with _CHILDREN_LOCK:
        child = _CHILDREN.get(os.getpid())
        if child is None:
            child = _CHILDREN[os.getpid()] = _Child()
            atexit.register(child.stop)
        return child


def serve() -> None:
    """Answer requests on standard input until it closes (the child's side)."""
    import logging
    import warnings

    from pydicom.pixels import get_decoder  # type: ignore[attr-defined]

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)  # what a codec prints must not mix with the answers
    while True:
        try:
            syntax, plugin, frame, options = _receive(requests)
        except EOFError:
            return
        answer: Any = None
        try:
            pixels, properties = get_decoder(syntax).as_array(frame, index=0, decoding_plugin=plugin, **options)
            answer = (pixels.shape, pixels.dtype.str, pixels.tobytes(), properties)
        except Exception:
            answer = None
        _send(answers, answer)


def _send(stream: IO[bytes], message: Any) -> None:
    content = pickle.dumps(message, protocol=5)
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return pickle.loads(content)
