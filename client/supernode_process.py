"""The child process that is Flower's SuperNode. Ends with its parent; imports nothing of the model."""

import logging
import os
import signal
import sys
import threading
import time

from flwr.supernode.cli import flower_supernode


def main(parent: int) -> None:
    logging.getLogger("flwr").setLevel(logging.WARNING)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    flower_supernode()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(int(sys.argv.pop(1)))
