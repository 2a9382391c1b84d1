"""A D-Bus session of its own with the real gnome-keyring, which reaches no keyring of the user."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.environment import HANG_LIMIT, child_environment

if TYPE_CHECKING:
    from typing_extensions import Self

PROGRAMS = ("dbus-daemon", "dbus-send", "gnome-keyring-daemon")
SERVICE = "org.freedesktop.secrets"
# Without the system's services: the bus would start a keyring whenever there is none.
CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def missing_programs() -> list[str]:
    """Those of Debian's packages `dbus-daemon` and `gnome-keyring` that are not here."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


class KeyringSession:
    """A session bus, and its keyring.

    >>> with KeyringSession(home) as session:
    ...     session.start()
    ...     runner.run("hubtoken", "login", variables=session.variables)
    """

    def __init__(self, home: Path) -> None:
        """Nothing runs yet. The path of a socket must be short."""
        self.folder = Path(tempfile.mkdtemp(prefix="hubtoken-keyring-"))
        self.address = f"unix:path={self.folder}/bus"
        self.variables = {"DBUS_SESSION_BUS_ADDRESS": self.address}
        self.environment = child_environment(
            home, XDG_RUNTIME_DIR=str(self.folder), **self.variables
        )
        self.keyring: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the bus."""
        configuration = self.folder / "bus.conf"
        configuration.write_text(CONFIGURATION.format(address=self.address))
        self.bus = subprocess.Popen(
            ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile"],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.wait((self.folder / "bus").exists)
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self.stop()
        self.bus.kill()
        self.bus.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait(self, is_there: object) -> None:
        """Wait for a condition."""
        assert callable(is_there)
        end = time.monotonic() + HANG_LIMIT
        while not is_there():
            for process in (self.bus, self.keyring):
                assert process is None or process.poll() is None, process
            assert time.monotonic() < end
            time.sleep(0.02)

    def has_service(self) -> bool:
        """Whether somebody provides the keyring."""
        done = subprocess.run(
            [
                *("dbus-send", f"--bus={self.address}", "--print-reply"),
                *("--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"),
                *("org.freedesktop.DBus.NameHasOwner", f"string:{SERVICE}"),
            ],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return "boolean true" in done.stdout

    def send(self, path: str, member: str, *arguments: str) -> str:
        """Send the keyring a message; what it answers."""
        done = subprocess.run(
            [
                *("dbus-send", f"--bus={self.address}", "--print-reply"),
                *(f"--dest={SERVICE}", path, member, *arguments),
            ],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def labels(self) -> list[str]:
        """What the desktop's program for passwords shows of each item that is not locked."""
        search = "org.freedesktop.Secret.Service.SearchItems"
        found = self.send("/org/freedesktop/secrets", search, "dict:string:string:service,hubtoken")
        item = "string:org.freedesktop.Secret.Item"
        labels = [
            self.send(path, "org.freedesktop.DBus.Properties.Get", item, "string:Label")
            for path in re.findall(r'object path "([^"]+)"', found)
        ]
        return sorted(label.split('"')[1] for label in labels)

    def start(self, *, unlocked: bool = True) -> None:
        """Start the keyring. Without a password, what was stored before is locked."""
        self.keyring = subprocess.Popen(
            [
                *("gnome-keyring-daemon", "--foreground", "--components=secrets"),
                *(["--unlock"] if unlocked else []),
                f"--control-directory={self.folder}/control",
            ],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert self.keyring.stdin is not None
        self.keyring.stdin.write(b"a password of the tests\n" if unlocked else b"")
        self.keyring.stdin.close()
        self.wait(self.has_service)

    def stop(self) -> None:
        """End the keyring."""
        if self.keyring is not None:
            self.keyring.kill()
            self.keyring.wait()
            self.keyring = None
            self.wait(lambda: not self.has_service())

    def hold(self) -> None:
        """Make it hang."""
        assert self.keyring is not None
        os.kill(self.keyring.pid, signal.SIGSTOP)
