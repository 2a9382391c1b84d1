"""The small world that the end-to-end tests share: users, what they own, and their tokens.

    alice   owns a private model with a tokenizer and a large file in it, a public model, a private
            data set, and a model and a data set that her fine-grained token may write to; is an
            admin of `acme`
    bob     is a member of `acme` with the role `read`
    carol   is a member of no organization
    acme    an organization with a private and a gated model

It is created once per process and only added to: a test that changes something creates its own
repository or token first (`World.new_name`).
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from hubtoken import HubToken
    from hubtoken.hub import Hub
    from tests.e2e.support.models import ModelServer

KINDS = ("read", "write", "fine-grained", "deleted", "none")

PRIVATE = "alice/private"
PUBLIC = "alice/public"
SCRATCH = "alice/scratch"
SCRATCH_DATASET = "alice/scratch-numbers"
DATASET = "alice/numbers"
ORGANIZATION_MODEL = "acme/private"
GATED = "acme/gated"

# The permissions of alice's fine-grained token.
SCOPES = {
    PRIVATE: ["repo.content.read"],
    f"datasets/{DATASET}": ["repo.content.read"],
    SCRATCH: ["repo.content.read", "repo.write"],
    f"datasets/{SCRATCH_DATASET}": ["repo.content.read", "repo.write"],
}

# A large file, which is stored outside git.
LARGE = "weights.safetensors"
LARGE_CONTENT = random.Random(16).randbytes(300_000)  # noqa: S311 - content, not a secret

WORDS = ("<unk>", "hello", "hub", "token", "world")
ROWS = "number,word\n1,one\n2,two\n3,three\n"


@dataclass(frozen=True)
class World:
    """A running Hub, filled."""

    hub: Hub
    tokens: dict[str, HubToken | None] = field(repr=False)
    models: ModelServer

    @property
    def endpoint(self) -> str:
        """Where the Hub listens."""
        return self.hub.endpoint

    def token(self, kind: str) -> HubToken | None:
        """Alice's token of one of `KINDS`; `None` for the kind `none`."""
        return self.tokens[kind]

    def value(self, kind: str) -> str | None:
        """What is passed to a client: the string itself."""
        token = self.tokens[kind]
        return None if token is None else token.reveal()

    def new_name(self, owner: str = "alice") -> str:
        """A name for a repository that does not exist yet."""
        return f"{owner}/{uuid.uuid4().hex[:12]}"

    def new_token(self, user: str, role: str, **options: object) -> HubToken:
        """A new token, for a test that will use it up."""
        return self.hub.create_token(user, name=uuid.uuid4().hex[:12], role=role, **options)  # type: ignore[arg-type]


def write_tokenizer(folder: Path) -> None:
    """A real tokenizer of five words, as `tokenizers` writes it and `transformers` reads it."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"}\n', encoding="utf-8"
    )
    (folder / "config.json").write_text('{"model_type": "bert"}\n', encoding="utf-8")


def write_dataset(folder: Path) -> None:
    """Three rows in a file that `datasets` detects by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.csv").write_text(ROWS, encoding="utf-8")


def make_world(hub: Hub, folder: Path, models: ModelServer) -> World:
    """Fill a Hub: the principals through hubtoken, the files through the real client."""
    from huggingface_hub import HfApi

    for user in ("alice", "bob", "carol"):
        hub.create_user(user, email=f"{user}@example.invalid")
    hub.create_organization("acme", fullname="Acme Inc")
    hub.set_member("acme", "alice", "admin")
    hub.set_member("acme", "bob", "read")

    write = hub.create_token("alice", name="write", role="write")
    api = HfApi(endpoint=hub.endpoint, token=write.reveal())
    write_tokenizer(folder / "model")
    write_dataset(folder / "dataset")
    for repo in (PRIVATE, PUBLIC, SCRATCH, ORGANIZATION_MODEL, GATED):
        api.create_repo(repo, private=repo not in {PUBLIC, GATED})
        api.upload_folder(repo_id=repo, folder_path=folder / "model")
    for repo in (PRIVATE, PUBLIC):
        api.upload_file(repo_id=repo, path_or_fileobj=LARGE_CONTENT, path_in_repo=LARGE)
    hub.set_gated(GATED, "manual")
    for repo in (DATASET, SCRATCH_DATASET):
        api.create_repo(repo, repo_type="dataset", private=True)
        api.upload_folder(repo_id=repo, repo_type="dataset", folder_path=folder / "dataset")

    # Last, because a scope names an existing repository.
    deleted = hub.create_token("alice", name="deleted", role="write")
    hub.delete_token("alice", "deleted")
    return World(
        hub=hub,
        models=models,
        tokens={
            "read": hub.create_token("alice", name="read", role="read"),
            "write": write,
            "fine-grained": hub.create_token(
                "alice", name="fine-grained", role="fine-grained", scopes=SCOPES
            ),
            "deleted": deleted,
            "none": None,
        },
    )
