"""The whole life of a token, on an embedded Hub: what `make demo` runs.

A script that trains for eight hours should learn in its first second whether its token is good
enough. Everything here is real: a Hub that listens on loopback, a private repository, and the
unmodified client libraries. Nothing outside a temporary folder is read or written.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import hubtoken
from hubtoken import errors
from hubtoken.hub import Hub

if TYPE_CHECKING:
    from hubtoken import HubToken

MODEL = "acme/tiny"
TRAINED = "alice/tiny-trained"  # does not exist yet: the training will create it
WORDS = ("<unk>", "hello", "hub")

# Silence the libraries' output about progress, telemetry and packages that are not installed.
QUIET = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


def heading(text: str) -> None:
    """Begin a chapter."""
    print(f"\n{text}")


def tell(label: str, text: object) -> None:
    """One event of the story, wrapped under its label."""
    indent = " " * 17
    lines = str(text).splitlines() or [""]
    wrapped = [part for line in lines for part in textwrap.wrap(line, 80) or [""]]
    print(f"  {label:<15}" + f"\n{indent}".join(wrapped))


def settle(folder: Path, hub: Hub) -> None:
    """Point this process at the Hub and at an empty home, before any client is imported."""
    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING", "HUBTOKEN"))]:
        del os.environ[name]
    os.environ.update(QUIET | hub.environ())
    os.environ["HF_HOME"] = str(folder / "huggingface")
    os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
    (folder / "project").mkdir()
    os.chdir(folder / "project")


def make_tokens(hub: Hub) -> tuple[HubToken, HubToken, HubToken]:
    """One user, one organization, and a token for each purpose."""
    hub.create_user("alice")
    hub.create_organization("acme")
    hub.set_member("acme", "alice", "write")
    hub.create_repository(MODEL, private=True)
    scopes = {MODEL: ["repo.content.read"]}
    return (
        hub.create_token("alice", name="laptop", role="read"),
        hub.create_token("alice", name="training", role="write"),
        hub.create_token("alice", name="one-model", role="fine-grained", scopes=scopes),
    )


def publish(folder: Path, write: HubToken) -> None:
    """Upload a tokenizer that really splits words to the private model repository."""
    from huggingface_hub import HfApi
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106 - a word
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    model = folder / "model"
    model.mkdir()
    tokenizer.save(str(model / "tokenizer.json"))
    (model / "config.json").write_text('{"model_type": "bert"}\n', encoding="utf-8")
    (model / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"}\n', encoding="utf-8"
    )
    HfApi(token=write.reveal()).upload_folder(repo_id=MODEL, folder_path=model)


def resolve(read: HubToken, write: HubToken) -> None:
    """The same check, with the token in three places."""
    from huggingface_hub import login

    login(read.reveal())  # stores it as `laptop`, as `hf auth login` does
    Path("hubtoken.toml").write_text('profile = "laptop"\n', encoding="utf-8")
    tell("from config", hubtoken.resolve_token())
    os.environ["HF_TOKEN"] = write.reveal()
    hubtoken.clear_cache()
    tell("environment", hubtoken.resolve_token())
    tell("argument", hubtoken.resolve_token(read.reveal()))
    del os.environ["HF_TOKEN"]


def check(token: HubToken, label: str) -> None:
    """Check before the training, not after it."""
    try:
        hubtoken.require_role("write", token, repo=TRAINED)
    except errors.AccessDeniedError as error:
        tell(label, f"refused: {error}")
    else:
        tell(label, f"may write {TRAINED}")


def load(token: str | bool, label: str) -> None:
    """Load the private tokenizer through transformers."""
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as cache:
        try:
            tokenizer = AutoTokenizer.from_pretrained(MODEL, token=token, cache_dir=cache)
        except OSError as error:
            tell(label, f"refused: {str(error).splitlines()[0]}")
        else:
            tell(label, f'{MODEL} loaded; "hello hub" -> {tokenizer("hello hub")["input_ids"]}')


def refresh(hub: Hub, old: HubToken) -> None:
    """A new value for the same token; the old one is invalid at once."""
    new = hub.refresh_token("alice", "training")
    tell("new value", f"{new}: {hubtoken.whoami(new).role} token of {hubtoken.whoami(new).user}")
    try:
        hubtoken.whoami(old, max_age=0)
    except errors.InvalidTokenError as error:
        tell("old value", f"refused: {error}")


def main() -> None:
    """Tell the story."""
    home = Path.cwd()
    folder = Path(tempfile.mkdtemp(prefix="hubtoken-demo-"))
    try:
        with Hub(folder / "hub") as hub:
            settle(folder, hub)
            print(f"A Hub is running at {hub.endpoint}, just for this.")

            heading("1. alice creates a token for each purpose. Their values are never shown.")
            read, write, fine_grained = make_tokens(hub)
            for token in (read, write, fine_grained):
                identity = hubtoken.whoami(token)
                tell(f"{identity.token_name}", f"{identity.role:<13}{token}")
            publish(folder, write)

            heading("2. Which token is used? The nearest one, and it reports its source.")
            resolve(read, write)

            heading("3. Before eight hours of training: will this token push the result?")
            check(read, "read")
            check(fine_grained, "fine-grained")
            check(write, "write")

            heading("4. The private model, through transformers.")
            load(fine_grained.reveal(), "with a token")
            load(False, "without")

            heading("5. The write token gets a new value: a refresh.")
            refresh(hub, write)
            print("\nYour turn: README.md.")
    finally:
        os.chdir(home)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
