"""Hugging Face Hub user access tokens: find, know, keep and renew them.

Example:
    >>> import hubtoken
    >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
    >>> token
    HubToken(hf_…keXX, source=argument)
"""

# `json`, `typing`, `re`, `logging` and `pathlib` each cost more to import than the whole extension.
# Import them where they are used; tests/python/test_exports.py enforces this.

import sys


def _check_interpreter() -> None:
    """Refuses an interpreter other than the main one of the process, as that of mod_wsgi may be.

    Threads that the extension starts can only call the main one.
    """
    import _thread

    is_main = getattr(_thread, "_is_main_interpreter", None)
    if is_main is None and not hasattr(sys.modules.get("__main__"), "__file__"):
        # Not a program, which spares most processes this import: Python before 3.12 has no other
        # way to tell.
        try:
            interpreters = __import__("_xxsubinterpreters")
        except ImportError:
            return

        def is_main() -> bool:
            return bool(interpreters.get_current() == interpreters.get_main())

    if is_main is not None and not is_main():
        raise ImportError(
            "hubtoken works in the main interpreter of a process only, and this is another one "
            "(with mod_wsgi, set WSGIApplicationGroup to %{GLOBAL})"
        )


_check_interpreter()

from hubtoken._core import (  # noqa: E402 - another interpreter must not load it even halfway
    HubToken,
    Identity,
    Organization,
    RevokedToken,
    Scope,
    ServiceAccount,
    ServiceAccounts,
    ServiceAccountToken,
    StoredToken,
    Trace,
    TraceStep,
    Verdict,
    __version__,
    authorize,
    cached_identity,
    clear_cache,
    explain,
    get_token,
    identify,
    login,
    logout,
    move_token,
    rename_token,
    require_permission,
    require_role,
    resolve_token,
    revoke,
    service_accounts,
    stored_tokens,
    switch_token,
    whoami,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubtoken import errors, hub
    from hubtoken.activation import Activation, deactivate
    from hubtoken.errors import (
        AccessDeniedError,
        ConfigurationError,
        GatedRepoError,
        HubError,
        HubTokenError,
        HubTokenWarning,
        HubUnreachableError,
        InsufficientRoleError,
        InvalidTokenError,
        LoginError,
        OfflineError,
        OrganizationPolicyError,
        RateLimitedError,
        RepositoryDisabledError,
        RepositoryNotFoundError,
        StaleIdentityWarning,
        StoreError,
        TokenFormatError,
        TokenNotFoundError,
        UntrustedEndpointError,
        VerdictUnknownError,
    )

__all__ = [
    "AccessDeniedError",
    "Activation",
    "ConfigurationError",
    "GatedRepoError",
    "HubError",
    "HubToken",
    "HubTokenError",
    "HubTokenWarning",
    "HubUnreachableError",
    "Identity",
    "InsufficientRoleError",
    "InvalidTokenError",
    "LoginError",
    "OfflineError",
    "Organization",
    "OrganizationPolicyError",
    "RateLimitedError",
    "RepositoryDisabledError",
    "RepositoryNotFoundError",
    "RevokedToken",
    "Scope",
    "ServiceAccount",
    "ServiceAccountToken",
    "ServiceAccounts",
    "StaleIdentityWarning",
    "StoreError",
    "StoredToken",
    "TokenFormatError",
    "TokenNotFoundError",
    "Trace",
    "TraceStep",
    "UntrustedEndpointError",
    "Verdict",
    "VerdictUnknownError",
    "__version__",
    "authorize",
    "cached_identity",
    "clear_cache",
    "deactivate",
    "errors",
    "explain",
    "get_token",
    "hub",
    "identify",
    "login",
    "logout",
    "move_token",
    "notebook_login",
    "rename_token",
    "require_permission",
    "require_role",
    "resolve_token",
    "revoke",
    "service_accounts",
    "stored_tokens",
    "switch_token",
    "whoami",
]

# `login` asks in a notebook as well, for which `huggingface_hub` has a second name.
notebook_login = login

# Names of `huggingface_hub`, and names that this module had before 0.1.0, each with its counterpart
# here. Neither `dir()` nor `hasattr()` knows them.
_RENAMED = {
    "HfFolder": "`hubtoken.resolve_token`, `hubtoken.login`, and `hubtoken.logout`",
    "auth_check": "`hubtoken.require_role(..., repo=...)`",
    "auth_list": "`hubtoken.stored_tokens`",
    "auth_switch": "`hubtoken.switch_token`",
    "interpreter_login": "`hubtoken.login`",
    "recall": "`hubtoken.cached_identity`",
    "reload": "`hubtoken.clear_cache`",
    "rename": "`hubtoken.rename_token`",
    "switch": "`hubtoken.switch_token`",
}


# Where the names are that are imported on first use; the others are errors.
_MODULES = {"Activation": "activation", "deactivate": "activation", "hub": "hub"}


def _get(name: str) -> object:
    """Imports on first use what many programs never need: the errors alone double the cost."""
    if name in _RENAMED:
        raise AttributeError(f"hubtoken has no `{name}`; use {_RENAMED[name]}")
    # Taken from `sys.modules`: after a reload, an import finds a module that is loaded already and
    # does not make it an attribute of this one again.
    value: object = sys.modules.get(f"{__name__}.{name}")
    if value is None and (name.startswith("_") or name not in __all__):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if value is None:
        module = f"hubtoken.{_MODULES.get(name, 'errors')}"
        # Not `importlib.import_module`: importing `importlib` would be the most expensive of all.
        __import__(module)
        value = sys.modules[module]
        if not module.endswith(f".{name}"):
            value = getattr(value, name)
    globals()[name] = value
    return value


# Not for type checkers, to which every name would exist with it.
if not TYPE_CHECKING:
    __getattr__ = _get


def __dir__() -> "list[str]":
    """The public names."""
    return __all__


class _Serializer:
    """The attribute by which pydantic finds out how to write a value, where no schema says it."""

    def __get__(self, instance: object, owner: type) -> object:
        """Made on demand: pydantic is not imported here, and to look for it does not import it."""
        if "pydantic_core" not in sys.modules:
            # `%autoreload` reads every attribute of a class, and does not expect an error.
            if instance is None:
                return self
            raise AttributeError("pydantic is not imported")
        from hubtoken.pydantic_schema import serializer

        return serializer(owner)


def _teach_pydantic() -> None:
    """Gives tokens and records that attribute."""
    from hubtoken._core import Approval, AuditEntry, Login, Publisher, TokenInfo

    for kind in (
        *(HubToken, Identity, Organization, Scope, StoredToken, Trace, TraceStep, Verdict),
        *(Approval, AuditEntry, Login, Publisher, TokenInfo),
        *(RevokedToken, ServiceAccount, ServiceAccountToken),
    ):
        setattr(kind, "__pydantic_serializer__", _Serializer())  # noqa: B010 - not in the stub


_teach_pydantic()


def _register() -> None:
    """Reports the importing thread to the core, and gives a forked child its own state."""
    import os

    from hubtoken._core import after_fork, after_import, process_objects

    after_import()
    # Once in a process, however often this module is executed.
    objects = process_objects()
    if hasattr(os, "register_at_fork") and "hubtoken.after_fork" not in objects:
        objects["hubtoken.after_fork"] = after_fork
        os.register_at_fork(after_in_child=after_fork)


_register()
