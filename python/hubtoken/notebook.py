"""Reads the secret vaults of notebook services.

Google Colab's is read through ``google.colab.userdata``, Kaggle's through
``kaggle_secrets.UserSecretsClient``. Both exist only inside their notebooks, may show the user a
dialog, and may take arbitrarily long, so they are read in a separate thread and no caller waits
longer than hubtoken's own deadline. The messages of their errors are not passed on: they quote
whatever the service sent.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "HF_TOKEN"  # noqa: S105 - the secret's name in the vault, as in huggingface_hub


def vaults() -> "list[str]":
    """List the vaults that this process can read.

    Returns:
        Some of ``colab`` and ``kaggle``; an empty list outside their notebooks.

    Example:
        >>> from hubtoken import notebook
        >>> notebook.vaults()
        []
    """
    found = []
    if _is_colab():
        found.append("colab")
    if _is_kaggle():
        found.append("kaggle")
    return found


def ask(name: str, tell: "Callable[[str, str], object]") -> None:
    """Read the secret ``HF_TOKEN`` from a vault, in a separate thread.

    Args:
        name: ``colab`` or ``kaggle``.
        tell: Called once, from that thread: with ``"value"`` and the value, ``"absent"`` or
            ``"refused"`` and an empty string, ``"failed"`` and the name of the exception.
    """
    import contextvars
    import threading

    vault = {"colab": _ask_colab, "kaggle": _ask_kaggle}[name]

    def answer() -> None:
        try:
            told = vault()
        except Exception as error:  # noqa: BLE001 - a vault may raise anything; it is reported
            told = ("failed", type(error).__name__)
        tell(*told)

    # Notebook kernels find the calling cell through the context of the thread that runs it.
    context = contextvars.copy_context()
    # A daemon: a vault that never answers does not keep the process alive.
    threading.Thread(
        target=context.run, args=(answer,), name=f"hubtoken-{name}-vault", daemon=True
    ).start()


def _is_colab() -> bool:
    import os
    import sys

    if os.environ.get("VERTEX_PRODUCT") == "COLAB_ENTERPRISE":  # Colab without the vault
        return False
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_ipython() if callable(get_ipython) else None
    return type(shell).__module__.startswith("google.colab")


def _is_kaggle() -> bool:
    import os
    import sys
    from importlib.util import find_spec

    if not os.environ.get("KAGGLE_USER_SECRETS_TOKEN"):
        return False
    return "kaggle_secrets" in sys.modules or find_spec("kaggle_secrets") is not None


def _ask_colab() -> "tuple[str, str]":
    from google.colab import userdata

    try:
        return _value(userdata.get(SECRET))
    except userdata.SecretNotFoundError:
        return "absent", ""
    except userdata.NotebookAccessError:
        return "refused", ""


def _ask_kaggle() -> "tuple[str, str]":
    import kaggle_secrets

    try:
        return _value(kaggle_secrets.UserSecretsClient().get_secret(SECRET))
    except kaggle_secrets.CredentialError:
        return "refused", ""
    except Exception as error:
        # Most versions of the module have no class for it.
        if type(error).__name__ == "NotFoundError" or "No user secrets exist" in str(error):
            return "absent", ""
        raise


def _value(value: object) -> "tuple[str, str]":
    return ("value", value) if isinstance(value, str) and value else ("absent", "")
