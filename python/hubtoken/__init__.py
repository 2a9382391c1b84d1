"""Hugging Face Hub user access tokens: find, know, keep and renew them.

Example:
    >>> import hubtoken
    >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
    >>> token
    HubToken(hf_…keXX, source=argument)
"""

# `json`, `typing`, `re`, `logging` and `pathlib` each cost more to import than the whole extension.
# Import them where they are used; tests/python/test_exports.py enforces this.

from hubtoken._core import (
    HubToken,
    Identity,
    Organization,
    Scope,
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
    rename_token,
    require_permission,
    require_role,
    resolve_token,
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
    "Scope",
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
    "notebook_login",
    "rename_token",
    "require_permission",
    "require_role",
    "resolve_token",
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


def __getattr__(name: str) -> object:
    """Imports on first use what many programs never need: the errors alone double the cost."""
    if name in _RENAMED:
        raise AttributeError(f"hubtoken has no `{name}`; use {_RENAMED[name]}")
    if name.startswith("_") or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not `importlib.import_module`: importing `importlib` would be the most expensive of all.
    if name == "hub":
        import hubtoken.hub

        value: object = hubtoken.hub
    elif name in ("Activation", "deactivate"):
        import hubtoken.activation

        value = getattr(hubtoken.activation, name)
    else:
        import hubtoken.errors

        value = hubtoken.errors if name == "errors" else getattr(hubtoken.errors, name)
    globals()[name] = value
    return value


def __dir__() -> "list[str]":
    """The public names."""
    return __all__


def _register() -> None:
    """Reports the importing thread to the core, and gives a forked child its own state."""
    import os

    from hubtoken._core import after_fork, after_import

    after_import()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=after_fork)


_register()
