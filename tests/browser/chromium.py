"""Debian's Chromium for the browser tests: where it is, and having it where it can be had.

Playwright's own download of a browser is not used: it comes from no package registry.
"""

from __future__ import annotations

import os
import shutil
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PACKAGES = ("chromium", "fonts-dejavu-core", "fonts-noto-core")
INSTALL_TIMEOUT_S = 600
# No sandbox: CI runs as root. Nothing here may ask a host of its maker's.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class ChromiumUnavailableError(Exception):
    """Chromium is missing and cannot be installed here; the message is one line."""


def find_chromium() -> str | None:
    """The path of an installed Chromium."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install_chromium() -> str:
    """The path of Chromium, installed from Debian's packages where that needs no question.

    Raises:
        ChromiumUnavailableError: there is no apt-get, no right to use it, or no package.
    """
    found = find_chromium()
    if found:
        return found
    if shutil.which("apt-get") is None:
        raise ChromiumUnavailableError("this system has no apt-get")
    for command in (["update", "-qq"], ["install", "-y", "-qq", *PACKAGES]):
        _apt(command)
    found = find_chromium()
    if not found:
        raise ChromiumUnavailableError("apt-get installed no Chromium")
    return found


def _apt(command: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            [*_as_root(), "apt-get", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ChromiumUnavailableError(f"apt-get {command[0]} took too long") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ChromiumUnavailableError(f"apt-get {command[0]}: {said[-1] if said else 'failed'}")


def _as_root() -> list[str]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
        if asked.returncode == 0:
            return ["sudo", "-n"]
    raise ChromiumUnavailableError("installing it needs root")
