"""Runs of our own code, seen from the host: processes beside the zygote carry them out, each one run after another.

Its answers are read as those of students' runs are, although nothing hostile is expected from it.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Final

from gengrade.facts import Outcome
from gengrade.sandbox import wire
from gengrade.sandbox.answers import read_answer
from gengrade.sandbox.closure import closure_of
from gengrade.sandbox.endings import late
from gengrade.sandbox.run import InfraError, Request, Run
from gengrade.sandbox.zygote_process import ZygoteProcess

_FAR: Final = 20.0  # times its processor time may pass before a run is given up
_MORE_SECONDS: Final = 120.0  # for loading and sending, on a busy machine


def carry_out_ours(zygote: ZygoteProcess, request: Request) -> Run:
    """Run a probe on our own code. Raises InfraError, or OSError if the process is lost."""
    settings = json.dumps(zygote.settings_of(request).to_json()).encode()
    code = closure_of(zygote.course, request.probe).code
    asked = (wire.SETTINGS, settings), (wire.CODE, code), (wire.REQUEST, wire.encode(dict(request.inputs)))
    began = time.monotonic()
    try:
        with zygote.ours(request.device) as channel:
            channel.settimeout(_FAR * request.limits.seconds + _MORE_SECONDS)
            for tag, payload in asked:
                channel.sendall(wire.frame(tag, payload))
            tag, length = wire.FRAME_HEADER.unpack(_exactly(channel, wire.FRAME_HEADER.size))
            answer = _exactly(channel, length)
    except TimeoutError:
        raise InfraError(f"a run of our own code at {request.probe} did not end") from None
    seconds = time.monotonic() - began
    if tag == wire.LATE:
        return Run(Outcome.TIMEOUT, late(request.limits), seconds=seconds)
    outcome, message, evidence, frames = read_answer(tag, answer)
    return Run(outcome, message, evidence, frames, seconds=seconds, received=length)


def _exactly(channel: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        data = channel.recv(length - len(received))
        if not data:
            raise InfraError("the process of our own code died")
        received += data
    return bytes(received)
