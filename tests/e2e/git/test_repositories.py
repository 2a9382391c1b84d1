"""The real git and git-lfs against the embedded Hub, by operation and kind of token.

If a kind of token is rejected, git's own output must also contain the reason.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import HfApi, RepoFile, hf_hub_download, snapshot_download

from hubtoken.hub import Hub
from tests.e2e.support.matrix import Case, cases
from tests.e2e.support.working_copy import Git, needs_git_lfs
from tests.e2e.support.world import DATASET, PRIVATE, PUBLIC, SCRATCH

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from hubtoken import HubToken
    from tests.e2e.support.world import World


def outcome(done: subprocess.CompletedProcess[str]) -> str:
    """The words of the matrix."""
    return "works" if done.returncode == 0 else "refused"


def clone_private(git: Git, folder: Path) -> subprocess.CompletedProcess[str]:
    return git.clone(PRIVATE, folder)


def clone_dataset(git: Git, folder: Path) -> subprocess.CompletedProcess[str]:
    return git.clone(f"datasets/{DATASET}", folder)


def clone_public(git: Git, folder: Path) -> subprocess.CompletedProcess[str]:
    return git.clone(PUBLIC, folder)


def push_to(repo: str) -> Callable[[Git, Path], subprocess.CompletedProcess[str]]:
    """A push of a new file to a new branch."""

    def push(git: Git, folder: Path) -> subprocess.CompletedProcess[str]:
        git.good("init", "--quiet", str(folder))
        name = uuid.uuid4().hex[:12]
        git.commit(folder, **{name: name.encode()})
        return git.run("push", git.url(repo), f"main:refs/heads/{name}", folder=folder)

    return push


OPERATIONS: dict[str, Callable[[Git, Path], subprocess.CompletedProcess[str]]] = {
    "clone private": clone_private,
    "clone data set": clone_dataset,
    "clone public": clone_public,
    "push scratch": push_to(SCRATCH),
    "push private": push_to(PRIVATE),
    "push public": push_to(PUBLIC),
}


@pytest.mark.parametrize("case", cases("git"), ids=str)
def test_matrix(world: World, home: Path, tmp_path: Path, case: Case) -> None:
    git = Git(home, world.endpoint, world.value(case.kind))
    done = OPERATIONS[case.operation](git, tmp_path / "clone")
    assert outcome(done) == case.expected, done.stderr
    if case.expected == "refused" and case.kind in {"read", "fine-grained"}:
        assert "remote: You are not authorized to push to this repo." in done.stderr
        assert "role `read`" in done.stderr or "repo.write" in done.stderr


def push_large(git: Git, folder: Path) -> subprocess.CompletedProcess[str]:
    """A push of a large file to a new branch."""
    git.good("init", "--quiet", str(folder))
    git.track(folder, "*.large")
    name = uuid.uuid4().hex[:12]
    git.commit(folder, **{f"{name}.large": os.urandom(100_000)})
    return git.run("push", git.url(SCRATCH), f"main:refs/heads/{name}", folder=folder)


@pytest.fixture(scope="session")
def large_file(world: World, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The content of the large file in `alice/private`, pushed there once."""
    home = tmp_path_factory.mktemp("large")
    git = Git(home, world.endpoint, world.value("write"), lfs=True)
    folder = home / "clone"
    assert git.clone(PRIVATE, folder).returncode == 0
    content = os.urandom(300_000)
    git.track(folder, "*.large")
    git.commit(folder, **{"weights.large": content})
    git.good("push", "--quiet", "origin", "HEAD:refs/heads/large", folder=folder)
    return content


@needs_git_lfs
@pytest.mark.parametrize("case", cases("git-lfs"), ids=str)
def test_matrix_of_large_files(
    world: World, home: Path, tmp_path: Path, case: Case, large_file: bytes
) -> None:
    git = Git(home, world.endpoint, world.value(case.kind), lfs=True)
    folder = tmp_path / "clone"
    if case.operation == "push scratch":
        done = push_large(git, folder)
    else:
        done = git.run("clone", "--quiet", "--branch", "large", git.url(PRIVATE), str(folder))
    assert outcome(done) == case.expected, done.stderr
    if case.operation == "fetch private" and case.expected == "works":
        assert (folder / "weights.large").read_bytes() == large_file


def test_git_and_the_library_see_the_same(world: World, home: Path, tmp_path: Path) -> None:
    token = world.value("write")
    git = Git(home, world.endpoint, token)
    repo = world.new_name()
    api = HfApi(endpoint=world.endpoint, token=token)
    api.create_repo(repo, private=True)
    folder = tmp_path / "clone"
    assert git.clone(repo, folder).returncode == 0
    pushed = git.commit(folder, **{"from-git.txt": b"git"})
    git.good("push", "--quiet", "origin", "main", folder=folder)
    path = hf_hub_download(
        repo, "from-git.txt", endpoint=world.endpoint, token=token, cache_dir=tmp_path / "cache"
    )
    assert Path(path).read_bytes() == b"git"
    assert api.model_info(repo).sha == pushed
    api.upload_file(path_or_fileobj=b"api", path_in_repo="from-api.txt", repo_id=repo)
    git.good("pull", "--quiet", folder=folder)
    assert (folder / "from-api.txt").read_bytes() == b"api"
    git.good("checkout", "--quiet", "-b", "dev", folder=folder)
    git.commit(folder, **{"dev.txt": b"dev"})
    git.good("tag", "v1", folder=folder)
    git.good("push", "--quiet", "origin", "dev", "v1", folder=folder)
    refs = api.list_repo_refs(repo)
    assert [branch.name for branch in refs.branches] == ["dev", "main"]
    assert [tag.name for tag in refs.tags] == ["v1"]
    assert "dev.txt" in api.list_repo_files(repo, revision="v1")
    assert git.commit(folder, x=b"1") != pushed


