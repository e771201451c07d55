"""The marking room: a server on this machine in which people mark what a class handed in.

    serve(out, …)     serves the room of a class that was graded (`server`)

Of the other modules, `access` says who may talk to the server, `work` what there is to mark, `handing` who marks which
answer, `marking` what a new mark leads to, `agreement` how well two marks of an answer agree, `naming` what stands in
place of names (`identities` finds them in texts), `app` what the pages show, `amending` what is changed for all
students at once, `asking` what students ask, and `documents` how files that were handed in become pictures and text.

Beside the answers, `aids` says what else the marking page shows: `comparing` compares the answers of a class
(`written`, `similarity`, `passages`), `programs` shows code, and `corrections` remembers where answers begin.
"""

from gengrade.room.handing import MarkerNameError, Plan, marker_name
from gengrade.room.server import Listening, listening_to, serve

__all__ = ["Listening", "MarkerNameError", "Plan", "listening_to", "marker_name", "serve"]
