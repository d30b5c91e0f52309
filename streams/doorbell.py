"""Sleep that a signal ends at once: the supervisor's, whose work nearly all begins with one."""

from __future__ import annotations

import os
import select
import signal
from types import TracebackType
from typing import Self


class Doorbell:
    """Rings at every signal that has a handler. From the main thread; a context manager."""

    def __enter__(self) -> Self:
        """Hear signals from now on."""
        self._heard, self._rung = os.pipe()
        os.set_blocking(self._heard, False)
        os.set_blocking(self._rung, False)
        self._before = signal.set_wakeup_fd(self._rung, warn_on_full_buffer=False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hear none any more."""
        signal.set_wakeup_fd(self._before)
        os.close(self._heard)
        os.close(self._rung)

    def wait(self, seconds: float) -> bool:
        """Wait for so long, or until a signal; whether one came, since the last wait too."""
        ready, _, _ = select.select([self._heard], [], [], max(0.0, seconds))
        return bool(ready and os.read(self._heard, 4_096))
