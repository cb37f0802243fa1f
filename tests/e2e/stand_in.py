"""What a shell script starts in place of ``mac-actors``: orders it from the process that forks, and is it to the shell.

``python -IS stand_in.py DESCRIPTOR ARGUMENT...``: as quick as an interpreter that loads next to nothing.
"""

import json
import os
import signal
import socket
import sys


def main(descriptor: int, arguments: list[str]) -> int:
    """Order it, hand on the signals that it would have got, and return its exit status as a shell has it."""
    umask = os.umask(0)
    os.umask(umask)
    order = {"arguments": arguments, "cwd": os.getcwd(), "env": dict(os.environ), "umask": umask}  # noqa: PTH109
    order |= {"code": None, "without": [], "constants": {}, "preload": None}
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket(fileno=os.dup(descriptor)) as orders:
        socket.send_fds(orders, [json.dumps(order).encode()], [theirs.fileno(), 1, 2, 0])
        theirs.close()
        with ours.makefile() as answers:
            pid = int(answers.readline())
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, lambda number, _: os.kill(pid, number))
            status = int(answers.readline())
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
