"""Where files are read and written: other users' folders, devices, and unreadable files."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import hubtoken
from hubtoken.hub import Hub
from tests.environment import child_environment, fake_token
from tests.python.helpers import DEADLINE, PROGRAMS, ROOT, ambient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="owners and modes are Unix's")
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root gives files away")

OTHER = 12345
STRANGER = 23456


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """Alice, with write access."""
    with Hub() as hub:
        hub.create_user("alice")
        yield hub


@pytest.fixture(scope="module")
def token(hub: Hub) -> str:
    """Alice's token."""
    return hub.create_token("alice", name="w", role="write").reveal()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="hubtoken-place-") as name:
        path = Path(name).resolve()
        path.chmod(0o755)
        yield path
        # So that all of it can be removed again.
        for folder in [path / "locked", path / "locked" / "work"]:
            if folder.is_dir():
                folder.chmod(0o700)


def elsewhere(
    home: Path,
    folder: Path,
    code: str,
    *,
    user: int | None = None,
    lock: bool = False,
    delete: bool = False,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run code in a working directory, with `hubtoken` and `command` available."""
    request = {"folder": str(folder), "user": user, "lock": lock, "delete": delete, "code": code}
    return subprocess.run(
        [sys.executable, str(PROGRAMS / "elsewhere.py")],
        env=child_environment(home, PYTHONPATH=str(ROOT), **variables),
        cwd=home,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )


# Everything that looks for a project, from the command line and from Python.
LOOKING = """
command("require", "write")
command("require", "write", "--repo", "alice/new")
command("whoami")
command("token")
command("status")
command("explain")
command("git-credential", "get")
print("python", hubtoken.require_role("write", max_age=0))
print("resolved", hubtoken.resolve_token(endpoint=hubtoken.resolve_token().endpoint).source)
print(hubtoken.explain())
try:
    hubtoken.require_role()
except ValueError as error:
    print("no role:", error)
command("run", "--", "true")
"""


def test_a_folder_that_may_not_be_searched_is_no_obstacle(
    home: Path, place: Path, hub: Hub, token: str
) -> None:
    folder = place / "locked" / "work"
    folder.mkdir(parents=True)
    (place / "locked").chmod(0o755)
    done = elsewhere(
        home,
        folder,
        LOOKING,
        user=OTHER,
        lock=True,
        HF_TOKEN=token,
        HF_ENDPOINT=hub.endpoint,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "code 1" not in done.stdout, done.stdout + done.stderr
    assert "code 2" not in done.stdout, done.stdout + done.stderr
    # It ends in `run`, which replaces the process with the command.
    assert done.stdout.count("code 0") == LOOKING.count("command(") - 1
    assert "no role: name a role" in done.stdout
    # Not reported to the user who works there, but it is in the trace.
    assert "passed over" not in done.stderr
    assert f"cannot be looked for: {folder}/hubtoken.toml: permission denied\n" in done.stdout


def test_a_folder_above_that_may_not_be_searched_is_no_obstacle(
    home: Path, place: Path, hub: Hub, token: str
) -> None:
    (place / "locked" / "a" / "b").mkdir(parents=True)
    # There is a project in a parent folder, and it applies.
    (place / "hubtoken.toml").write_text('role = "write"\n')
    code = 'command("require")\nprint(hubtoken.explain())'
    if IS_ROOT:
        (place / "locked").chmod(0o700)
    else:
        code = f"os.chmod({str(place / 'locked')!r}, 0)\n{code}"
    done = elsewhere(
        home,
        place / "locked" / "a" / "b",
        code,
        user=OTHER,
        HF_TOKEN=token,
        HF_ENDPOINT=hub.endpoint,
    )
    assert done.returncode == 0, done.stderr
    assert "code 0" in done.stdout, done.stdout + done.stderr
    assert "nor can folders above it" in done.stdout


def test_a_folder_that_is_gone_has_no_project(
    home: Path, place: Path, hub: Hub, token: str
) -> None:
    folder = place / "gone"
    folder.mkdir()
    code = LOOKING.replace('command("run", "--", "true")', "")
    code += '\ncommand("use", "ci")\ncommand("use", "--undo")\n'
    done = elsewhere(home, folder, code, delete=True, HF_TOKEN=token, HF_ENDPOINT=hub.endpoint)
    assert done.returncode == 0, done.stdout + done.stderr
    # Only `use` has no folder to write to.
    assert done.stdout.count("code 2") == 2, done.stdout + done.stderr
    assert "the working directory is gone" in done.stderr


def test_a_file_that_may_not_be_read_is_passed_over_with_a_warning(
    home: Path, place: Path, hub: Hub, token: str
) -> None:
    file = place / "hubtoken.toml"
    file.write_text('role = "write"\n')
    file.chmod(0o600 if IS_ROOT else 0)
    done = elsewhere(
        home,
        place,
        'command("require", "write")\ncommand("require")\ncommand("explain")',
        user=OTHER,
        HF_TOKEN=token,
        HF_ENDPOINT=hub.endpoint,
    )
    assert done.stdout.count("code 0") == 2, done.stdout + done.stderr
    assert done.stdout.count("code 2") == 1, done.stdout + done.stderr
    assert f"config:{file} was passed over" in done.stderr
    assert "permission denied" in done.stderr


def test_a_home_that_may_not_be_searched_has_no_configuration(
    home: Path, place: Path, hub: Hub, token: str
) -> None:
    (home / "config" / "hubtoken").mkdir(parents=True)
    (home / "config" / "hubtoken" / "config.toml").write_text('role = "write"\n')
    code = 'command("require", "write")\nprint(hubtoken.explain())'
    if not IS_ROOT:
        (home / "config").chmod(0)
    done = elsewhere(home, place, code, user=OTHER, HF_TOKEN=token, HF_ENDPOINT=hub.endpoint)
    (home / "config").chmod(0o700)
    assert "code 0" in done.stdout, done.stdout + done.stderr
    assert "config.toml: permission denied" in done.stdout


# -- whose file it is -------------------------------------------------------------------------


@pytest.fixture
def shared(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like `/tmp`; this process works one level below."""
    shared = place / "shared"
    (shared / "work").mkdir(parents=True)
    shared.chmod(0o1777)
    monkeypatch.chdir(shared / "work")
    hubtoken.clear_cache()
    return shared


def store(name: str) -> str:
    """Store a token, without a Hub that knows it."""
    value = fake_token()
    path = Path(os.environ["HF_HOME"]) / "stored_tokens"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(f"[{name}]\nhf_token = {value}\n\n")
    return value


def test_a_file_in_a_folder_of_all_does_not_choose_the_token(
    shared: Path, clean_environment: pytest.MonkeyPatch
) -> None:
    admin, own = store("admin"), store("own")
    (Path(os.environ["HF_HOME"]) / "token").write_text(own)
    (shared / "hubtoken.toml").write_text('profile = "admin"\n')
    hubtoken.clear_cache()
    with pytest.warns(hubtoken.HubTokenWarning, match="any user can write to its folder"):
        assert ambient().reveal() == own
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hubtoken.clear_cache()
        # Once is enough.
        assert ambient().reveal() == own
    steps = {step.source: step for step in hubtoken.explain().steps}
    step = steps[f"config:{shared / 'hubtoken.toml'}"]
    assert step.answer == "refused"
    assert "HUBTOKEN_SAFE_DIRECTORIES" in step.detail
    clean_environment.setenv(
        "HUBTOKEN_SAFE_DIRECTORIES", os.pathsep.join(["/elsewhere", str(shared)])
    )
    assert ambient().reveal() == admin


def test_exceptions_stand_in_the_users_own_configuration(shared: Path) -> None:
    admin = store("admin")
    (shared / "hubtoken.toml").write_text('profile = "admin"\n')
    own = Path(os.environ["XDG_CONFIG_HOME"]) / "hubtoken" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text(f"safe_directories = [{str(shared)!r}]\n")
    hubtoken.clear_cache()
    assert ambient().reveal() == admin


def test_a_project_cannot_vouch_for_itself(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    (place / "hubtoken.toml").write_text(f"safe_directories = [{str(place)!r}]\n")
    hubtoken.clear_cache()
    with pytest.raises(hubtoken.ConfigurationError, match="vouch for itself"):
        ambient()


def test_a_role_in_a_file_that_does_not_count_is_not_forgotten(
    shared: Path, home: Path, hub: Hub, token: str
) -> None:
    (shared / "hubtoken.toml").write_text('role = "write"\n')
    code = """
command("require")
command("require", "--json")
command("run", "--", "echo", "ran")
command("require", "read")
command("require", "--permission", "inference.serverless.write")
try:
    hubtoken.require_role()
except hubtoken.ConfigurationError as error:
    print("python:", error)
command("run", "--no-check", "--", "echo", "ran unchecked")
"""
    done = elsewhere(home, shared / "work", code, HF_TOKEN=token, HF_ENDPOINT=hub.endpoint)
    lines = done.stdout.splitlines()
    codes = [line for line in lines if line.startswith("code ")]
    assert codes == ["code 2", "code 2", "code 2", "code 0", "code 0"], done.stdout + done.stderr
    assert "ran" not in lines
    assert lines[-1] == "ran unchecked"
    for text in (done.stderr, "\n".join(line for line in lines if line.startswith("python:"))):
        assert f"{shared / 'hubtoken.toml'} names a role, and was passed over" in text


def test_a_nearer_file_that_counts_is_enough(shared: Path) -> None:
    (shared / "hubtoken.toml").write_text('role = "write"\n')
    (shared / "work" / "hubtoken.toml").write_text('repo = "a/b"\n')
    hubtoken.clear_cache()
    with pytest.raises(ValueError, match="name a role"):
        hubtoken.require_role()


def test_a_user_of_a_shared_folder_learns_that_a_file_was_passed_over(shared: Path) -> None:
    (shared / "hubtoken.toml").write_text('repo = "a/b"\n')
    hubtoken.clear_cache()
    with pytest.raises(ValueError, match=r"hubtoken\.toml was passed over"):
        hubtoken.require_role()


@needs_root
@pytest.mark.parametrize(
    ("file", "folder", "sudo", "counts"),
    [
        (0, 0, None, True),
        (OTHER, OTHER, None, True),
        (0, OTHER, None, True),
        (OTHER, 0, None, True),
        (STRANGER, OTHER, None, False),
        (OTHER, STRANGER, None, False),
        (STRANGER, STRANGER, None, False),
        # Only root reads it.
        (STRANGER, STRANGER, STRANGER, False),
    ],
)
def test_whose_files_count_for_a_user(
    file: int,
    folder: int,
    sudo: int | None,
    counts: bool,
    home: Path,
    place: Path,
) -> None:
    assert counted(home, place, file, folder, sudo, OTHER) is counts


@needs_root
@pytest.mark.parametrize(
    ("file", "folder", "sudo", "counts"),
    [
        (0, 0, None, True),
        (OTHER, OTHER, None, False),
        (OTHER, OTHER, OTHER, True),
        (0, OTHER, OTHER, True),
        (STRANGER, OTHER, OTHER, False),
    ],
)
def test_whose_files_count_for_root(
    file: int,
    folder: int,
    sudo: int | None,
    counts: bool,
    home: Path,
    place: Path,
) -> None:
    assert counted(home, place, file, folder, sudo, None) is counts


def counted(
    home: Path, place: Path, file: int, folder: int, sudo: int | None, user: int | None
) -> bool:
    """Whether a file is trusted; an untrusted one is not an error, but is reported."""
    path = place / "hubtoken.toml"
    path.write_text('profile = "chosen"\n')
    path.chmod(0o644)
    os.chown(path, file, file)
    os.chown(place, folder, folder)
    # A value that is not a number is not a user.
    sudo_uid = "" if sudo is None else str(sudo)
    done = elsewhere(
        home,
        place,
        "print(hubtoken.explain())",
        user=user,
        HF_TOKEN=fake_token(),
        SUDO_UID=sudo_uid,
    )
    assert done.returncode == 0, done.stderr
    passed_over = [line for line in done.stdout.splitlines() if "another user" in line]
    assert all("refused" in line and str(path) in line for line in passed_over), passed_over
    # A trusted file names a token that is not stored.
    lines = [line for line in done.stdout.splitlines() if f"config:{path} " in line]
    assert any(" broken " in line for line in lines) is not bool(passed_over), done.stdout
    return not passed_over


@needs_root
def test_a_link_is_judged_by_the_file_that_is_opened(home: Path, place: Path) -> None:
    foreign = place / "foreign"
    foreign.mkdir()
    (foreign / "x.toml").write_text('profile = "admin"\n')
    os.chown(foreign / "x.toml", STRANGER, STRANGER)
    work = place / "work"
    work.mkdir()
    (work / "hubtoken.toml").symlink_to(foreign / "x.toml")
    for path in (work, work / "hubtoken.toml"):
        os.chown(path, OTHER, OTHER, follow_symlinks=False)
    done = elsewhere(home, work, "print(hubtoken.explain())", user=OTHER, HF_TOKEN=fake_token())
    assert f"it belongs to another user ({STRANGER})" in done.stdout


def test_what_use_writes_where_all_may_write_is_said_not_to_count(shared: Path, home: Path) -> None:
    store("ci")
    code = 'command("use", "ci")\ncommand("use", "ci", "--json")\ncommand("use", "--undo")'
    done = elsewhere(home, shared, code)
    assert done.stdout.count("code 0") == 3, done.stdout + done.stderr
    for text in (done.stderr, done.stdout):
        assert text.count("does not count yet: any user can write to its folder") == 1
    assert not (shared / "hubtoken.toml").exists()
    done = elsewhere(home, shared, 'command("use", "ci")', HUBTOKEN_SAFE_DIRECTORIES=str(shared))
    assert "does not count" not in done.stderr


@needs_root
def test_use_leaves_the_file_of_another_alone(home: Path, place: Path) -> None:
    store("ci")
    path = place / "hubtoken.toml"
    path.write_text("sources = []\n")
    os.chown(path, STRANGER, STRANGER)
    done = elsewhere(home, place, 'command("use", "ci")')
    assert "code 2" in done.stdout, done.stdout + done.stderr
    assert "is left as it is" in done.stderr
    assert path.read_text() == "sources = []\n"


def test_gits_helper_passes_over_what_does_not_count(shared: Path, home: Path) -> None:
    (shared / "hubtoken.toml").write_text('profile = "admin"\n')
    question = "protocol=https\nhost=huggingface.co\n\n"
    done = subprocess.run(
        [sys.executable, "-m", "hubtoken", "git-credential", "get"],
        env=child_environment(home),
        cwd=shared / "work",
        input=question,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    # There is no token, and git prompts its user.
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "was passed over: any user can write" in done.stderr


# -- what is no file --------------------------------------------------------------------------


def fifo(path: Path) -> None:
    """A named pipe."""
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    """A socket without a listener."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def device_link(path: Path) -> None:
    """A link to a device."""
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("make", [fifo, unix_socket, device_link, Path.mkdir])
@pytest.mark.parametrize("deed", ["login", "logout", "switch"])
def test_what_is_no_file_is_neither_replaced_nor_removed(
    make: Callable[[Path], None],
    deed: str,
    place: Path,
    hub: Hub,
    token: str,
    clean_environment: pytest.MonkeyPatch,
) -> None:
    path = place / "token"
    make(path)
    kind = stat.S_IFMT(path.lstat().st_mode)
    clean_environment.setenv("HF_TOKEN_PATH", str(path))
    clean_environment.setenv("HF_ENDPOINT", hub.endpoint)
    if deed == "switch":
        (place / "stored_tokens").write_text(f"[ci]\nhf_token = {token}\n\n")
    before = sorted(place.iterdir())
    deeds: dict[str, Callable[[], object]] = {
        "login": lambda: hubtoken.login(token),
        "logout": hubtoken.logout,
        "switch": lambda: hubtoken.switch_token("ci"),
    }
    with pytest.raises(hubtoken.StoreError, match="regular files only"):
        deeds[deed]()
    assert stat.S_IFMT(path.lstat().st_mode) == kind
    assert sorted(place.iterdir()) == before


def test_a_real_device_survives(
    hub: Hub, token: str, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HF_TOKEN_PATH", "/dev/null")
    clean_environment.setenv("HF_ENDPOINT", hub.endpoint)
    for deed in (hubtoken.logout, lambda: hubtoken.login(token)):
        with pytest.raises(hubtoken.StoreError, match="/dev/null is a device"):
            deed()
    assert stat.S_ISCHR(os.lstat("/dev/null").st_mode)
    assert not Path("/dev/stored_tokens.lock").exists()


# -- the modes of folders ---------------------------------------------------------------------


@pytest.mark.parametrize("first", ["whoami", "login", "logout"])
def test_whatever_makes_the_home_of_the_hub_makes_it_private(
    first: str, place: Path, hub: Hub, token: str, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.delenv("HF_HOME")
    clean_environment.setenv("XDG_CACHE_HOME", str(place / "cache"))
    clean_environment.setenv("HF_ENDPOINT", hub.endpoint)
    if first == "whoami":
        assert hubtoken.whoami(token, max_age=0).user == "alice"
    elif first == "login":
        hubtoken.login(token)
    else:
        hubtoken.logout()
    mask = os.umask(0)
    os.umask(mask)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in place.rglob("*") if path.is_dir()
    }
    # `~/.cache` is shared, and created as other programs create it.
    assert modes.pop("cache") == 0o777 & ~mask
    assert modes["huggingface"] == 0o700
    assert set(modes.values()) == {0o700}
