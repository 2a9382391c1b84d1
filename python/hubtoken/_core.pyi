# Written by `make stubs` from the Rust source. Do not edit.

"""The compiled part of hubtoken. Import from `hubtoken` instead."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from os import PathLike
from typing import Any, Final, Literal, final, overload

from hubtoken.activation import Activation
from hubtoken.secret_value import SecretValue
from typing_extensions import Self

__all__ = [
    "Approval",
    "AuditEntry",
    "Hub",
    "HubToken",
    "Identity",
    "Login",
    "Organization",
    "Publisher",
    "RevokedToken",
    "Scope",
    "ServiceAccount",
    "ServiceAccountToken",
    "ServiceAccounts",
    "StoredToken",
    "TokenInfo",
    "Trace",
    "TraceStep",
    "Verdict",
    "__version__",
    "activation_origin",
    "after_fork",
    "after_import",
    "ambient_endpoint",
    "authorize",
    "cached_identity",
    "check_lifetimes",
    "check_repository",
    "clear_cache",
    "explain",
    "forget_answer",
    "get_token",
    "identify",
    "identify_anew",
    "is_known_permission",
    "is_sent_anyway",
    "login",
    "logout",
    "main",
    "move_token",
    "normalized_endpoint",
    "printable",
    "process_objects",
    "rename_token",
    "require_of_caller",
    "require_permission",
    "require_role",
    "resolve_token",
    "restore",
    "restore_record",
    "revoke",
    "service_accounts",
    "stored_tokens",
    "switch_token",
    "token_mask",
    "whoami",
]

__version__: Final[str]
"""
The version of hubtoken.
"""

@final
class Approval:
    """A token that requested access to an organization of an embedded Hub, or was revoked there."""
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def asked_at(self, /) -> datetime:
        """When the token requested access; when it was revoked, if it never did."""
    @property
    def decided_at(self, /) -> datetime | None:
        """When it was decided."""
    @property
    def decided_by(self, /) -> str | None:
        """Who decided, as a user's name, `admin-key` or `program`."""
    @property
    def status(self, /) -> Literal["pending", "approved", "denied", "revoked"]:
        """`pending`, `approved`, `denied` or `revoked`."""
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """
    @property
    def token(self, /) -> TokenInfo:
        """The token."""
    @property
    def user(self, /) -> str:
        """The member who owns the token."""

@final
class AuditEntry:
    """An entry of an embedded Hub's audit log: who did what to what, when, and from where."""
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def act(self, /) -> str:
        """The action, such as `token.create`."""
    @property
    def actor(self, /) -> Literal["user", "service-account", "admin-key", "program", "nobody"]:
        """The kind of actor, which is `user`, `service-account`, `admin-key`, `program`
        or `nobody`.
        """
    @property
    def actor_name(self, /) -> str | None:
        """The name of the acting user."""
    @property
    def actor_token(self, /) -> str | None:
        """The ID of the token that the acting user used."""
    @property
    def address(self, /) -> str | None:
        """The address that the action came from."""
    @property
    def at(self, /) -> datetime:
        """When the action happened."""
    @property
    def detail(self, /) -> str | None:
        """The new value, such as a role, a policy or settings."""
    @property
    def id(self, /) -> int:
        """The entry's ID, which grows from entry to entry."""
    @property
    def last4(self, /) -> str | None:
        """The last four characters of that token's value; of the new one, after a refresh."""
    @property
    def organization(self, /) -> str | None:
        """The organization that the action applied to."""
    @property
    def repository(self, /) -> str | None:
        """The repository that the action applied to."""
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """
    @property
    def token_id(self, /) -> str | None:
        """The ID of the token that the action applied to."""
    @property
    def token_name(self, /) -> str | None:
        """The name of the token that the action applied to."""
    @property
    def user(self, /) -> str | None:
        """The user that the action applied to."""

@final
class Hub:
    """A Hub in this process: users, organizations, tokens and repositories over HTTP.

    Clients of the Hub work against it unchanged. Use it with `with`, or call `start` and `stop`.

    A method that names what the Hub does not have, or would have twice, raises
    `hubtoken.errors.HubError`, and so do all of them while the Hub is not running. A word or a
    number that is none of the allowed ones, such as a name with a space or text that is not valid
    Unicode, is a `ValueError`.

    Every call that changes something, except `create_token`, and `stop` drop the answers about this
    Hub's tokens that this process has cached, and those that the processes of this machine share on
    disk: the next call here asks the Hub. Other processes keep what they have in memory for its
    usual lifetime, and so does this one after a change by other means: a page, the API, or
    `hubtoken hub`.

    Args:
        data: The folder for persistent data; `None` for a temporary one that is removed at the
            end.
        host: `127.0.0.1`, `localhost` or `::1`; with a certificate, any address of the machine.
        port: The port; 0 for a free one.
        whoami_limit: How many whoami requests are answered per window; `None` for no limit.
        whoami_window: The length of a window, in seconds.
        audit_days: How many days the audit log is kept.
        tls_cert: The file with the certificate and its chain, in PEM. It is reloaded when it
            changes.
        tls_key: The file with its key, which only owner and group may be able to read.
        base_url: The public address of the Hub, such as `https://hub.example`. A Hub with a
            certificate or behind a proxy only accepts requests for that host.
        behind_proxy: Whether a reverse proxy on this machine terminates TLS. Its
            `X-Forwarded-For` header is then trusted.
        local_port: The port on 127.0.0.1 for administration and metrics, if the Hub has a public
            address; 0 for a free one.
        connections: The maximum number of concurrent connections.
        connections_per_address: The maximum number of them per address; 0 for no limit.
        upstreams: The servers behind the inference API, by model: `{"alice/tiny":
            "http://127.0.0.1:8000"}`; `"*"` stands for all other models.
        upstream_keys: The files with the keys for these servers, by model. Only owner and group
            may be able to read them.
        upstream_timeout: How long such a server may stay silent, in seconds.
        inference_limit: How many inference requests a token may send per window; `None` for no
            limit.
        inference_window: The length of that window, in seconds.
        grace: How long requests in progress may continue when the Hub stops, in seconds.
        log_format: `"text"` or `"json"`: the format of the log, which goes to standard error.
        log_level: `"off"`, `"error"`, `"warn"` or `"info"`.
        lfs: Has no effect, and will be removed: large files are stored outside git on every Hub, as
            the client sends them, by Xet or by Git LFS.
        access_token_lifetime: How long the access token of a program's login is valid, in seconds;
            at most 30 days.
        refresh_token_lifetime: How long a login can be refreshed after it began or was last
            refreshed, in seconds.
        device_code_lifetime: How long the code of a program that logs in can be approved, in
            seconds.
        device_code_interval: How long such a program waits between two questions, in seconds; with
            0, the Hub never tells it to slow down.

    Raises:
        ValueError: An argument has none of its allowed values, or is out of range; one of
            `tls_cert` and `tls_key` is missing; or `upstream_keys` names a model that `upstreams`
            does not.

    Example:
        >>> import hubtoken
        >>> with hubtoken.hub.Hub() as hub:
        ...     hub.create_user("alice")
        ...     token = hub.create_token("alice", name="laptop", role="read")
        ...     hubtoken.whoami(token).user
        'alice'
    """
    def __enter__(self, /) -> Hub: ...
    def __exit__(self, /, *args: object) -> None: ...
    def __init__(
        self,
        /,
        data: str | PathLike[str] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        whoami_limit: int | None = None,
        whoami_window: int = 300,
        audit_days: int = 365,
        tls_cert: str | PathLike[str] | None = None,
        tls_key: str | PathLike[str] | None = None,
        base_url: str | None = None,
        behind_proxy: bool = False,
        local_port: int = 0,
        connections: int = 512,
        connections_per_address: int = 64,
        upstreams: Mapping[str, str] | None = None,
        upstream_keys: Mapping[str, str | PathLike[str]] | None = None,
        upstream_timeout: int = 300,
        inference_limit: int | None = None,
        inference_window: int = 300,
        grace: int = 3,
        log_format: Literal["text", "json"] = "text",
        log_level: Literal["off", "error", "warn", "info"] = "off",
        lfs: bool | None = None,
        access_token_lifetime: int = 2592000,
        refresh_token_lifetime: int = 7776000,
        device_code_lifetime: int = 900,
        device_code_interval: int = 5,
    ) -> None: ...
    def __new__(
        cls,
        /,
        data: str | PathLike[str] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        whoami_limit: int | None = None,
        whoami_window: int = 300,
        audit_days: int = 365,
        tls_cert: str | PathLike[str] | None = None,
        tls_key: str | PathLike[str] | None = None,
        base_url: str | None = None,
        behind_proxy: bool = False,
        local_port: int = 0,
        connections: int = 512,
        connections_per_address: int = 64,
        upstreams: Mapping[str, str] | None = None,
        upstream_keys: Mapping[str, str | PathLike[str]] | None = None,
        upstream_timeout: int = 300,
        inference_limit: int | None = None,
        inference_window: int = 300,
        grace: int = 3,
        log_format: Literal["text", "json"] = "text",
        log_level: Literal["off", "error", "warn", "info"] = "off",
        lfs: bool | None = None,
        access_token_lifetime: int = 2592000,
        refresh_token_lifetime: int = 7776000,
        device_code_lifetime: int = 900,
        device_code_interval: int = 5,
    ) -> Hub: ...
    @property
    def admin_key(self, /) -> str:
        """The key of the administration API, as a `str` whose `repr` is masked."""
    def approve_login(self, /, user_code: str, user: str) -> None:
        """Approves the login of the program that shows a code, as its user would on the page.

        Args:
            user_code: The code, such as `"BCDF-GHJK"`; case and dashes make no difference.
            user: The user in whose name the program then acts.

        Raises:
            hubtoken.errors.HubError: No login waits for this code, there is no such user, or the
                Hub is not running.

        Example:
            >>> import json, urllib.request
            >>> from hubtoken.hub import Hub
            >>> with Hub() as hub:
            ...     hub.create_user("alice")
            ...     client = b"client_id=26be6b09-91c5-47da-9861-d2d2bb7a7e36"
            ...     with urllib.request.urlopen(f"{hub.endpoint}/oauth/device", client) as answer:
            ...         user_code = json.load(answer)["user_code"]
            ...     hub.approve_login(user_code, "alice")
        """
    def approve_token(self, /, organization: str, token: str) -> Approval:
        """Approves a token for an organization. Also reverts a revocation.

        Args:
            organization: The organization.
            token: The token's ID, or its name if only one listed token has it.

        Returns:
            The new status of the token.

        Raises:
            hubtoken.errors.HubError: The organization does not exist, no member of it has such a
                token, or several have one of that name; or the Hub is not running.
        """
    def audit(
        self,
        /,
        *,
        user: str | None = None,
        organization: str | None = None,
        act: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[AuditEntry]:
        """Reads the audit log: who did what to what, when, and from where.

        Args:
            user: Only actions by this user, or on this user.
            organization: Only actions in this organization.
            act: Only this action, such as `"token.refresh"`, or `"token"` for all actions on
                tokens.
            since: Only entries from this time on; a `datetime` with a time zone.
            before: Only entries with a smaller ID than this, for the next page.
            limit: The maximum number of entries; at most 1000.

        Returns:
            The entries, newest first.

        Raises:
            hubtoken.errors.HubError: The Hub is not running.
            ValueError: `limit` is not a number from 0 to 1000.
            TypeError: `since` has no time zone, or an argument has another type.

        Example:
            >>> import hubtoken
            >>> with hubtoken.hub.Hub() as hub:
            ...     hub.create_user("alice")
            ...     [(entry.act, entry.user) for entry in hub.audit()]
            [('user.create', 'alice')]
        """
    def change_token(
        self,
        /,
        user: str,
        token: str,
        *,
        role: Literal["read", "write", "fine-grained"],
        scopes: Mapping[str, Sequence[str]] | None = None,
        global_permissions: Sequence[str] | None = None,
        can_read_gated_repos: bool = False,
    ) -> None:
        """Changes a token's permissions. Organizations that approved it must approve it again.

        Args:
            user: The owner of the token.
            token: The token's name or ID.
            role: `"read"`, `"write"` or `"fine-grained"`.
            scopes: For a fine-grained token, permissions by entity, as in `create_token`.
            global_permissions: For a fine-grained token, permissions that apply everywhere.
            can_read_gated_repos: For a fine-grained token, whether it can read the public gated
                repositories that its user may read.

        Raises:
            hubtoken.errors.HubError: The user has no such token, or several of that name; the
                entity of a scope does not exist; or the Hub is not running.
            ValueError: As for `create_token`.
        """
    def create_organization(self, /, name: str, *, fullname: str | None = None) -> None:
        """Creates an organization.

        Args:
            name: The name; users and organizations share one namespace.
            fullname: The display name.

        Raises:
            hubtoken.errors.HubError: The name is taken, or the Hub is not running.
            ValueError: The name is not valid.
        """
    def create_publisher(
        self,
        /,
        resource: str,
        *,
        issuer: str,
        claims: Mapping[str, str],
        user: str | None = None,
        keys: str | None = None,
    ) -> Publisher:
        """Lets jobs of a CI provider exchange their ID tokens for tokens of the Hub, so that the CI
        stores no secret.

        A job sends its ID token to `/oauth/token`, as `huggingface_hub` does with
        `HF_OIDC_RESOURCE`, and gets a token that is valid for an hour.

        Args:
            resource: A repository to write to, and to no other: `namespace/name`, prefixed with
                `datasets/` or `spaces/` where applicable. Or a user, to read the gated repositories
                that this user may read.
            issuer: The issuer of the ID tokens, exactly as their `iss` has it; `"github"` and
                `"gitlab"` stand for those of GitHub Actions and gitlab.com.
            claims: The claims that an ID token must have, and their values, compared exactly.
            user: The user in whose name the tokens act, who may write to the repository; `None` for
                the one whose repository it is.
            keys: The issuer's public keys, a JWK set in JSON; with `None` the Hub fetches them from
                the issuer.

        Returns:
            The publisher.

        Raises:
            hubtoken.errors.HubError: The repository or the user does not exist, the user may not
                write to the repository, or the Hub is not running.
            ValueError: The resource is neither the name of a repository nor that of a user; or the
                issuer, the claims or the keys cannot be used.

        Example:
            >>> import hubtoken
            >>> with hubtoken.hub.Hub() as hub:
            ...     hub.create_user("alice")
            ...     hub.create_repository("alice/model")
            ...     claims = {"repository": "alice/train", "ref": "refs/heads/main"}
            ...     hub.create_publisher("alice/model", issuer="github", claims=claims)
            <Publisher alice/model, from https://token.actions.githubusercontent.com>
        """
    def create_repository(
        self,
        /,
        repo: str,
        *,
        type: Literal["model", "dataset", "space"] = "model",
        private: bool = False,
        gated: Literal["auto", "manual"] | None = None,
    ) -> None:
        """Creates a repository.

        Args:
            repo: `namespace/name`.
            type: `"model"`, `"dataset"` or `"space"`.
            private: Whether it is only visible to users with access to its namespace.
            gated: `"auto"` or `"manual"` for a gate; `None` for none.

        Raises:
            hubtoken.errors.HubError: The namespace does not exist, the repository exists already, or
                the Hub is not running.
            ValueError: The name is not valid; `type` or `gated` is none of these.
        """
    def create_token(
        self,
        /,
        user: str,
        *,
        name: str,
        role: Literal["read", "write", "fine-grained"],
        scopes: Mapping[str, Sequence[str]] | None = None,
        global_permissions: Sequence[str] | None = None,
        can_read_gated_repos: bool = False,
        expires_in: float | None = None,
    ) -> HubToken:
        """Creates a token. The Hub only stores a digest, so the value is available only here.

        Args:
            user: The owner of the token.
            name: The token's name.
            role: `"read"`, `"write"` or `"fine-grained"`.
            scopes: For a fine-grained token, permissions by entity: `"alice"` (a user or an
                organization), `"alice/tiny"` (a model), `"datasets/alice/x"`, `"spaces/alice/x"`. A
                repository must exist.
            global_permissions: For a fine-grained token, permissions that apply everywhere.
            can_read_gated_repos: For a fine-grained token, whether it can read the public gated
                repositories that its user may read.
            expires_in: The lifetime in seconds; `None` for a token that does not expire.

        Returns:
            The token, for this Hub.

        Raises:
            hubtoken.errors.HubError: The user or the entity of a scope does not exist, or the Hub is
                not running.
            ValueError: The name is not valid; the role is none of these; a permission is misspelled;
                `scopes`, `global_permissions` or `can_read_gated_repos` is given for another role
                than `"fine-grained"`; `expires_in` is not a positive number.
            TypeError: An argument has another type, such as a `str` for a sequence.
        """
    def create_user(
        self,
        /,
        name: str,
        *,
        fullname: str | None = None,
        email: str | None = None,
        password: str | None = None,
    ) -> None:
        """Creates a user.

        Args:
            name: The name; users and organizations share one namespace.
            fullname: The display name.
            email: The e-mail address.
            password: A password, of which only an argon2 hash is stored.

        Raises:
            hubtoken.errors.HubError: The name is taken, or the Hub is not running.
            ValueError: The name is not valid.
        """
    @property
    def data(self, /) -> str:
        """The data folder."""
    def delete_publisher(self, /, id: str) -> None:
        """Deletes a trusted publisher. Tokens that were issued for it are invalid at once.

        Args:
            id: The publisher's ID.

        Raises:
            hubtoken.errors.HubError: There is no such publisher, or the Hub is not running.
        """
    def delete_token(self, /, user: str, token: str) -> None:
        """Deletes a token, which is invalid at once.

        Args:
            user: The owner of the token.
            token: The token's name or ID.

        Raises:
            hubtoken.errors.HubError: The user has no such token, or several of that name; or the
                Hub is not running.
        """
    def deny_login(self, /, user_code: str) -> None:
        """Denies the login of the program that shows a code.

        Args:
            user_code: The code, such as `"BCDF-GHJK"`.

        Raises:
            hubtoken.errors.HubError: No login waits for this code, or the Hub is not running.
        """
    def deny_token(self, /, organization: str, token: str) -> Approval:
        """Denies a token that an organization never approved.

        Args:
            organization: The organization.
            token: The token's ID, or its name if only one listed token has it.

        Returns:
            The new status of the token.

        Raises:
            hubtoken.errors.HubError: As for `approve_token`.
        """
    def end_login(self, /, user: str, login: str) -> None:
        """Ends a login: its access and refresh tokens stop working at once.

        Args:
            user: The user.
            login: The login's ID.

        Raises:
            hubtoken.errors.HubError: The user has no such login, or the Hub is not running.
        """
    @property
    def endpoint(self, /) -> str:
        """The address that clients use.

        For instance `http://127.0.0.1:8080`.
        """
    def environ(self, /) -> dict[str, str]:
        """The variables that make the Hub's libraries use this Hub.

        Returns:
            A dictionary with `HF_ENDPOINT`.

        Raises:
            hubtoken.errors.HubError: The Hub is not running.
        """
    def grant_access(
        self, /, repo: str, user: str, *, type: Literal["model", "dataset", "space"] = "model"
    ) -> None:
        """Grants a user access to a gated repository.

        Args:
            repo: `namespace/name`.
            user: The user.
            type: `"model"`, `"dataset"` or `"space"`.

        Raises:
            hubtoken.errors.HubError: The repository or the user does not exist, or the Hub is not
                running.
            ValueError: `type` is none of these.
        """
    def list_approvals(self, /, organization: str) -> list[Approval]:
        """Lists the members' tokens that requested access to an organization, or were revoked there.

        Args:
            organization: The organization.

        Returns:
            The approvals, pending ones first.

        Raises:
            hubtoken.errors.HubError: The organization does not exist, or the Hub is not running.
        """
    def list_logins(self, /, user: str) -> list[Login]:
        """Lists the logins of programs in the name of a user.

        Args:
            user: The user.

        Returns:
            The logins, newest first.

        Raises:
            hubtoken.errors.HubError: There is no such user, or the Hub is not running.
        """
    def list_publishers(self, /, resource: str | None = None) -> list[Publisher]:
        """Returns the trusted publishers.

        Args:
            resource: Only those of this repository, or of this user; `None` for all.

        Returns:
            The publishers, oldest first.

        Raises:
            hubtoken.errors.HubError: The repository or the user does not exist, or the Hub is not
                running.
            ValueError: The resource is neither the name of a repository nor that of a user.
        """
    def list_tokens(self, /, user: str) -> list[TokenInfo]:
        """Lists a user's tokens, without their values.

        Args:
            user: The owner of the tokens.

        Returns:
            The tokens, oldest first.

        Raises:
            hubtoken.errors.HubError: The user does not exist, or the Hub is not running.
        """
    @property
    def local_endpoint(self, /) -> str:
        """The address for administration and metrics.

        This is the endpoint, or for a Hub with a public address, a separate one on loopback.
        """
    def refresh_token(self, /, user: str, token: str) -> HubToken:
        """Gives a token a new value. The old one is invalid at once.

        Args:
            user: The owner of the token.
            token: The token's name or ID.

        Returns:
            The token with its new value.

        Raises:
            hubtoken.errors.HubError: The user has no such token, or several of that name; or the
                Hub is not running.
        """
    def reload_certificate(self, /) -> None:
        """Reloads the certificate's files; new connections use the new one.

        Raises:
            hubtoken.errors.HubError: They cannot be used; the old certificate stays in use.
        """
    def remove_member(self, /, organization: str, user: str) -> None:
        """Removes a user from an organization.

        Args:
            organization: The organization.
            user: The user.

        Raises:
            hubtoken.errors.HubError: The organization or the user does not exist, or the Hub is not
                running.
        """
    def rename_token(self, /, user: str, token: str, name: str) -> None:
        """Renames a token.

        Args:
            user: The owner of the token.
            token: The token's name or ID.
            name: The new name.

        Raises:
            hubtoken.errors.HubError: The user has no such token, or several of that name, or the Hub
                is not running.
            ValueError: The new name is not valid.
        """
    def request_count(self, /, path: str | None = None) -> int:
        """How many requests have been received.

        Args:
            path: Only count requests to this path, such as `/api/whoami-v2`.

        Returns:
            The number.

        Raises:
            hubtoken.errors.HubError: The Hub is not running.
        """
    def revoke_token(self, /, organization: str, token: str) -> Approval:
        """Blocks a token from an organization, whatever its policy says. It still works elsewhere.

        Args:
            organization: The organization.
            token: The token's ID, or its name if only one listed token has it.

        Returns:
            The new status of the token.

        Raises:
            hubtoken.errors.HubError: As for `approve_token`.
        """
    def set_disabled(
        self, /, repo: str, disabled: bool, *, type: Literal["model", "dataset", "space"] = "model"
    ) -> None:
        """Disables a repository, or enables it again.

        Args:
            repo: `namespace/name`.
            disabled: Whether all access to it is denied.
            type: `"model"`, `"dataset"` or `"space"`.

        Raises:
            hubtoken.errors.HubError: The repository does not exist, or the Hub is not running.
            ValueError: `type` is none of these.
        """
    def set_gated(
        self,
        /,
        repo: str,
        gated: Literal["auto", "manual"] | None,
        *,
        type: Literal["model", "dataset", "space"] = "model",
    ) -> None:
        """Sets or removes a repository's gate.

        Args:
            repo: `namespace/name`.
            gated: `"auto"`, `"manual"`, or `None` for no gate.
            type: `"model"`, `"dataset"` or `"space"`.

        Raises:
            hubtoken.errors.HubError: The repository does not exist, or the Hub is not running.
            ValueError: `type` or `gated` is none of these.
        """
    def set_member(
        self,
        /,
        organization: str,
        user: str,
        role: Literal["admin", "write", "contributor", "read", "no_access"],
    ) -> None:
        """Adds a user to an organization, or changes the user's role.

        Args:
            organization: The organization.
            user: The user.
            role: `"admin"`, `"write"`, `"contributor"`, `"read"` or `"no_access"`.

        Raises:
            hubtoken.errors.HubError: The organization or the user does not exist, or the Hub is not
                running.
            ValueError: The role is none of these.
        """
    def set_token_policy(
        self,
        /,
        organization: str,
        policy: Literal["allow-all", "fine-grained-only", "require-approval"],
    ) -> None:
        """Sets which of its members' tokens an organization accepts. It takes effect at once.

        Args:
            organization: The organization.
            policy: `"allow-all"`; `"fine-grained-only"`; or `"require-approval"`, which accepts
                fine-grained tokens that an administrator approved or owns.

        Raises:
            hubtoken.errors.HubError: The organization does not exist, or the Hub is not running.
            ValueError: The policy is none of these.

        Example:
            >>> import hubtoken
            >>> with hubtoken.hub.Hub() as hub:
            ...     hub.create_organization("acme")
            ...     hub.set_token_policy("acme", "fine-grained-only")
            ...     hub.token_policy("acme")
            'fine-grained-only'
        """
    def start(self, /) -> Hub:
        """Starts the Hub and returns once it accepts connections. Does nothing if it is running.

        Returns:
            The Hub itself.

        Raises:
            hubtoken.errors.HubError: It cannot start; the message has the reason and the fix.
            ValueError: An argument of the constructor is not valid, or does not go with another.
        """
    def stop(self, /) -> None:
        """Stops the Hub and removes a temporary data folder. Does nothing if it is not running."""
    def token_policy(
        self, /, organization: str
    ) -> Literal["allow-all", "fine-grained-only", "require-approval"]:
        """Returns which of its members' tokens an organization accepts.

        Args:
            organization: The organization.

        Returns:
            `"allow-all"`, `"fine-grained-only"` or `"require-approval"`.

        Raises:
            hubtoken.errors.HubError: The organization does not exist, or the Hub is not running.
        """

@final
class HubToken:
    """A Hugging Face token that is opaque: it is masked wherever it is shown.

    Get one from `hubtoken.resolve_token()`, `hubtoken.require_role()` or an embedded Hub, or create
    one from text: as a converter (`type=HubToken` of `argparse`, of a dataclass or of attrs) it
    never shows the value. It is not a `str`, and whatever a `str` has raises a `TypeError`;
    `reveal()` returns one for libraries that need it. As
    `auth=` of `requests` and `httpx` it sets the header for its own Hub only. A pickle carries its
    source but not the value, except in the pickle that `multiprocessing` passes to a process that
    it starts. As the type of a field of a pydantic model it takes what this class takes; errors of
    the field do not show the value, and JSON has the mask.

    A value on a command line is visible to every user of the machine, and the shell keeps it in its
    history. Prefer the environment variable `HF_TOKEN`, which `hubtoken.resolve_token()` reads.

    Args:
        token: The value, or an object with `get_secret_value()`, such as pydantic's `SecretStr`. A
            `HubToken` is returned unchanged.
        endpoint: The Hub that it belongs to; `None` for `HF_ENDPOINT`, or `https://huggingface.co`.

    Raises:
        hubtoken.errors.TokenFormatError: The value is blank, a mask or a placeholder. Not a
            `ValueError`, whose value argument parsers print; for `argparse` itself it is an
            `argparse.ArgumentTypeError` with the same message.
        hubtoken.errors.UntrustedEndpointError: The endpoint must not receive tokens, or a
            `HubToken` belongs to another.
        TypeError: The value is neither text nor a `HubToken`.

    Example:
        >>> import hubtoken
        >>> token = hubtoken.HubToken("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
        >>> token
        HubToken(hf_…keXX, source=argument)
        >>> hubtoken.HubToken(token) is token
        True
    """
    def __call__(self, /, request: object) -> Any:
        """Sets the header of a request, for `auth=` of `requests` and `httpx`.

        A token of huggingface.co is also sent to those of its other hosts that run no user code,
        such as `router.huggingface.co`. A request to any other server is not changed, with one
        warning for each server.

        Args:
            request: The request.

        Returns:
            The same request.

        Raises:
            hubtoken.errors.UntrustedEndpointError: Some parser could read the request's URL as
                another address.
            hubtoken.errors.TokenFormatError: It is not a token of its Hub, but looks like the key
                of another service.
            hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
            hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
                Hub refuses to renew it.
            hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
                exchange was refused when it was repeated.
            TypeError: It is called without a request, by a library that takes it for a function
                which returns the key: pass `token.reveal` there.
        """
    def __copy__(self, /) -> HubToken: ...
    def __deepcopy__(self, memo: object, /) -> HubToken: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __format__(self, format_spec: str, /) -> str: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __init__(
        self, /, token: str | HubToken | SecretValue, *, endpoint: str | None = None
    ) -> None: ...
    def __new__(
        cls, /, token: str | HubToken | SecretValue, *, endpoint: str | None = None
    ) -> HubToken: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form: a reference, and the value only while `multiprocessing` pickles what it
        passes to a process that it is starting.
        """
    def activate(self, /) -> Activation:
        """Makes the Hub's libraries in this process send this token on their own.

        Takes effect at once, and replaces what the same thread activated before without `with`.
        `hubtoken.deactivate()`, or `.deactivate()` of the returned object, restores the state
        before any activation. With `with` it lasts for the block, and afterwards the previous
        activation applies again; inside a block only another `with` may follow. Pushes that run in
        the background outlive a `with`. Activate before worker processes are started: a
        `HubTokenWarning` names those that keep the token that they were started with.

        Returns:
            The activation.

        Raises:
            hubtoken.errors.ConfigurationError: `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set, or was when
                `huggingface_hub` was imported, which would not send the token; a different token is
                active in another thread, or in a `with` block of another thread or task; or the
                call is inside a `with` block of the same thread, and its result is dropped, tested
                or assigned. A result that is passed on has no effect before it is entered.
            hubtoken.errors.UntrustedEndpointError: The libraries are bound to another Hub, or
                `HF_ENDPOINT` must not receive tokens.
            hubtoken.errors.TokenFormatError: It is not a token of its Hub, but looks like the key
                of another service.
            hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
            hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
                Hub refuses to renew it.
            hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
                exchange was refused when it was repeated.

        Example:
            >>> import hubtoken
            >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> with token.activate() as active:
            ...     active is token
            True
        """
    def basic_auth(self, /, username: str = "hf_user") -> tuple[str, str]:
        """The user name and password of basic authentication (RFC 7617), for `auth=` or git.

        A pair of strings is sent to any server: prefer `auth=token`.

        Args:
            username: Any name; the Hub ignores it.

        Returns:
            The name, and the value as a `str` whose `repr` is masked.

        Raises:
            ValueError: The name is not valid Unicode.
            hubtoken.errors.TokenFormatError: It is not a token of its Hub, but looks like the key
                of another service.
            hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
            hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
                Hub refuses to renew it.
            hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
                exchange was refused when it was repeated.

        Example:
            >>> import hubtoken
            >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> token.basic_auth()
            ('hf_user', <revealed token>)
        """
    def bearer(self, /) -> str:
        """The value of a bearer `Authorization` header (RFC 6750), as a `str` whose `repr` is masked.

        Returns:
            The word `Bearer`, a space, and the value.

        Raises:
            hubtoken.errors.TokenFormatError: It is not a token of its Hub, but looks like the key
                of another service.
            hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
            hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
                Hub refuses to renew it.
            hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
                exchange was refused when it was repeated.

        Example:
            >>> import hubtoken
            >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> len(token.bearer())
            44
        """
    @property
    def endpoint(self, /) -> str:
        """The Hub that the token belongs to, without a trailing slash."""
    def environ(self, /, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """An environment for a child process, in which the Hub's libraries send this token.

        Args:
            base: The variables to start from; `None` for `os.environ`.

        Returns:
            A new dictionary with `HF_TOKEN`, `HF_ENDPOINT` and `HUBTOKEN_TOKEN_ORIGIN`, which
            contains the token's source for the child. It has none of the variables that would take
            precedence or keep the libraries from sending the token: `HF_OIDC_RESOURCE`,
            `HF_HUB_DISABLE_IMPLICIT_TOKEN` and `HUGGINGFACE_CO_STAGING`. Where the token itself is
            from an OIDC exchange that the child can repeat, `HF_OIDC_RESOURCE` stays: the child's
            token is then renewed in time.

        Raises:
            hubtoken.errors.TokenFormatError: It is not a token of its Hub, but looks like the key
                of another service.
            hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
            hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
                Hub refuses to renew it.
            hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
                exchange was refused when it was repeated.

        Example:
            >>> import hubtoken
            >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> sorted(token.environ({}))
            ['HF_ENDPOINT', 'HF_TOKEN', 'HUBTOKEN_TOKEN_ORIGIN']
        """
    @property
    def fingerprint(self, /) -> str:
        """The first eight bytes of the value's SHA-256, in hexadecimal, which distinguish tokens in a log."""
    def headers(self, /, url: str | None = None) -> dict[str, str]:
        """The headers that carry the token.

        A token of huggingface.co is also sent to those of its other hosts that run no user code,
        such as `router.huggingface.co`.

        Args:
            url: Where they will be sent. Rejected if that is not the token's own Hub, or if some
                parser could read it as another address.

        Returns:
            A dictionary with `Authorization`.

        Raises:
            hubtoken.errors.UntrustedEndpointError: The URL belongs to another server, or contains a
                user name, a backslash, white space, an encoded host, an odd port or an odd IP
                address.
            hubtoken.errors.TokenFormatError: It is not a token of its Hub, but looks like the key
                of another service.
            hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
            hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
                Hub refuses to renew it.
            hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
                exchange was refused when it was repeated.

        Example:
            >>> import hubtoken
            >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> token.headers("https://huggingface.co/api/models")
            {'Authorization': <revealed token>}
        """
    @property
    def kind(
        self, /
    ) -> Literal["user-access", "organization", "oauth", "jwt", "app", "s3", "opaque"]:
        """The kind of the token, which is `user-access`, `organization`, `oauth`, `jwt`, `app`, `s3` or
        `opaque`.
        """
    @property
    def profile(self, /) -> str | None:
        """The name of the stored token; `None` if it came from elsewhere."""
    def reveal(self, /) -> str:
        """The value, as a `str` whose `repr` is masked. Printing or formatting it shows the value.

        A token of an OIDC exchange has the current value: the exchange is repeated before it ends.

        Returns:
            The value.

        Raises:
            hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.
            hubtoken.errors.InvalidTokenError: The token is of an OAuth login and has expired, and the
                Hub refuses to renew it.
            hubtoken.errors.LoginError: The token is of an OIDC exchange and has ended, and the
                exchange was refused when it was repeated.

        Example:
            >>> import hubtoken
            >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> token.reveal()
            <revealed token>
            >>> len(token.reveal())
            37
        """
    @property
    def source(self, /) -> str:
        """Where the token came from.

        This is `argument`, `oidc`, `env:HF_TOKEN`, `config:<file>`, `file:<path>`, `store:<name>`,
        `command:<program>`, `colab` or `kaggle`. An active token keeps its source.
        """

@final
class Identity:
    """Who a token belongs to, and what it may do, as the Hub reports it."""
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def authentication(self, /) -> str | None:
        """How the request was authenticated, such as `access_token`, `oauth` or `app_token`."""
    @property
    def can_read_gated_repos(self, /) -> bool:
        """Whether a fine-grained token may read public gated repositories."""
    @property
    def created_at(self, /) -> datetime | None:
        """When the token was created."""
    @property
    def email(self, /) -> str | None:
        """The e-mail address, if the token may read it."""
    @property
    def endpoint(self, /) -> str:
        """The Hub that answered."""
    @property
    def expires_at(self, /) -> datetime | None:
        """When the token expires."""
    @property
    def full_name(self, /) -> str | None:
        """The account's display name."""
    @property
    def global_permissions(self, /) -> list[str]:
        """The permissions of a fine-grained token that apply everywhere."""
    @property
    def is_pro(self, /) -> bool | None:
        """Whether the account is a paid one; `None` if the Hub did not report it."""
    @property
    def organizations(self, /) -> list[Organization]:
        """The organizations that the account belongs to."""
    @property
    def role(self, /) -> str | None:
        """`read`, `write`, `fine-grained` or `god`, or a later Hub's role; `None` for OAuth, OIDC and
        app tokens.
        """
    @property
    def scopes(self, /) -> list[Scope]:
        """The permissions of a fine-grained token, by entity."""
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """
    @property
    def token_name(self, /) -> str | None:
        """The token's name on the Hub."""
    @property
    def type(self, /) -> str:
        """`user`, `org` or `app`, or what a later Hub calls another kind."""
    @property
    def user(self, /) -> str:
        """The account's name."""

@final
class Login:
    """A program's login in the name of a user of an embedded Hub."""
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def client(self, /) -> str:
        """The name of the program."""
    @property
    def client_id(self, /) -> str:
        """The OAuth client ID of the program."""
    @property
    def created_at(self, /) -> datetime:
        """When the login began."""
    @property
    def expires_at(self, /) -> datetime | None:
        """When it ends, unless it is refreshed before."""
    @property
    def id(self, /) -> str:
        """24 hexadecimal digits, which stay the same for as long as the login lasts."""
    @property
    def last_used_at(self, /) -> datetime | None:
        """When one of its access tokens was last used; `None` if never. Recorded at most once a
        minute.
        """
    @property
    def scopes(self, /) -> list[str]:
        """The OAuth scopes that were granted; all of them for a program that asked for none."""
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """

@final
class Organization:
    """A membership in an organization."""
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def full_name(self, /) -> str | None:
        """The organization's display name."""
    @property
    def has_resource_groups(self, /) -> bool:
        """Whether the account has a role in some resource group, which may exceed `role_in_org`."""
    @property
    def name(self, /) -> str:
        """The organization's name."""
    @property
    def role_in_org(self, /) -> str | None:
        """`admin`, `write`, `contributor`, `read` or `no_access`, or a later Hub's role; `None` if the
        Hub did not report it.
        """
    @property
    def security_restrictions(self, /) -> list[str]:
        """What blocks this token, such as `token-policy`, `token-revoked`, `mfa`, `sso` or `ip`."""
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """

@final
class Publisher:
    """A trusted publisher of an embedded Hub: the jobs of a CI provider that may exchange their id
    tokens.
    """
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def claims(self, /) -> dict[str, str]:
        """The claims that an ID token must have, and their values."""
    @property
    def created_at(self, /) -> datetime:
        """When the publisher was added."""
    @property
    def has_keys(self, /) -> bool:
        """Whether the issuer's keys were given, so that the Hub does not fetch them."""
    @property
    def id(self, /) -> str:
        """24 hexadecimal digits."""
    @property
    def issuer(self, /) -> str:
        """The issuer of the ID tokens."""
    @property
    def last_used_at(self, /) -> datetime | None:
        """When a token was last issued for it; `None` if never."""
    @property
    def resource(self, /) -> str:
        """The repository that its tokens write to, `namespace/name`, prefixed with `datasets/` or
        `spaces/` where applicable; or the user in whose name they read gated repositories.
        """
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """
    @property
    def user(self, /) -> str:
        """The user in whose name its tokens act."""

@final
class RevokedToken:
    """A value that was to be revoked, and what became of it. It does not hold the value."""
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def fingerprint(self, /) -> str:
        """The first digits of the value's SHA-256 digest, as of a `HubToken`."""
    @property
    def reason(self, /) -> str | None:
        """Why it is not known whether it is dead, or why it was not sent; `None` otherwise."""
    @property
    def state(self, /) -> str:
        """`"dead"` if the Hub no longer accepts it, `"alive"` if it still does, `"unverified"` if it was
        sent and the Hub did not say, or `"not sent"`.
        """
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """
    @property
    def token(self, /) -> str:
        """The mask of the value, such as `hf_…9xQ2`."""

@final
class Scope:
    """The permissions of a fine-grained token on one entity."""
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def entity_name(self, /) -> str | None:
        """`alice`, `acme`, `alice/tiny`, …"""
    @property
    def entity_type(self, /) -> str | None:
        """`user`, `org`, `model`, `dataset`, `space`, …"""
    @property
    def permissions(self, /) -> list[str]:
        """The Hub's permission strings, such as `repo.content.read`."""
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """

@final
class ServiceAccount:
    """An account of an organization that no person signs in to."""
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def created_at(self, /) -> datetime | None:
        """When it was created."""
    @property
    def description(self, /) -> str | None:
        """What it is for."""
    @property
    def id(self, /) -> str:
        """Its ID on the Hub."""
    @property
    def name(self, /) -> str:
        """The display name, which need not be unique."""
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """
    @property
    def tokens(self, /) -> list[ServiceAccountToken] | None:
        """Its tokens, oldest first; `None` if they were not asked for, as in a list of accounts."""
    @property
    def user(self, /) -> str:
        """The name by which logs and commits refer to it."""

@final
class ServiceAccountToken:
    """A token of a service account, without its value."""
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def created_at(self, /) -> datetime | None:
        """When it was created; `None` if the answer did not say."""
    @property
    def endpoint_patterns(self, /) -> list[str]:
        """Patterns of inference endpoints' names; empty for all endpoints."""
    @property
    def expires_at(self, /) -> datetime | None:
        """When it expires; `None` if never."""
    @property
    def id(self, /) -> str:
        """Its ID on the Hub, which stays when the token is rotated."""
    @property
    def last4(self, /) -> str | None:
        """The last characters of the value; `None` if the answer did not have them."""
    @property
    def last_used_at(self, /) -> datetime | None:
        """When it was last used; `None` if never."""
    @property
    def name(self, /) -> str:
        """The display name, which need not be unique."""
    @property
    def permissions(self, /) -> list[str]:
        """The permissions on the whole organization."""
    @property
    def repo_ids(self, /) -> list[str]:
        """The IDs of the repositories for which `repo_permissions` apply instead."""
    @property
    def repo_permissions(self, /) -> list[str]:
        """The permissions on those repositories."""
    @property
    def skip_network_security(self, /) -> bool:
        """Whether it is exempt from the organization's network security."""
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """

@final
class ServiceAccounts:
    """The service accounts of an organization. Get one from `hubtoken.service_accounts()`.

    An account or a token may be given as a record, by its ID, or by its name, if only one has that
    name. A change applies at once, in every client of the Hub.
    """
    def change_token(
        self,
        /,
        account: str | ServiceAccount,
        token: str | ServiceAccountToken,
        *,
        name: str | None = None,
        permissions: Sequence[str] | None = None,
        repos: Sequence[str] | None = None,
        repo_permissions: Sequence[str] | None = None,
        endpoint_patterns: Sequence[str] | None = None,
        skip_network_security: bool | None = None,
    ) -> ServiceAccountToken:
        """Changes a token's name or permissions. What is not given stays as it is.

        Args:
            account: The account.
            token: The token.
            name: As for `create_token`.
            permissions: As for `create_token`.
            repos: As for `create_token`.
            repo_permissions: As for `create_token`.
            endpoint_patterns: As for `create_token`.
            skip_network_security: As for `create_token`.

        Returns:
            The token, as it is now.

        Raises:
            hubtoken.errors.HubError: There is no such account or token, or the Hub refuses a
                property.
            hubtoken.errors.HubTokenError: As for `list`.
            ValueError: As for `create_token`; nothing is given to change.
        """
    def create(self, /, name: str, description: str | None = None) -> ServiceAccount:
        """Creates an account without tokens.

        Args:
            name: The display name, of 50 characters at most.
            description: What it is for, in 500 characters at most.

        Returns:
            The account.

        Raises:
            hubtoken.errors.HubError: The Hub refuses the name or the description.
            hubtoken.errors.HubTokenError: As for `list`. If the answer was lost, the message says
                that the account may have been created.
            ValueError: The name or the description holds a token.
        """
    def create_token(
        self,
        /,
        account: str | ServiceAccount,
        name: str | None = None,
        *,
        permissions: Sequence[str] = ...,
        repos: Sequence[str] = ...,
        repo_permissions: Sequence[str] = ...,
        endpoint_patterns: Sequence[str] = ...,
        skip_network_security: bool = False,
    ) -> tuple[HubToken, ServiceAccountToken]:
        """Creates a token of an account. The Hub shows the value only now, and this call does not stop
        at Ctrl-C before it has it; the `KeyboardInterrupt` then has a note that names the token.

        Args:
            account: The account.
            name: The display name; `None` for the Hub's default.
            permissions: What it may do in the whole organization, such as `"repo.content.read"`,
                `"repo.write"` or `"inference.serverless.write"`.
            repos: Repositories for which `repo_permissions` apply instead: `"acme/model"`,
                `"datasets/acme/x"`, or IDs.
            repo_permissions: `"repo.content.read"` and `"repo.write"`.
            endpoint_patterns: The inference endpoints that the permissions for endpoints are limited
                to, such as `"gpt2-*"`.
            skip_network_security: Whether to exempt the token from the organization's network
                security.

        Returns:
            The token, and what the Hub says about it.

        Raises:
            hubtoken.errors.HubError: There is no such account, or the Hub refuses a property.
            hubtoken.errors.HubTokenError: As for `list`. If the answer was lost, the message says
                that there may be a token whose value nobody knows.
            ValueError: A permission is misspelled, no repository can have the name, or the token's
                name holds a token.
        """
    def delete(self, /, account: str | ServiceAccount) -> None:
        """Deletes an account and all of its tokens, which end at once.

        Args:
            account: The account.

        Raises:
            hubtoken.errors.HubTokenError: As for `get`.
        """
    def delete_token(
        self, /, account: str | ServiceAccount, token: str | ServiceAccountToken
    ) -> None:
        """Deletes a token, which ends at once.

        Args:
            account: The account.
            token: The token.

        Raises:
            hubtoken.errors.HubError: There is no such account or token.
            hubtoken.errors.HubTokenError: As for `list`.
        """
    @property
    def endpoint(self, /) -> str:
        """The Hub."""
    def get(self, /, account: str | ServiceAccount) -> ServiceAccount:
        """Returns an account with its tokens.

        Args:
            account: The account.

        Returns:
            The account.

        Raises:
            hubtoken.errors.HubError: There is no such account or organization, or several accounts
                have that name.
            hubtoken.errors.HubTokenError: As for `list`.
        """
    def list(self, /) -> list[ServiceAccount]:
        """Lists the accounts, oldest first, without their tokens.

        Returns:
            The accounts.

        Raises:
            hubtoken.errors.AccessDeniedError: The token may not see them.
            hubtoken.errors.HubError: There is no such organization.
            hubtoken.errors.InvalidTokenError: The Hub rejects the token.
            hubtoken.errors.VerdictUnknownError: The Hub gave no answer, or an invalid one.
            hubtoken.errors.ConfigurationError: The certificates or the proxy that the environment
                names cannot be used.
        """
    @property
    def organization(self, /) -> str:
        """The organization."""
    def rotate_token(
        self, /, account: str | ServiceAccount, token: str | ServiceAccountToken
    ) -> tuple[HubToken, ServiceAccountToken]:
        """Gives a token a new value, which the Hub shows only now; the old one ends at once. As
        `create_token`, it does not stop at Ctrl-C before it has the value.

        Args:
            account: The account.
            token: The token.

        Returns:
            The token with its new value, and what the Hub says about it.

        Raises:
            hubtoken.errors.HubError: There is no such account or token.
            hubtoken.errors.HubTokenError: As for `list`. If the answer was lost, the message says
                that the old value may no longer work.
        """

@final
class StoredToken:
    """A token that is stored on this machine under a name.

    Example:
        >>> import hubtoken
        >>> [stored.name for stored in hubtoken.stored_tokens() if stored.active]
        []
    """
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def active(self, /) -> bool:
        """Whether it is the token that is used here when none is given. It is not if `HF_TOKEN`, the
        folder's configuration, a command, or a notebook's vault takes precedence with another one.
        """
    @property
    def created_at(self, /) -> datetime | None:
        """When the token was created (UTC); `None` if that is unknown."""
    @property
    def endpoint(self, /) -> str:
        """The Hub that the token belongs to."""
    @property
    def expires_at(self, /) -> datetime | None:
        """When the token expires (UTC), which may be in the past; `None` if it does not expire, or
        that is unknown.
        """
    @property
    def fingerprint(self, /) -> str:
        """The first eight bytes of the value's SHA-256, in hexadecimal.

        It distinguishes tokens in a log.
        """
    @property
    def keyring(self, /) -> bool:
        """Whether its value is in the system's keyring, and not in the file."""
    @property
    def name(self, /) -> str:
        """The name."""
    @property
    def role(self, /) -> str | None:
        """The role at login; `None` if it is unknown."""
    @property
    def selected(self, /) -> bool:
        """Whether `login` or `switch_token` selected it, here or in `huggingface_hub`.

        It is active unless something takes precedence.
        """
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """
    @property
    def token(self, /) -> HubToken:
        """The token. If its value is in the system's keyring, this asks the keyring, which may ask the
        user.
        """
    @property
    def user(self, /) -> str | None:
        """The account; `None` if `huggingface_hub` stored the token."""
    @property
    def verified(self, /) -> bool | None:
        """Whether the Hub has identified it. `False` after `login(..., verify=False)`, until hubtoken
        has learned on this machine whose it is; `None` if `huggingface_hub` stored the token.
        """

@final
class TokenInfo:
    """A token of a user of an embedded Hub, without its value."""
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def created_at(self, /) -> datetime:
        """When the token was created."""
    @property
    def expires_at(self, /) -> datetime | None:
        """When the token expires."""
    @property
    def id(self, /) -> str:
        """24 hexadecimal digits; unchanged when the token is refreshed."""
    @property
    def inference_requests(self, /) -> int:
        """How many inference requests the token has sent."""
    @property
    def last4(self, /) -> str:
        """The last four characters of the value."""
    @property
    def last_used_at(self, /) -> datetime | None:
        """When the token was last used; `None` if never. A use is recorded without making its request
        wait, and at most once a minute: the last one may be up to a minute later than this.
        """
    @property
    def name(self, /) -> str:
        """The token's name, which need not be unique."""
    @property
    def role(self, /) -> Literal["read", "write", "fine-grained"]:
        """`read`, `write` or `fine-grained`."""
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """

@final
class Trace:
    """The status of each source of tokens.

    `print(trace)` and a notebook show it line by line; it contains masks, never values.
    """
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def endpoint(self, /) -> str | None:
        """The Hub that the token belongs to; `None` if there is no token."""
    @property
    def source(self, /) -> str | None:
        """The source of the token that is used; `None` if there is none.

        For instance `env:HF_TOKEN`.
        """
    @property
    def steps(self, /) -> list[TraceStep]:
        """The steps, in the order in which the sources are tried."""
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """
    @property
    def warnings(self, /) -> list[str]:
        """What to mend about the token in use, such as a whole line that was pasted in its place."""

@final
class TraceStep:
    """The status of one source."""
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def answer(
        self, /
    ) -> Literal["found", "shadowed", "absent", "skipped", "refused", "broken", "ignored"]:
        """`found`, `shadowed`, `absent`, `skipped`, `refused`, `broken` or `ignored`."""
    @property
    def detail(self, /) -> str:
        """Details; may be empty."""
    @property
    def mask(self, /) -> str | None:
        """The source's token, masked; `None` if it has none."""
    @property
    def source(self, /) -> str:
        """The source.

        For instance `env:HF_TOKEN` or `file:/home/alice/.cache/huggingface/token`.
        """
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """

@final
class Verdict:
    """A decision with its reason.

    In a condition, allowed is true and denied is false; unknown is neither, and raises
    `VerdictUnknownError` with the reason.
    """
    def __bool__(self, /) -> bool:
        """Whether it is allowed. Raises `VerdictUnknownError` if that is unknown."""
    def __copy__(self, /) -> Self:
        """The same object, which cannot change."""
    def __deepcopy__(self, memo: object, /) -> Self:
        """The same object."""
    def __eq__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Any, /) -> Any:
        """The schema for pydantic."""
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """The pickled form, without any token."""
    @classmethod
    def _restore(cls, state: str, /) -> Self:
        """Restores what was pickled."""
    @property
    def actual(self, /) -> str | None:
        """The role or permission that the token has."""
    @property
    def outcome(self, /) -> Literal["allowed", "denied", "unknown"]:
        """`allowed`, `denied` or `unknown`. Unknown is never a denial."""
    @property
    def reason(self, /) -> str:
        """The reason, as a sentence."""
    @property
    def remedy_url(self, /) -> str | None:
        """The page where a suitable token can be created; `None` if a new token would not help."""
    @property
    def required(self, /) -> str:
        """The role or permission that is needed."""
    @property
    def target(self, /) -> str | None:
        """The repository or namespace; `None` for the Hub as a whole."""
    def to_dict(self, /) -> dict[str, Any]:
        """The attributes, ready for JSON.

        Times are ISO 8601 text, records are dictionaries, and tokens are masks. So is text
        that looks like a token.

        Returns:
            A new dictionary, with the names of the attributes.

        Example:
            >>> import hubtoken
            >>> trace = hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> trace.to_dict()["endpoint"]
            'https://huggingface.co'
        """

def activation_origin(token: HubToken) -> str:
    """The description of a token's source that `activate()` passes to child processes.

    Args:
        token: The token.

    Returns:
        The text for `HUBTOKEN_TOKEN_ORIGIN`, which contains a fingerprint and not the value.
    """

def after_fork() -> None:
    """Gives a forked child fresh state. Registered with `os.register_at_fork`."""

def after_import() -> None:
    """Records whether the thread that imports hubtoken is the main one, which runs signal handlers."""

def ambient_endpoint() -> str:
    """The Hub that ambient tokens belong to: `HF_ENDPOINT`, or `https://huggingface.co`.

    Returns:
        The endpoint, without a trailing slash.

    Raises:
        hubtoken.errors.UntrustedEndpointError: `HF_ENDPOINT` must not receive tokens.
    """

def authorize(
    identity: Identity,
    need: str,
    *,
    repo: str | None = None,
    namespace: str | None = None,
    repo_type: Literal["model", "dataset", "space"] = "model",
) -> Verdict:
    """Decides from an identity alone whether something is allowed. Sends no request.

    It judges the identity that it is given, however old that is. `whoami` may return one that is
    five minutes old: before you deny access, pass `whoami(token, max_age=2)`, as `require_role`
    does.

    The verdict works as a condition: `if hubtoken.authorize(identity, "read", repo=…):` runs its
    block if access is allowed, skips it if access is denied, and raises if that is unknown.

    Args:
        identity: What `whoami` returned.
        need: `"read"`, `"write"`, or a permission such as `"inference.serverless.write"`.
        repo: As for `require_role`.
        namespace: A user or organization, if no repository is meant.
        repo_type: As for `require_role`.

    Returns:
        The verdict. It is unknown if only the Hub could decide, for instance whether another user's
        repository is public; and for a permission that neither this version nor a scope of the
        token lists.

    Raises:
        ValueError: An argument is invalid; a permission is misspelled, and no scope of the token
            lists it under that name.

    Example:
        >>> import hubtoken
        >>> with hubtoken.hub.Hub() as hub:
        ...     hub.create_user("alice")
        ...     token = hub.create_token("alice", name="laptop", role="write")
        ...     identity = hubtoken.whoami(token)
        ...     hubtoken.authorize(identity, "write", repo="bob/x").outcome
        ...     if hubtoken.authorize(identity, "write", repo="alice/x"):
        ...         print("go on")
        'denied'
        go on
    """

def cached_identity(
    token: str | HubToken | SecretValue | None,
    *,
    endpoint: str | None = None,
    max_age: float | None = None,
) -> Identity | None:
    """Returns the cached identity behind a token that a caller has sent: for event loops.

    It sends no request and never waits; `identify` sends one.

    Args:
        token: As for `identify`.
        endpoint: As for `identify`.
        max_age: As for `identify`.

    Returns:
        The identity; `None` if none is cached.

    Raises:
        hubtoken.errors.HubTokenError: As for `identify`.
        ValueError: As for `identify`.
        TypeError: As for `identify`.

    Example:
        >>> import hubtoken
        >>> hubtoken.cached_identity("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX") is None
        True
    """

def check_lifetimes(max_age: float | None, timeout: float | None) -> None:
    """Checks that the lifetimes of a middleware's calls are valid. For `hubtoken.asgi`.

    Args:
        max_age: As for `identify`.
        timeout: As for `identify`.

    Raises:
        ValueError: One of them is not a valid number of seconds.
    """

def check_repository(repo: str, repo_type: str) -> None:
    """Checks that a repository's name and type are valid. For `hubtoken.asgi`.

    Args:
        repo: `namespace/name`.
        repo_type: As for `require_role`.

    Raises:
        ValueError: The name or the type is not valid.
    """

def clear_cache() -> None:
    """Clears what this process has cached, so that the next call starts over.

    This drops the resolved token with the configuration files and the output of commands and
    notebooks that led to it, this process's identities and decisions, failed renewals, and its
    connections to the Hub. What the processes of this machine share on disk stays: `whoami()` may return an identity
    from there, while `whoami(max_age=0)` asks the Hub. A rate limit set by the Hub stays as well.

    Changes to files are noticed, changes to a configuration within a second. This is for the rest:
    a notebook secret that was granted or changed in the meantime, or a command that would return
    another token by now.

    Example:
        >>> import hubtoken
        >>> with hubtoken.hub.Hub() as hub:
        ...     hub.create_user("alice")
        ...     token = hub.create_token("alice", name="laptop", role="read")
        ...     hubtoken.identify(token).user
        ...     hubtoken.clear_cache()
        ...     hubtoken.cached_identity(token) is None
        'alice'
        True
    """

def explain(
    token: str | HubToken | SecretValue | bool | None = None,
    *,
    endpoint: str | None = None,
    profile: str | None = None,
) -> Trace:
    """Returns which token is used, and the status of every other source.

    Args:
        token: As for `resolve_token`.
        endpoint: As for `resolve_token`.
        profile: As for `resolve_token`.

    Returns:
        The trace, even if there is no token.

    Raises:
        hubtoken.errors.HubTokenError: As for `resolve_token`, except for a missing token.
        ValueError: As for `resolve_token`.
        TypeError: As for `resolve_token`.

    Example:
        >>> import hubtoken
        >>> hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX").source
        'argument'
    """

def forget_answer() -> None:
    """Clears the cached token of the environment. For `activate()`, which changes it."""

def get_token() -> str | None:
    """Finds the token to use, as a `str`: `huggingface_hub.get_token()` under its own name.

    It returns the value of what `resolve_token(required=False)` finds. Prefer `resolve_token()`: a
    `HubToken` is masked wherever it is shown and sent to its own Hub only, while a `str` shows the
    value when it is printed or formatted, and goes wherever it is sent.

    Returns:
        The value, as a `str` whose `repr` is masked; `None` if there is no token.

    Raises:
        hubtoken.errors.ConfigurationError: As for `resolve_token`.
        hubtoken.errors.StoreError: As for `resolve_token`.
        hubtoken.errors.TokenFormatError: As for `resolve_token`.
        hubtoken.errors.LoginError: As for `resolve_token`.
        hubtoken.errors.VerdictUnknownError: As for `resolve_token`.
        hubtoken.errors.UntrustedEndpointError: `HF_ENDPOINT` must not receive tokens.

    Example:
        >>> import hubtoken
        >>> hubtoken.get_token() is None
        True
    """

def identify(
    token: str | HubToken | SecretValue | None,
    *,
    endpoint: str | None = None,
    max_age: float | None = None,
    max_stale: float | None = None,
    timeout: float | None = None,
) -> Identity:
    """Identifies the owner of a token that a caller has sent: for servers.

    Like `whoami`, but for tokens of other users. A blank or missing token is an error, and no other
    token is used in its place. A value without the prefix of a Hub token is not sent. A stale
    answer admits no caller unless `max_stale` allows it. Answers are cached in this process's
    memory, within bounds, and never written to disk.

    A call takes about a microsecond if the answer is cached, and a request to the Hub if it is not.
    To keep an event loop from waiting for the Hub, call `cached_identity` first, and then
    `await asyncio.to_thread(hubtoken.identify, token)`. Under gevent, if the program lets it patch
    the standard library, only the greenlet that calls this waits.

    Args:
        token: The token, without the word `Bearer`; `None` for a caller that has sent none.
        endpoint: The Hub that it is for; `HF_ENDPOINT`, or `https://huggingface.co`, by default.
        max_age: The maximum age of a cached answer, in seconds; 0 always sends a request. By
            default 300, and 10 for the answer that the Hub rejects the token.
        max_stale: The maximum age of an answer if the Hub is unavailable, in seconds; 0 by default.
        timeout: As for `whoami`.

    Returns:
        The identity.

    Raises:
        hubtoken.errors.TokenFormatError: There is no token, or the value is not one of the Hub, such
            as a whole `Authorization` header. Respond with status 401.
        hubtoken.errors.InvalidTokenError: The Hub rejects the token. Respond with status 401.
        hubtoken.errors.VerdictUnknownError: The Hub gave no answer. Respond with status 503.
        hubtoken.errors.UntrustedEndpointError: The endpoint must not receive tokens, or is not that
            of the given `HubToken`.
        hubtoken.errors.TokenNotFoundError: The given `HubToken` was unpickled without its value.
        ValueError: `max_age`, `max_stale` or `timeout` is not a number of seconds in range.
        TypeError: The token is neither text, a `HubToken` nor `None`.

    Example:
        >>> import hubtoken
        >>> with hubtoken.hub.Hub() as hub:
        ...     hub.create_user("alice")
        ...     token = hub.create_token("alice", name="laptop", role="read")
        ...     header = f"Bearer {token.reveal()}"
        ...     hubtoken.identify(header.removeprefix("Bearer "), endpoint=hub.endpoint).user
        'alice'
    """

def identify_anew(
    token: str,
    *,
    endpoint: str | None = None,
    max_age: float | None = None,
    timeout: float | None = None,
    spent: float = 0.0,
) -> Identity:
    """Checks whose a caller's token is before the caller is rejected. For `hubtoken.asgi`.

    Args:
        token: As for `identify`.
        endpoint: As for `identify`.
        max_age: The maximum age of a cached answer, in seconds; at most 10, which is the default.
        timeout: As for `identify`.
        spent: How much of it has been spent on the same caller before, in seconds.

    Returns:
        The identity.

    Raises:
        hubtoken.errors.HubTokenError: As for `identify`. A request that the Hub did not answer is
            not repeated before the same time has passed.
    """

def is_known_permission(permission: str) -> bool:
    """Checks the spelling of a permission, where there is no token whose scopes could list it.

    Args:
        permission: The permission.

    Returns:
        Whether this version knows it.

    Raises:
        ValueError: It is misspelled, or is not a valid permission.
    """

def is_sent_anyway(token: HubToken, instead: dict[str, str | None] | None = None) -> bool:
    """Whether `huggingface_hub` sends this very token if it is given none, or makes the same exchange.

    Args:
        token: The token.
        instead: Variables that are assumed to have these values; `None` for one that is not set.

    Returns:
        Whether activation would change nothing.
    """

def login(
    token: str | HubToken | SecretValue | None = None,
    *,
    name: str | None = None,
    endpoint: str | None = None,
    verify: bool = True,
    add_to_git_credential: bool = False,
    role: Literal["read", "write"] | None = None,
    repo: str | None = None,
    repo_type: Literal["model", "dataset", "space"] = "model",
    permissions: list[str] | tuple[str, ...] | None = None,
    keyring: bool = False,
    skip_if_logged_in: bool | None = None,
    new_session: bool | None = None,
) -> StoredToken:
    """Stores a token on this machine, after the Hub has identified it.

    The token becomes the active one, which every library uses, unless it belongs to a Hub other
    than `HF_ENDPOINT`: every library would send it to the wrong one. Warns if a variable such as
    `HF_TOKEN` takes precedence over it.

    Without `token` it prompts: a token that is pasted is not shown, and Enter logs in with the browser
    (RFC 8628). The browser also takes the place of a prompt that nobody can answer. It shows the
    page's address and a code, waits until the login is approved, and prints whose token in which
    role was stored where. An OAuth token is stored with what renews it, as `huggingface_hub` does.

    Args:
        token: The token; `None` prompts for it at the terminal, or in the notebook, or logs in with
            the browser.
        name: The name to store it under; `None` for the Hub's name.
        endpoint: The Hub that the token belongs to; `None` for `HF_ENDPOINT`.
        verify: Whether to ask the Hub about the token. `False` sends no request and stores it even
            if the Hub cannot be reached; `StoredToken.verified` is then `False` until hubtoken has
            learned whose it is. A token without a `name` gets one of the form `token~1a2b3c4d`,
            which a later login replaces by the Hub's.
        add_to_git_credential: Whether to give git's own credential helper a copy as well, as in
            `huggingface_hub`; `logout` takes it back. `hubtoken setup-git` needs no copy.
        role: The role that the token is to have, `"read"` or `"write"`. With this, `repo` or
            `permissions`, the Hub's form for a new token is opened instead of a login in the browser,
            filled in with them, and the token that is created there is pasted at the prompt. A
            token that lacks what was asked for is not stored, whether it was pasted or given; what
            it can do beyond that is a `HubTokenWarning`.
        repo: The repository that it is to have the role on, such as `"acme/model"`.
        repo_type: The type of the repository.
        permissions: The Hub's permissions that it is to have, such as
            `["inference.serverless.write"]`; those that concern repositories on `repo`.
        keyring: Whether to store it in the system's keyring instead of the file. It is then used by
            its name (`profile=`), and not the active token, because `huggingface_hub` reads that
            from a file. `HUBTOKEN_SOURCE_TIMEOUT` sets how long to wait for the keyring, in
            seconds (60).
        skip_if_logged_in: An option of `huggingface_hub`. `True` is an error unless `token` is
            given: a prompt is never skipped here.
        new_session: The same option of earlier versions of `huggingface_hub`, where `False` skips
            the prompt.

    Returns:
        The stored token.

    Raises:
        TypeError: The prompt should be skipped; or git should have a copy of a token that is to be
            in the keyring.
        hubtoken.errors.LoginError: The login in the browser was denied, its code expired, or the Hub
            refused it; `error_code` says which (RFC 8628, section 3.5). Nothing was stored.
        hubtoken.errors.TokenNotFoundError: There is no terminal to prompt for the token, and the Hub
            has no login by browser. The message says which token is in use already, if one is.
        hubtoken.errors.TokenFormatError: The value is blank, a mask or a placeholder, or looks like
            the key of another service; or the name contains a token.
        hubtoken.errors.InvalidTokenError: The Hub rejects the token.
        hubtoken.errors.VerdictUnknownError: The Hub gave no answer (unavailable, a rate limit,
            offline); nothing was stored.
        hubtoken.errors.UntrustedEndpointError: The endpoint must not receive tokens, or is not
            that of the given `HubToken`.
        hubtoken.errors.StoreError: The files cannot be read or written; or the keyring is locked,
            missing, silent, or not asked because this is a CI job.
        TypeError: `token` is neither text nor a `HubToken`.
        ValueError: `role`, `repo`, `repo_type` or a permission is not a valid one, or `repo` is given
            without a role or a permission that is needed on it.
        hubtoken.errors.AccessDeniedError: The token lacks the access that was asked for; nothing was
            stored.
        hubtoken.errors.RepositoryNotFoundError: It cannot read `repo`, as far as the Hub says;
            nothing was stored.

    Example:
        >>> import hubtoken
        >>> try:
        ...     hubtoken.login("hf_xxx")
        ... except hubtoken.TokenFormatError as error:
        ...     print("placeholder" in str(error))
        True
    """

def logout(name: str | None = None, *, token_name: str | None = None) -> None:
    """Removes a stored token from this machine. It stays valid on the Hub.

    A value that is also stored under another name stays the active token, if it is. Warns if there
    is still a token that is used when none is given, and says which: a variable such as `HF_TOKEN`,
    a configuration file, a command, or a notebook's vault has it. A copy that `login(...,
    add_to_git_credential=True)` gave to git is taken back.

    Args:
        name: The stored token; `None` for all of them and the active one, as
            `huggingface_hub.logout()` does.
        token_name: The same under the name that it has in `huggingface_hub`.

    Raises:
        ValueError: The name is not valid Unicode.
        TypeError: Both names are given.
        hubtoken.errors.TokenNotFoundError: There is no stored token of this name.
        hubtoken.errors.UntrustedEndpointError: `HF_ENDPOINT` must not receive tokens.
        hubtoken.errors.StoreError: The files cannot be read or written.

    Example:
        >>> import hubtoken
        >>> hubtoken.logout()
        >>> hubtoken.stored_tokens()
        []
    """

def main() -> int:
    """Runs the `hubtoken` command with the arguments in `sys.argv`.

    Returns:
        The exit code: 0 yes or done, 1 no, 2 wrong usage, 3 unknown, 130 interrupted.
    """

def move_token(name: str, *, keyring: bool) -> None:
    """Moves a stored token to the system's keyring, or back to the file.

    In the keyring it is used by its name (`profile=`). It is not the active token there, because
    `huggingface_hub` reads that from a file: if it was, none is active afterwards. The value is
    written to its new place and read back before it is removed from the old one, so that a crash
    leaves it in at least one of them.

    Args:
        name: The stored token.
        keyring: `True` for the system's keyring, `False` for the file.

    Raises:
        hubtoken.errors.TokenNotFoundError: There is no stored token of this name.
        hubtoken.errors.UntrustedEndpointError: `HF_ENDPOINT` must not receive tokens.
        hubtoken.errors.StoreError: The keyring is locked, missing or silent, its prompt was dismissed,
            or this is a CI job (`CI` is set); or the token renews itself, which the file is needed
            for; or the files cannot be read or written.

    Example:
        >>> import hubtoken
        >>> try:
        ...     hubtoken.move_token("ci", keyring=True)
        ... except hubtoken.TokenNotFoundError as error:
        ...     print(error)
        there is no stored token `ci`: no token is stored
    """

def normalized_endpoint(text: str) -> str:
    """Normalizes an endpoint, so that endpoints can be compared.

    Args:
        text: The endpoint.

    Returns:
        The endpoint, without a trailing slash, its host in lower case.

    Raises:
        hubtoken.errors.UntrustedEndpointError: It must not receive tokens.
    """

def printable(text: str) -> str:
    """Returns a text that `sys.stdout` can encode: the text itself if that is possible.

    Args:
        text: The text.

    Returns:
        The same object, or the text with three dots for U+2026 and escape sequences for everything
        else that standard output cannot encode.
    """

def process_objects() -> dict[str, Any]:
    """The objects that must exist once in a process, by name. They outlive a reload of the Python
    modules. For `hubtoken.reloading`.

    Returns:
        The same dictionary each time.
    """

def rename_token(old: str, new: str) -> str:
    """Gives a stored token another name, on this machine only.

    Args:
        old: The stored token.
        new: Its new name.

    Returns:
        The new name as stored: characters that the file cannot represent are replaced.

    Raises:
        hubtoken.errors.TokenNotFoundError: There is no stored token of the old name.
        hubtoken.errors.TokenFormatError: The new name contains a token.
        hubtoken.errors.UntrustedEndpointError: `HF_ENDPOINT` must not receive tokens.
        hubtoken.errors.StoreError: The new name is taken, or the files cannot be read or written.

    Example:
        >>> import hubtoken
        >>> try:
        ...     hubtoken.rename_token("ci", "old ci")
        ... except hubtoken.TokenNotFoundError as error:
        ...     print(error)
        there is no stored token `ci`: no token is stored
    """

def require_of_caller(
    need: str,
    token: str,
    *,
    repo: str | None = None,
    repo_type: str = "model",
    endpoint: str | None = None,
    max_age: float | None = None,
    timeout: float | None = None,
    spent: float = 0.0,
) -> None:
    """Checks that a caller's token has the access that is needed, where only the Hub can decide. For
    `hubtoken.asgi`.

    Args:
        need: `"read"`, `"write"` or a permission.
        token: As for `identify`.
        repo: The repository, if it is needed on one.
        repo_type: As for `require_role`.
        endpoint: As for `identify`.
        max_age: As for `require_role`.
        timeout: As for `identify`.
        spent: How much of it has been spent on the same caller before, in seconds.

    Raises:
        hubtoken.errors.HubTokenError: As for `require_role`.
    """

def require_permission(
    permission: str,
    token: str | HubToken | SecretValue | bool | None = None,
    *,
    repo: str | None = None,
    namespace: str | None = None,
    repo_type: Literal["model", "dataset", "space"] = "model",
    endpoint: str | None = None,
    profile: str | None = None,
    max_age: float | None = None,
    max_stale: float | None = None,
    timeout: float | None = None,
    on_unknown: Literal["raise", "warn", "allow"] = "raise",
    must_exist: bool = False,
    lasting: timedelta | float | Literal["job"] | None = ...,
) -> HubToken:
    """Checks that a token has one of the Hub's finer permissions.

    `read` and `write` tokens have the permissions of their role; a fine-grained token has those
    that its scopes list. Only `repo.content.read` and `repo.write` on a repository are checked by
    the Hub itself; for all others, the whoami response decides. With `repo=`, the Hub is still
    asked whether the repository exists: a missing one passes, and is logged and warned about as by
    `require_role`, unless `must_exist` rejects it. If the Hub does not answer that, nothing is
    reported.

    A permission that a scope of the token lists counts as granted, whatever its name. Any other
    name within two edits of a permission that hubtoken knows is treated as a typo, and a
    well-formed name that resembles none of them is *unknown*, whatever the token's role: it may
    belong to a later version of the Hub. If the Hub cannot report the scopes (it is unavailable, or
    limits the rate), a typo cannot be distinguished from such a name; the result is then unknown
    and names what was most likely meant, and `on_unknown="allow"` warns about it.

    Args:
        permission: A permission such as `"inference.serverless.write"`.
        token: As for `resolve_token`.
        repo: As for `require_role`.
        namespace: A user or organization on which the permission is needed.
        repo_type: As for `require_role`.
        endpoint: As for `resolve_token`.
        profile: As for `resolve_token`.
        max_age: As for `require_role`.
        max_stale: As for `require_role`.
        timeout: As for `require_role`.
        on_unknown: As for `require_role`.
        must_exist: As for `require_role`.
        lasting: As for `require_role`.

    Returns:
        The token.

    Raises:
        hubtoken.errors.InsufficientRoleError: The token lacks the permission; the message says which
            of its role, its scopes and its user's role in the organization are not enough.
        hubtoken.errors.RepositoryDisabledError: As for `require_role`.
        hubtoken.errors.AccessDeniedError: As for `require_role`.
        hubtoken.errors.InvalidTokenError: As for `require_role`.
        hubtoken.errors.RepositoryNotFoundError: The repository does not exist, and `must_exist` is
            set or the permission is `repo.content.read`.
        hubtoken.errors.VerdictUnknownError: As for `require_role`; also for a permission that this
            version does not know.
        hubtoken.errors.TokenNotFoundError: As for `whoami`.
        hubtoken.errors.TokenFormatError: As for `whoami`.
        hubtoken.errors.UntrustedEndpointError: As for `whoami`.
        hubtoken.errors.StoreError: As for `whoami`.
        hubtoken.errors.LoginError: As for `whoami`.
        hubtoken.errors.ConfigurationError: As for `whoami`. A project's `role` and `repo` are not
            used.
        ValueError: The permission is misspelled or not a valid one; `repo` or `namespace` is not a
            valid name, or both are given; `must_exist` without a repository; `lasting` is negative
            or more than 100 years; another argument has none of its allowed values.
        TypeError: The token is neither text, a `HubToken`, a `bool` nor `None`; `lasting` has
            another type.

    Example:
        >>> import hubtoken
        >>> with hubtoken.hub.Hub() as hub:
        ...     hub.create_user("alice")
        ...     token = hub.create_token("alice", name="laptop", role="write")
        ...     hubtoken.require_permission("inference.serverless.write", token) is token
        ...     try:
        ...         hubtoken.require_permission("inference.serverles.write", token)
        ...     except ValueError as error:
        ...         print(str(error).partition(": ")[2])
        True
        did you mean `inference.serverless.write`?
    """

def require_role(
    role: Literal["read", "write"] | None = None,
    token: str | HubToken | SecretValue | bool | None = None,
    *,
    repo: str | Literal[False] | None = None,
    repo_type: Literal["model", "dataset", "space"] = "model",
    endpoint: str | None = None,
    profile: str | None = None,
    max_age: float | None = None,
    max_stale: float | None = None,
    timeout: float | None = None,
    on_unknown: Literal["raise", "warn", "allow"] = "raise",
    must_exist: bool = False,
    lasting: timedelta | float | Literal["job"] | None = ...,
) -> HubToken:
    """Checks that a token has a role, before the expensive call.

    The first call requests the token's identity from the Hub, and with `repo=` also whether it has
    access; a call within the answers' lifetimes sends no request. Before a *no*, the Hub is asked
    once more, unless it answered less than 2 seconds ago (doubling to 60 while the same *no*
    repeats), so that a fix takes effect at once. Organization roles and fine-grained scopes count.

    A repository that does not exist yet does not prevent `write`: the right to create it decides.
    That it is missing is logged (logger `hubtoken`, level `INFO`), and a `HubTokenWarning` names
    what may have been meant: repositories of that namespace within two edits, and one of another
    type with exactly that name. The Hub is asked for those once per name, for at most two seconds,
    and not while it limits the rate.

    A project's configuration provides the defaults: its `role`, and its `repo`, which is then the
    target. The user's own file provides what the project's leaves out, but never its `repo` for a
    role that the project names.

    Args:
        role: `"read"` or `"write"`; `None` for the project's.
        token: As for `resolve_token`.
        repo: The repository: `"name"` in your own namespace, `"namespace/name"`, or with a type
            prefix, `"datasets/namespace/name"`; `None` for the project's, if it names one; `False`
            for none in particular.
        repo_type: `"model"`, `"dataset"` or `"space"`.
        endpoint: As for `resolve_token`.
        profile: As for `resolve_token`.
        max_age: The maximum age of cached answers, in seconds; 0 always sends a request. By default
            300 for the identity and 60 for the Hub's answer about a repository. No answer is used
            after the token is known to have expired.
        max_stale: The maximum age of an identity if the Hub is unavailable, in seconds; 24 hours by
            default.
        timeout: How long to wait for the Hub, in seconds, for all of its answers together; 10 by
            default.
        on_unknown: What to do if the result is unknown: `"raise"`, `"warn"` or `"allow"`.
        must_exist: Whether a repository that does not exist yet is a `RepositoryNotFoundError`.
        lasting: How long the token is needed, as a `timedelta` or in seconds: it is denied if it is
            known to end before that and does not renew itself. By default, or with `"job"`, to the
            end of the Slurm job that this process belongs to (`SLURM_JOB_END_TIME`), if it belongs
            to one; `None` if the token's end does not matter.

    Returns:
        The token.

    Raises:
        hubtoken.errors.InsufficientRoleError: The token's role, its scopes, or its user's role in
            the organization are not enough; the message says which.
        hubtoken.errors.RepositoryDisabledError: The repository is disabled for every token.
        hubtoken.errors.AccessDeniedError: The Hub denies access for another reason; or the token ends
            too early, see `lasting`.
        hubtoken.errors.InvalidTokenError: The Hub rejects the token.
        hubtoken.errors.RepositoryNotFoundError: There is nothing to read, or with `must_exist`
            nothing at all.
        hubtoken.errors.VerdictUnknownError: The result is unknown; or an earlier *no* could not be
            confirmed, and is quoted.
        hubtoken.errors.TokenNotFoundError: As for `whoami`.
        hubtoken.errors.TokenFormatError: As for `whoami`.
        hubtoken.errors.UntrustedEndpointError: As for `whoami`.
        hubtoken.errors.StoreError: As for `whoami`.
        hubtoken.errors.LoginError: As for `whoami`.
        hubtoken.errors.ConfigurationError: A configuration file is broken or contains what it must
            not, and one of its values would be used; or the call names no role, and one is named by
            a file that is ignored because it belongs to another user.
        ValueError: Neither the caller nor the project names a role; `must_exist` without a
            repository; `lasting` is negative or more than 100 years; an argument has none of its
            allowed values.
        TypeError: `token`, `repo` or `lasting` has another type.

    Example:
        >>> import hubtoken
        >>> with hubtoken.hub.Hub() as hub:
        ...     hub.create_user("alice")
        ...     token = hub.create_token("alice", name="laptop", role="write")
        ...     hubtoken.require_role("write", token, repo="alice/new") is token
        ...     try:
        ...         hubtoken.require_role("write", token, repo="alice/new", must_exist=True)
        ...     except hubtoken.RepositoryNotFoundError:
        ...         print("not there yet")
        True
        not there yet
    """

@overload
def resolve_token(
    token: Literal[False],
    *,
    endpoint: str | None = None,
    profile: str | None = None,
    required: bool = True,
) -> None: ...
@overload
def resolve_token(
    token: str | HubToken | SecretValue | Literal[True] | None = None,
    *,
    endpoint: str | None = None,
    profile: str | None = None,
    required: Literal[True] = True,
) -> HubToken: ...
@overload
def resolve_token(
    token: str | HubToken | SecretValue | bool | None = None,
    *,
    endpoint: str | None = None,
    profile: str | None = None,
    required: bool = True,
) -> HubToken | None:
    """Finds the token to use.

    Sources are tried in order: the argument, an OIDC exchange if `HF_OIDC_RESOURCE` asks for one,
    `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, the source that
    a configuration file names (a stored token, a command, a token file), the active token file of
    `huggingface_hub`, and in a Colab or Kaggle notebook its secret `HF_TOKEN`. Files are read again
    when they change. A command's token is reused for five minutes, or until a minute before the
    expiry that it reported; a notebook is asked once, for at most 60 seconds
    (`HUBTOKEN_SOURCE_TIMEOUT`). Only an exchange sends requests; its token is reused until five
    minutes before its end. The OAuth token of a login is renewed when it is used, if its end is near.

    Args:
        token: A token as text, as `HubToken`, or as an object with `get_secret_value()`, such as
            pydantic's `SecretStr`; `True` for the environment's; `False` for none; `None` for the
            environment's unless `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
        endpoint: The Hub that the token is for, such as `https://huggingface.co`.
        profile: The name of a stored token, which is then the only source.
        required: Whether a missing token is an error. Broken sources that were requested by name
            are errors in any case.

    Returns:
        The token; `None` for `token=False`, or if there is none and it is not required.

    Raises:
        hubtoken.errors.TokenNotFoundError: No source has a token; the message lists them. Or no
            stored token has the name `profile`.
        hubtoken.errors.TokenFormatError: The argument, or a source that was requested by name, is
            blank, a mask or a placeholder.
        hubtoken.errors.UntrustedEndpointError: The token belongs to another Hub than `endpoint`, or
            an endpoint must not receive tokens.
        hubtoken.errors.ConfigurationError: A configuration file is broken or contains what it must
            not, and no source above it has a token; if one has, that is a `HubTokenWarning`.
        hubtoken.errors.StoreError: A source that was requested by name cannot be read.
        hubtoken.errors.LoginError: The exchange that `HF_OIDC_RESOURCE` asks for was refused.
        hubtoken.errors.VerdictUnknownError: It had no answer.
        ValueError: A token and a profile are both given.
        TypeError: The token is neither text, a `HubToken`, a `bool` nor `None`.

    Example:
        >>> import hubtoken
        >>> hubtoken.resolve_token(" hf_FakeFakeFakeFakeFakeFakeFakeFakeXX ").kind
        'user-access'
    """

def restore(
    source: str,
    name: str | None,
    endpoint: str,
    fingerprint: str,
    mask: str,
    value: str | None = None,
    ends_at: int | None = None,
    renewal: tuple[str, int, int | None] | None = None,
) -> HubToken:
    """Restores a `HubToken` from a pickle. Sends no request and reads no source.

    Args:
        source: The source's label.
        name: The name of the stored token, or what the exchange of the token was for.
        endpoint: The Hub.
        fingerprint: The fingerprint.
        mask: The mask.
        value: The value, only in the pickle for a process that is being started.
        ends_at: When the value is known to expire, in Unix milliseconds.
        renewal: The stored token that renews the value, when that is due, and when the value was
            issued, in Unix seconds.

    Returns:
        The token if the pickle carries it or it is alive in this process, else one that is looked
        up on first use.
    """

def restore_record(record: type[Any], state: str) -> Any:
    """Restores a record, such as an `Identity`, from a pickle.

    Args:
        record: The class.
        state: The record's text.

    Returns:
        An object of the class.

    Raises:
        ValueError: The pickle was changed.
    """

def revoke(
    token: str
    | HubToken
    | SecretValue
    | list[str | HubToken]
    | tuple[str | HubToken, ...]
    | None = None,
    *,
    name: str | None = None,
    leaked: str | PathLike[str] | None = None,
    endpoint: str | None = None,
    timeout: float | None = None,
) -> list[RevokedToken]:
    """Makes the Hub invalidate tokens, at once and for everybody, which cannot be undone.

    What the Hub was sent is removed from this machine as well: from the stored tokens, from what is
    cached, and from git's own helper. Then whoami is asked whether each token is dead, until the Hub
    limits the rate. The Hub takes a thousand values in one request.

    Args:
        token: The token, or a list of tokens. A text may be a pasted line, or several.
        name: The name of a stored token.
        leaked: A file of any kind, such as a log or a notebook, in which all that looks like a secret
            of the Hub is revoked.
        endpoint: The Hub of values given as text or in a file; `HF_ENDPOINT` by default. A
            `HubToken` and a stored token have their own.
        timeout: How long to wait for each answer of whoami, in seconds; 10 by default.

    Returns:
        Each value's mask and state, in the order in which they were given. Values of more than 200
        characters, as OAuth logins have, and keys of other services are not sent, and say so. If the
        Hub takes some requests and then no more, a `HubTokenWarning` says why.

    Raises:
        hubtoken.errors.TokenFormatError: There is no token of a Hub in what was given.
        hubtoken.errors.TokenNotFoundError: There is no stored token of this name.
        hubtoken.errors.HubUnreachableError: The Hub could not be reached; nothing was revoked.
        hubtoken.errors.RateLimitedError: The Hub limits the rate; nothing was revoked.
        hubtoken.errors.OfflineError: `HF_HUB_OFFLINE` is set; nothing was revoked.
        hubtoken.errors.VerdictUnknownError: The Hub's answer cannot be used.
        hubtoken.errors.LoginError: The Hub refused the request; nothing was revoked.
        hubtoken.errors.UntrustedEndpointError: The endpoint must not receive tokens.
        hubtoken.errors.StoreError: The stored token cannot be read.
        ValueError: Nothing or more than one thing is given; the tokens belong to several Hubs; the
            file is no plain file, cannot be read, or has more than 100,000 values; `endpoint` is not
            the Hub of a `HubToken`.
        TypeError: `token` is neither text, a `HubToken`, nor a list of these.

    Example:
        >>> import hubtoken
        >>> with hubtoken.hub.Hub() as hub:
        ...     hub.create_user("alice")
        ...     token = hub.create_token("alice", name="leaked", role="write")
        ...     [revoked] = hubtoken.revoke(token)
        ...     revoked.state
        'dead'
    """

def service_accounts(
    organization: str,
    token: str | HubToken | SecretValue | bool | None = None,
    *,
    endpoint: str | None = None,
    profile: str | None = None,
    timeout: float | None = None,
) -> ServiceAccounts:
    """Returns the service accounts of an organization, to read and to change them. Sends no request.

    A service account belongs to an organization and to no person, so its tokens do not end when
    somebody leaves. Its tokens work in the organization alone.

    Args:
        organization: The organization.
        token: As for `resolve_token`: a token of one of the organization's administrators, with the
            role `write`, or fine-grained with `org.serviceAccounts.write` (to read:
            `org.serviceAccounts.read`).
        endpoint: As for `resolve_token`.
        profile: As for `resolve_token`.
        timeout: How long to wait for each answer of the Hub, in seconds; 10 by default.

    Returns:
        An object with the methods that read and change them.

    Raises:
        hubtoken.errors.TokenNotFoundError: As for `whoami`.
        hubtoken.errors.TokenFormatError: As for `whoami`.
        hubtoken.errors.UntrustedEndpointError: As for `whoami`.
        hubtoken.errors.ConfigurationError: As for `whoami`.
        hubtoken.errors.StoreError: As for `whoami`.
        ValueError: No organization can have the name; `timeout` is not a number of seconds in
            range; a token and a profile are both given.
        TypeError: The token is neither text, a `HubToken`, a `bool` nor `None`.

    Example:
        >>> import hubtoken
        >>> with hubtoken.hub.Hub() as hub:
        ...     hub.create_user("alice")
        ...     hub.create_organization("acme")
        ...     hub.set_member("acme", "alice", "admin")
        ...     token = hub.create_token("alice", name="laptop", role="write")
        ...     accounts = hubtoken.service_accounts("acme", token)
        ...     nightly = accounts.create("Nightly build")
        ...     runner, _ = accounts.create_token(nightly, "runner", permissions=["repo.write"])
        ...     runner.kind, hubtoken.whoami(runner).type
        ('app', 'app')
    """

def stored_tokens() -> list[StoredToken]:
    """Returns the tokens that are stored on this machine, by `hubtoken` or by `huggingface_hub`.

    No request is sent, no command is run, and neither a notebook nor the keyring is asked. A stored value that is not a
    token is left out with a warning.

    Returns:
        The stored tokens, in the order of the file.

    Raises:
        hubtoken.errors.UntrustedEndpointError: `HF_ENDPOINT` must not receive tokens.
        hubtoken.errors.StoreError: The files cannot be read or understood.

    Example:
        >>> import hubtoken
        >>> for stored in hubtoken.stored_tokens():
        ...     print(stored.name, stored.endpoint, stored.expires_at, stored.active)
    """

def switch_token(name: str) -> None:
    """Makes a stored token the active one, which every library uses if it is given none.

    Warns if a variable such as `HF_TOKEN` takes precedence over it, or if it looks like the key of
    another service.

    Args:
        name: The stored token.

    Raises:
        ValueError: The name is not valid Unicode.
        hubtoken.errors.TokenNotFoundError: There is no stored token of this name.
        hubtoken.errors.UntrustedEndpointError: It belongs to another Hub than `HF_ENDPOINT`.
        hubtoken.errors.StoreError: The files cannot be read or written.

    Example:
        >>> import hubtoken
        >>> try:
        ...     hubtoken.switch_token("ci")
        ... except hubtoken.TokenNotFoundError as error:
        ...     print(error)
        there is no stored token `ci`: no token is stored
    """

def token_mask(token: HubToken) -> str:
    """The mask of a token, which stands for it where only text is possible.

    Args:
        token: The token.

    Returns:
        The mask, such as `hf_…keXX`, in a form that `print` can write.
    """

def whoami(
    token: str | HubToken | SecretValue | bool | None = None,
    *,
    endpoint: str | None = None,
    profile: str | None = None,
    max_age: float | None = None,
    max_stale: float | None = None,
    timeout: float | None = None,
) -> Identity:
    """Returns whose a token is, as the Hub reports it.

    An answer is cached for 300 seconds, and a rejection for 2, doubling to 10 while it persists.
    However many threads or processes of this machine call this at once, only one request is sent.
    For the tokens of other users, see `identify`.

    Args:
        token: As for `resolve_token`.
        endpoint: As for `resolve_token`.
        profile: As for `resolve_token`.
        max_age: The maximum age of a cached answer, in seconds; 0 always sends a request.
        max_stale: The maximum age of an answer if the Hub is unavailable, in seconds; 24 hours by
            default.
        timeout: How long to wait for the Hub, in seconds, from the start of the call to its end,
            also behind another caller's request; 10 by default.

    Returns:
        The identity.

    Raises:
        hubtoken.errors.InvalidTokenError: The Hub rejects the token.
        hubtoken.errors.VerdictUnknownError: The Hub gave no answer, or an invalid one.
        hubtoken.errors.TokenNotFoundError: There is no token, or none is stored under that name, or
            `token=False` asks for none.
        hubtoken.errors.TokenFormatError: The argument, or a source that was requested by name, is
            blank, a mask or a placeholder; or the token looks like the key of another service, and
            was not sent.
        hubtoken.errors.UntrustedEndpointError: The token belongs to another Hub than `endpoint`, or
            the endpoint must not receive tokens.
        hubtoken.errors.ConfigurationError: A configuration file is broken or contains what it must
            not, and no source above it has a token.
        hubtoken.errors.StoreError: A source that was requested by name cannot be read.
        hubtoken.errors.LoginError: The exchange that `HF_OIDC_RESOURCE` asks for was refused.
        ValueError: `max_age`, `max_stale` or `timeout` is not a number of seconds in range; a token
            and a profile are both given.
        TypeError: The token is neither text, a `HubToken`, a `bool` nor `None`.

    Example:
        >>> import hubtoken
        >>> with hubtoken.hub.Hub() as hub:
        ...     hub.create_user("alice")
        ...     token = hub.create_token("alice", name="laptop", role="write")
        ...     hubtoken.whoami(token).role
        'write'
    """
