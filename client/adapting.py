"""Adapt some time after the last change, in a process of its own: PyTorch never enters the agent."""

import multiprocessing
import threading
from pathlib import Path

from penchant.client.sealing import Secret


class Adapting:
    """`due()` after each change; once it has been quiet for `seconds`, the adapter is trained on what there is then."""

    def __init__(self, home: Path, secret: Secret, *, seconds: float = 20.0) -> None:
        self._home, self._secret, self._seconds = home, secret, seconds
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._closed = False

    def due(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            if not self._closed:
                self._timer = threading.Timer(self._seconds, self._run)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Nothing starts any more. One that is on is waited for; it asks for consent before it keeps anything."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
        if (
            self._timer is not None
            and self._timer is not threading.current_thread()
            and self._timer.is_alive()
        ):
            self._timer.join()

    def _run(self) -> None:
        process = multiprocessing.get_context("spawn").Process(
            target=adapt_at, args=(self._home, self._secret), daemon=True
        )
        process.start()
        process.join()


def adapt_at(home: Path, secret: Secret) -> None:
    """Open the store, adapt, close it. An enrolment that is gone leaves nothing to do."""
    from penchant.client.device_store import DeviceStore
    from penchant.client.exporting import adapt
    from penchant.errors import BadInput

    try:
        with DeviceStore.open(home, secret) as store:
            adapt(store)
    except BadInput:
        return