def test_a_pointer_without_its_object_is_told(world: World, home: Path, tmp_path: Path) -> None:
    """Without git-lfs, a client pushes pointers; the push is accepted, the file is missing."""
    token = world.value("write")
    git = Git(home, world.endpoint, token)
    repo = world.new_name()
    world.hub.create_repository(repo, private=True)
    folder = tmp_path / "clone"
    assert git.clone(repo, folder).returncode == 0
    oid = hashlib.sha256(b"never sent").hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 10\n"
    git.commit(folder, **{"w.bin": pointer.encode()})
    git.good("push", "--quiet", "origin", "main", folder=folder)
    with pytest.raises(Exception, match="404"):
        hf_hub_download(repo, "w.bin", endpoint=world.endpoint, token=token, cache_dir=tmp_path)


# The library's own call of httpx, in its path for LFS.
ignore_content_deprecation = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture(scope="module")
def large_hub() -> Iterator[tuple[Hub, HubToken]]:
    """A Hub, and a token with write access."""
    with Hub() as hub:
        hub.create_user("alice")
        yield hub, hub.create_token("alice", name="write", role="write")


@ignore_content_deprecation
@needs_git_lfs
def test_the_library_and_git_lfs_share_large_files(
    large_hub: tuple[Hub, HubToken], home: Path, tmp_path: Path
) -> None:
    hub, token = large_hub
    value = token.reveal()
    api = HfApi(endpoint=hub.endpoint, token=value)
    api.create_repo("alice/large", private=True)
    content, other = os.urandom(2_000_000), os.urandom(500_000)
    api.upload_file(path_or_fileobj=content, path_in_repo="a.bin", repo_id="alice/large")
    (info,) = api.get_paths_info("alice/large", "a.bin")
    assert isinstance(info, RepoFile)
    assert info.lfs is not None
    assert (info.lfs.size, info.lfs.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    # By Xet.
    assert info.xet_hash
    assert hub.request_count("/alice/large.git/info/lfs/objects/batch") == 0

    git = Git(home, hub.endpoint, value, lfs=True)
    folder = tmp_path / "clone"
    cloned = git.clone("alice/large", folder)
    assert cloned.returncode == 0, cloned.stderr
    assert (folder / "a.bin").read_bytes() == content
    git.good("lfs", "install", "--local", folder=folder)
    git.commit(folder, **{"b.bin": other})
    git.good("push", "--quiet", "origin", "main", folder=folder)
    got = Path(
        snapshot_download(
            "alice/large", endpoint=hub.endpoint, token=value, cache_dir=tmp_path / "cache"
        )
    )
    assert (got / "a.bin").read_bytes() == content
    assert (got / "b.bin").read_bytes() == other
    # Uploading the same file again sends nothing, nor does a copy within the repository.
    api.upload_file(path_or_fileobj=content, path_in_repo="c.bin", repo_id="alice/large")
    assert "c.bin" in api.list_repo_files("alice/large")


@ignore_content_deprecation
def test_a_download_is_resumed(large_hub: tuple[Hub, HubToken], tmp_path: Path) -> None:
    import httpx

    hub, token = large_hub
    api = HfApi(endpoint=hub.endpoint, token=token.reveal())
    api.create_repo("alice/resumed", private=True)
    content = os.urandom(1_500_000)
    api.upload_file(path_or_fileobj=content, path_in_repo="a.bin", repo_id="alice/resumed")
    path = tmp_path / "a.bin"
    url = f"{hub.endpoint}/alice/resumed/resolve/main/a.bin"
    with httpx.Client(auth=token, trust_env=False) as client:
        with client.stream("GET", url) as answer:
            first = next(answer.iter_bytes(10_000))
            tag = answer.headers["etag"]
        path.write_bytes(first)
        headers = {"Range": f"bytes={len(first)}-", "If-Range": tag}
        rest = client.get(url, headers=headers)
        assert rest.status_code == 206
        assert first + rest.content == content
        assert client.get(url, headers={"If-None-Match": tag}).status_code == 304


def test_a_large_push_is_served_out_of_its_pack(world: World, home: Path, tmp_path: Path) -> None:
    import httpx

    token = world.token("write")
    assert token is not None
    git = Git(home, world.endpoint, token.reveal())
    repo = world.new_name()
    world.hub.create_repository(repo, private=True)
    folder = tmp_path / "clone"
    assert git.clone(repo, folder).returncode == 0
    content = os.urandom(3_000_000)
    git.commit(folder, big=content)
    git.good("push", "--quiet", "origin", "main", folder=folder)
    models = Path(world.hub.data) / "repositories" / "models"
    assert list(models.glob("*.git/objects/pack/*.pack"))
    url = f"{world.endpoint}/{repo}/resolve/main/big"
    with httpx.Client(auth=token, trust_env=False) as client:
        assert client.get(url).content == content
        part = client.get(url, headers={"Range": "bytes=2000000-2999999"})
        assert part.status_code == 206
        assert part.content == content[2_000_000:]
    again = tmp_path / "again"
    assert git.clone(repo, again).returncode == 0
    assert (again / "big").read_bytes() == content
