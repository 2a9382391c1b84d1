# Written by `make stubs` from the Rust source. Do not edit.

"""The compiled part of hubtoken. Import from `hubtoken` instead."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from os import PathLike
from typing import Any, Final, Literal, final

from hubtoken.activation import Activation

__all__ = [
    "__version__",
    "Approval",
    "AuditEntry",
    "Hub",
    "HubToken",
    "Identity",
    "Organization",
    "Scope",
    "StoredToken",
    "TokenInfo",
    "Trace",
    "TraceStep",
    "Verdict",
    "activation_origin",
    "after_fork",
    "after_import",
    "ambient_endpoint",
    "authorize",
    "check_repository",
    "explain",
    "forget_answer",
    "identify",
    "identify_anew",
    "is_known_permission",
    "is_sent_anyway",
    "login",
    "logout",
    "main",
    "normalized_endpoint",
    "recall",
    "reload",
    "rename",
    "require_of_caller",
    "require_permission",
    "require_role",
    "resolve_token",
    "restore",
    "restore_trace",
    "stored_tokens",
    "switch",
    "whoami",
]

__version__: Final[str]
"""
The version of hubtoken.
"""

@final
class Approval:
    """A token that asked an organization of an embedded Hub to be let in, or was shut out of it."""
    @property
    def asked_at(self, /) -> datetime:
        """When the token asked; when it was revoked, if it never did."""
    @property
    def decided_at(self, /) -> datetime | None:
        """When somebody decided."""
    @property
    def decided_by(self, /) -> str | None:
        """Who decided: a user's name, or `admin-key` or `program`."""
    @property
    def status(self, /) -> str:
        """`pending`, `approved`, `denied` or `revoked`."""
    @property
    def token(self, /) -> TokenInfo:
        """The token."""
    @property
    def user(self, /) -> str:
        """The member whose token it is."""

@final
class AuditEntry:
    """A line of an embedded Hub's audit log: who did what to what, when, and from where."""
    @property
    def act(self, /) -> str:
        """What was done, such as `token.create`."""
    @property
    def actor(self, /) -> str:
        """Who did it: `user`, `admin-key`, `program` or `nobody`."""
    @property
    def actor_name(self, /) -> str | None:
        """The name of the user who did it."""
    @property
    def actor_token(self, /) -> str | None:
        """The id of the token with which the user did it."""
    @property
    def address(self, /) -> str | None:
        """The address it was done from."""
    @property
    def at(self, /) -> datetime:
        """When it was done."""
    @property
    def detail(self, /) -> str | None:
        """What it became: a role, a policy, settings."""
    @property
    def id(self, /) -> int:
        """Grows from entry to entry."""
    @property
    def last4(self, /) -> str | None:
        """The last four characters of that token's value; of the new one, after a refresh."""
    @property
    def organization(self, /) -> str | None:
        """The organization it was done in."""
    @property
    def repository(self, /) -> str | None:
        """The repository it was done to."""
    @property
    def token_id(self, /) -> str | None:
        """The id of the token it was done to."""
    @property
    def token_name(self, /) -> str | None:
        """The name of the token it was done to."""
    @property
    def user(self, /) -> str | None:
        """The user it was done to."""

@final
class Hub:
    """A Hub in this process: users, organizations, tokens and repositories over HTTP.

    Clients of the Hub work against it unchanged. Use it with `with`, or call `start` and `stop`.

    Args:
        data: The folder for everything that it must remember; `None` for a temporary one that is
            removed at the end.
        host: `127.0.0.1`, `localhost` or `::1`; with a certificate any address of the machine.
        port: The port; 0 for a free one.
        whoami_limit: How many whoami calls are answered in a window; `None` for all.
        whoami_window: The length of a window, in seconds.
        audit_days: For how many days the audit log is kept.
        tls_cert: The file of the certificate, and of those that lead to its root, in PEM. It is
            read again when it changes.
        tls_key: The file of its key, which nobody but owner and group may read.
        base_url: Under which address clients know the Hub, such as `https://hub.example`. A Hub
            with a certificate or behind a proxy answers for that host alone.
        behind_proxy: Whether a proxy on this machine speaks TLS for the Hub. It is believed what
            it says of clients' addresses in `X-Forwarded-For`.
        local_port: The port on 127.0.0.1 for administration and metrics, when others reach the
            Hub; 0 for a free one.
        connections: How many connections are served at once.
        connections_per_address: How many of them one address may have; 0 for any number.
        upstreams: The servers behind the inference API, by model: `{"alice/tiny":
            "http://127.0.0.1:8000"}`; `"*"` is every other model.
        upstream_keys: The files of the keys that they want, by model. Nobody but owner and group
            may read them.
        upstream_timeout: How long such a server may say nothing, in seconds.
        inference_limit: How many requests to models a token may make in a window; `None` for any
            number.
        inference_window: The length of that window, in seconds.
        grace: How long requests under way may go on when the Hub stops, in seconds.
        log_format: `"text"` or `"json"`: how a line looks that is written to standard error.
        log_level: `"off"`, `"error"`, `"warn"` or `"info"`.
        lfs: Whether uploads by API send large files to Git LFS. `huggingface_hub` follows only where
            `HF_HUB_DISABLE_XET=1` is set; `git lfs` works either way.

    Raises:
        ValueError: A word is none of these, one of `tls_cert` and `tls_key` is missing, or
            `upstream_keys` names a model that `upstreams` does not.

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
        log_format: str = "text",
        log_level: str = "off",
        lfs: bool = False,
    ) -> Hub: ...
    @property
    def admin_key(self, /) -> str:
        """The key of the administration API, as a `str` whose `repr` is masked."""
    def approve_token(self, /, organization: str, token: str) -> Approval:
        """Lets a token in to an organization. Also takes a revocation back.

        Args:
            organization: The organization.
            token: The token's id, or its name if only one of those that asked has it.

        Returns:
            Where the token stands now.
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
            user: What this user did, and what was done to them.
            organization: What was done in this organization.
            act: What was done, such as `"token.refresh"`, or `"token"` for all of its kind.
            since: Not before this; a `datetime` with a time zone.
            before: Entries with a smaller id than this: the next page.
            limit: How many entries; 1000 at most.

        Returns:
            The entries, the newest first.

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
        role: str,
        scopes: Mapping[str, Sequence[str]] | None = None,
        global_permissions: Sequence[str] | None = None,
        can_read_gated_repos: bool = False,
    ) -> None:
        """Gives a token other permissions. Organizations that approved it are asked again.

        Args:
            user: Whose token it is.
            token: Its name or id.
            role: `"read"`, `"write"` or `"fine-grained"`.
            scopes: For a fine-grained token, permissions by what they are for, as in
                `create_token`.
            global_permissions: For a fine-grained token, permissions for everything.
            can_read_gated_repos: For a fine-grained token, whether it reads the public gated
                repositories that its user may read.
        """
    def create_organization(self, /, name: str, *, fullname: str | None = None) -> None:
        """Creates an organization.

        Args:
            name: The name; users and organizations share theirs.
            fullname: The name for people.
        """
    def create_repository(
        self, /, repo: str, *, type: str = "model", private: bool = False, gated: str | None = None
    ) -> None:
        """Creates a repository.

        Args:
            repo: `namespace/name`.
            type: `"model"`, `"dataset"` or `"space"`.
            private: Whether only those see it who may read its namespace.
            gated: `"auto"` or `"manual"` for a gate; `None` for none.
        """
    def create_token(
        self,
        /,
        user: str,
        *,
        name: str,
        role: str,
        scopes: Mapping[str, Sequence[str]] | None = None,
        global_permissions: Sequence[str] | None = None,
        can_read_gated_repos: bool = False,
        expires_in: float | None = None,
    ) -> HubToken:
        """Creates a token. The Hub keeps a digest; the value is in what is returned and nowhere else.

        Args:
            user: Whose token it is.
            name: The token's name.
            role: `"read"`, `"write"` or `"fine-grained"`.
            scopes: For a fine-grained token, permissions by what they are for: `"alice"` (a user
                or an organization), `"alice/tiny"` (a model), `"datasets/alice/x"`,
                `"spaces/alice/x"`. A repository must exist.
            global_permissions: For a fine-grained token, permissions for everything.
            can_read_gated_repos: For a fine-grained token, whether it reads the public gated
                repositories that its user may read.
            expires_in: After how many seconds the token ends; `None` for never.

        Returns:
            The token, for this Hub.

        Raises:
            hubtoken.errors.HubError: There is no such user, scope or role.
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
            name: The name; users and organizations share theirs.
            fullname: The name for people.
            email: The e-mail address.
            password: A password, of which only an argon2 hash is kept.
        """
    @property
    def data(self, /) -> str:
        """The data folder."""
    def delete_token(self, /, user: str, token: str) -> None:
        """Deletes a token. It dies at once.

        Args:
            user: Whose token it is.
            token: Its name or id.
        """
    def deny_token(self, /, organization: str, token: str) -> Approval:
        """Turns down a token that an organization never let in.

        Args:
            organization: The organization.
            token: The token's id, or its name if only one of those that asked has it.

        Returns:
            Where the token stands now.
        """
    @property
    def endpoint(self, /) -> str:
        """Where clients find the Hub, such as `http://127.0.0.1:8080`."""
    def environ(self, /) -> dict[str, str]:
        """The variables that point the Hub's libraries at this Hub.

        Returns:
            A dictionary with `HF_ENDPOINT`.
        """
    def grant_access(self, /, repo: str, user: str, *, type: str = "model") -> None:
        """Lets a user through a repository's gate.

        Args:
            repo: `namespace/name`.
            user: The user.
            type: `"model"`, `"dataset"` or `"space"`.
        """
    def list_approvals(self, /, organization: str) -> list[Approval]:
        """Lists the members' tokens that asked an organization to be let in, or were shut out.

        Args:
            organization: The organization.

        Returns:
            The approvals; those that wait come first.
        """
    def list_tokens(self, /, user: str) -> list[TokenInfo]:
        """Lists a user's tokens, without their values.

        Args:
            user: Whose tokens.

        Returns:
            The tokens, the oldest first.
        """
    @property
    def local_endpoint(self, /) -> str:
        """Where administration and metrics are: the endpoint, or when others reach the Hub an address
        on loopback.
        """
    def refresh_token(self, /, user: str, token: str) -> HubToken:
        """Gives a token a new value. The old one dies at once.

        Args:
            user: Whose token it is.
            token: Its name or id.

        Returns:
            The token with its new value.
        """
    def reload_certificate(self, /) -> None:
        """Reads the certificate's files again; new connections get the new one.

        Raises:
            hubtoken.errors.HubError: They cannot be used; the old certificate stays in use.
        """
    def remove_member(self, /, organization: str, user: str) -> None:
        """Ends a membership.

        Args:
            organization: The organization.
            user: The user.
        """
    def rename_token(self, /, user: str, token: str, name: str) -> None:
        """Renames a token.

        Args:
            user: Whose token it is.
            token: Its name or id.
            name: The new name.
        """
    def request_count(self, /, path: str | None = None) -> int:
        """How many requests have been received.

        Args:
            path: Of this path only, such as `/api/whoami-v2`.

        Returns:
            The number.
        """
    def revoke_token(self, /, organization: str, token: str) -> Approval:
        """Shuts a token out of an organization, whatever its policy says. It works elsewhere.

        Args:
            organization: The organization.
            token: The token's id, or its name if only one of those that asked has it.

        Returns:
            Where the token stands now.
        """
    def set_disabled(self, /, repo: str, disabled: bool, *, type: str = "model") -> None:
        """Disables a repository, or enables it again.

        Args:
            repo: `namespace/name`.
            disabled: Whether nobody may use it.
            type: `"model"`, `"dataset"` or `"space"`.
        """
    def set_gated(self, /, repo: str, gated: str | None, *, type: str = "model") -> None:
        """Opens or closes a repository's gate.

        Args:
            repo: `namespace/name`.
            gated: `"auto"`, `"manual"`, or `None` for no gate.
            type: `"model"`, `"dataset"` or `"space"`.
        """
    def set_member(self, /, organization: str, user: str, role: str) -> None:
        """Makes a user a member of an organization, or changes their role.

        Args:
            organization: The organization.
            user: The user.
            role: `"admin"`, `"write"`, `"contributor"`, `"read"` or `"no_access"`.
        """
    def set_token_policy(self, /, organization: str, policy: str) -> None:
        """Sets which tokens of its members an organization lets in. It holds at once.

        Args:
            organization: The organization.
            policy: `"allow-all"`; `"fine-grained-only"`; or `"require-approval"`, which lets in
                fine-grained tokens that an administrator approved, and those of administrators.

        Example:
            >>> import hubtoken
            >>> with hubtoken.hub.Hub() as hub:
            ...     hub.create_organization("acme")
            ...     hub.set_token_policy("acme", "fine-grained-only")
            ...     hub.token_policy("acme")
            'fine-grained-only'
        """
    def start(self, /) -> Hub:
        """Starts the Hub and returns once it answers. Does nothing when it is running.

        Returns:
            The Hub itself.

        Raises:
            hubtoken.errors.HubError: It cannot start; the message says why and what to do.
        """
    def stop(self, /) -> None:
        """Stops the Hub; a temporary data folder is removed. Does nothing when it is not running."""
    def token_policy(self, /, organization: str) -> str:
        """Tells which tokens of its members an organization lets in.

        Args:
            organization: The organization.

        Returns:
            `"allow-all"`, `"fine-grained-only"` or `"require-approval"`.
        """

@final
class HubToken:
    """A Hugging Face token, opaque: it is masked wherever it is shown.

    Get one from `hubtoken.resolve_token()`, `hubtoken.require_role()` or an embedded Hub, or make
    one of a text: as a converter (`type=HubToken` of `argparse`, of a dataclass or of attrs) it
    never shows the value. It is not a `str`; `reveal()` gives one where a library wants it. As
    `auth=` of `requests` and `httpx` it sets the header for its own Hub only. A pickle carries where
    it came from and not the value, but for the one that `multiprocessing` hands to a process that it
    starts.

    A value on a command line can be seen by every user of the machine, and the shell keeps it in
    its history. Prefer the environment variable `HF_TOKEN`, which `hubtoken.resolve_token()` reads.

    Args:
        token: The value. A `HubToken` is given back as it is.
        endpoint: The Hub that it belongs to; `None` for `HF_ENDPOINT`, or `https://huggingface.co`.

    Raises:
        hubtoken.errors.TokenFormatError: The value is blank, a mask or a placeholder. Not a
            `ValueError`, whose value argument parsers print; for `argparse` itself it is an
            `argparse.ArgumentTypeError` with the same message.
        hubtoken.errors.UntrustedEndpointError: The endpoint is no place for a token, or a
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

        A token of huggingface.co also goes to those of its own other hosts where no code of others
        runs, such as `router.huggingface.co`. A request to any other server is left as it is, with
        one warning for each server.

        Args:
            request: The request.

        Returns:
            The same request.

        Raises:
            hubtoken.errors.UntrustedEndpointError: Some parser could read the request's URL as
                another address.
            hubtoken.errors.TokenFormatError: It is no token of its Hub, but looks like the key of
                another service.
        """
    def __copy__(self, /) -> HubToken: ...
    def __deepcopy__(self, memo: object, /) -> HubToken: ...
    def __eq__(self, other: object, /) -> Any: ...
    def __format__(self, format_spec: str, /) -> str: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, token: str | HubToken, *, endpoint: str | None = None) -> HubToken: ...
    def __reduce__(self, /) -> tuple[Any, ...]:
        """What a pickle carries: a reference, and the value only while `multiprocessing` pickles what
        it hands to a process that it is starting.
        """
    def activate(self, /) -> Activation:
        """Makes the Hub's libraries in this process send this token on their own.

        Works at once, and replaces what the same thread activated before without `with`.
        `hubtoken.deactivate()`, or `.deactivate()` of what is returned, restores what was before
        any activation. With `with` it lasts for the block, and what was active before it is active
        again after it; inside a block only another `with` may follow. Pushes that run in the
        background outlive a `with`. Activate before worker processes are started: a
        `HubTokenWarning` names those that keep the token that they were started with.

        Returns:
            The activation.

        Raises:
            hubtoken.errors.ConfigurationError: Implicit tokens are disabled; a different token is
                active in another thread, or in a `with` block of another thread or task; or the
                call is inside a `with` block of its own and is not another `with`.
            hubtoken.errors.UntrustedEndpointError: The libraries are bound to another Hub.
            hubtoken.errors.TokenFormatError: It is no token of its Hub, but looks like the key of
                another service.
            hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.

        Example:
            >>> import hubtoken
            >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> with token.activate() as active:
            ...     active is token
            True
        """
    def basic_auth(self, /, username: str = "hf_user") -> tuple[str, str]:
        """The user name and password of basic authentication (RFC 7617), for `auth=` or git.

        A pair of strings goes wherever it is sent: prefer `auth=token`.

        Args:
            username: Any name; the Hub does not look at it.

        Returns:
            The name, and the value as a `str` whose `repr` is masked.

        Raises:
            hubtoken.errors.TokenFormatError: It is no token of its Hub, but looks like the key of
                another service.

        Example:
            >>> import hubtoken
            >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> token.basic_auth()
            ('hf_user', <revealed token>)
        """
    def bearer(self, /) -> str:
        """The value of a bearer `Authorization` header (RFC 6750), as a `str` whose `repr` is masked.

        Returns:
            `Bearer ` and the value.

        Raises:
            hubtoken.errors.TokenFormatError: It is no token of its Hub, but looks like the key of
                another service.

        Example:
            >>> import hubtoken
            >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> len(token.bearer())
            44
        """
    @property
    def endpoint(self, /) -> str:
        """The Hub that the token belongs to, without a trailing slash."""
    def environ(self, /, base: dict[str, str] | None = None) -> dict[str, str]:
        """An environment for a child process, in which the Hub's libraries send this token.

        Args:
            base: The variables to start from; `None` for this process's own.

        Returns:
            A new dictionary with `HF_TOKEN`, `HF_ENDPOINT` and `HUBTOKEN_TOKEN_ORIGIN`, which
            tells the child where the token came from, and without the variables that would keep
            the libraries from sending the token.

        Raises:
            hubtoken.errors.TokenFormatError: It is no token of its Hub, but looks like the key of
                another service.

        Example:
            >>> import hubtoken
            >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> sorted(token.environ({}))
            ['HF_ENDPOINT', 'HF_TOKEN', 'HUBTOKEN_TOKEN_ORIGIN']
        """
    @property
    def fingerprint(self, /) -> str:
        """The first eight bytes of the value's SHA-256, in hexadecimal: tells tokens apart in a log."""
    def headers(self, /, url: str | None = None) -> dict[str, str]:
        """The headers that carry the token.

        A token of huggingface.co also goes to those of its own other hosts where no code of others
        runs, such as `router.huggingface.co`.

        Args:
            url: Where they will be sent. Refused if that is not the token's own Hub, or if some
                parser could read it as another address.

        Returns:
            A dictionary with `Authorization`.

        Raises:
            hubtoken.errors.UntrustedEndpointError: The URL is another server's, or holds a user
                name, a backslash, white space, an encoded host, an odd port or an odd IP address.
            hubtoken.errors.TokenFormatError: It is no token of its Hub, but looks like the key of
                another service.

        Example:
            >>> import hubtoken
            >>> token = hubtoken.resolve_token("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX")
            >>> token.headers("https://huggingface.co/api/models")
            {'Authorization': <revealed token>}
        """
    @property
    def kind(self, /) -> str:
        """What sort of token it is: `user-access`, `organization`, `oauth`, `jwt`, `app`, `s3` or
        `opaque`.
        """
    @property
    def profile(self, /) -> str | None:
        """The name of the stored token; `None` when it came from elsewhere."""
    def reveal(self, /) -> str:
        """The value, as a `str` whose `repr` is masked. Printing or formatting it shows the value.

        Returns:
            The value.

        Raises:
            hubtoken.errors.TokenNotFoundError: The token was unpickled without its value.

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
        """Where the token came from: `argument`, `env:HF_TOKEN`, `config:<file>`, `file:<path>`,
        `store:<name>`, `command:<program>`, `colab` or `kaggle`. An active token keeps its source.
        """

@final
class Identity:
    """Who a token belongs to, and what it may do: the Hub's answer to whoami."""
    @property
    def authentication(self, /) -> str | None:
        """How the request was authenticated: `access_token`, `oauth`, `app_token`, …"""
    @property
    def can_read_gated_repos(self, /) -> bool:
        """Whether a fine-grained token may read public gated repositories."""
    @property
    def created_at(self, /) -> datetime | None:
        """When the token was made."""
    @property
    def email(self, /) -> str | None:
        """The e-mail address, when the token may see it."""
    @property
    def endpoint(self, /) -> str:
        """The Hub that answered."""
    @property
    def expires_at(self, /) -> datetime | None:
        """When the token ends."""
    @property
    def full_name(self, /) -> str | None:
        """The account's name for people."""
    @property
    def global_permissions(self, /) -> list[str]:
        """What a fine-grained token may do everywhere."""
    @property
    def is_pro(self, /) -> bool | None:
        """Whether the account is a paying one; `None` when the Hub did not say."""
    @property
    def organizations(self, /) -> list[Organization]:
        """The organizations that the account belongs to."""
    @property
    def role(self, /) -> str | None:
        """`read`, `write`, `fine-grained` or `god`; `None` for OAuth, OIDC and app tokens."""
    @property
    def scopes(self, /) -> list[Scope]:
        """What a fine-grained token may do, and on what."""
    @property
    def token_name(self, /) -> str | None:
        """The token's name on the Hub."""
    @property
    def type(self, /) -> str:
        """`user`, `org` or `app`."""
    @property
    def user(self, /) -> str:
        """The account's name."""

@final
class Organization:
    """A membership in an organization."""
    @property
    def full_name(self, /) -> str | None:
        """The organization's name for people."""
    @property
    def name(self, /) -> str:
        """The organization's name."""
    @property
    def role_in_org(self, /) -> str | None:
        """`admin`, `write`, `contributor`, `read` or `no_access`; `None` when the Hub did not say."""
    @property
    def security_restrictions(self, /) -> list[str]:
        """What keeps this token out: `token-policy`, `token-revoked`, `mfa`, `sso`, `ip`."""

@final
class Scope:
    """What a fine-grained token may do on one thing."""
    @property
    def entity_name(self, /) -> str | None:
        """`alice`, `acme`, `alice/tiny`, …"""
    @property
    def entity_type(self, /) -> str | None:
        """`user`, `org`, `model`, `dataset`, `space`, …"""
    @property
    def permissions(self, /) -> list[str]:
        """The Hub's permission strings, such as `repo.content.read`."""

@final
class StoredToken:
    """A token that is stored on this machine under a name.

    Example:
        >>> import hubtoken
        >>> [stored.name for stored in hubtoken.stored_tokens() if stored.active]
        []
    """
    @property
    def active(self, /) -> bool:
        """Whether it is the active token, which every library uses when it is given none."""
    @property
    def created_at(self, /) -> datetime | None:
        """When the token was made (UTC); `None` when that is not known."""
    @property
    def endpoint(self, /) -> str:
        """The Hub that the token belongs to."""
    @property
    def expires_at(self, /) -> datetime | None:
        """When the token ends (UTC), which may be past; `None` when it does not end, or that is not
        known.
        """
    @property
    def name(self, /) -> str:
        """The name."""
    @property
    def role(self, /) -> str | None:
        """The role at login; `None` when it is not known."""
    @property
    def token(self, /) -> HubToken:
        """The token."""
    @property
    def user(self, /) -> str | None:
        """The account; `None` when `huggingface_hub` stored the token."""

@final
class TokenInfo:
    """A token of a user of an embedded Hub, without its value."""
    @property
    def created_at(self, /) -> datetime:
        """When the token was made."""
    @property
    def expires_at(self, /) -> datetime | None:
        """When the token ends."""
    @property
    def id(self, /) -> str:
        """24 hexadecimal digits; stays the same when the token is refreshed."""
    @property
    def inference_requests(self, /) -> int:
        """How many requests the token had a model answer."""
    @property
    def last4(self, /) -> str:
        """The last four characters of the value."""
    @property
    def last_used_at(self, /) -> datetime | None:
        """When the token was last used, to the minute."""
    @property
    def name(self, /) -> str:
        """The token's name; names may repeat."""
    @property
    def role(self, /) -> str:
        """`read`, `write` or `fine-grained`."""

@final
class Trace:
    """What each source of tokens answered.

    `print(trace)` and a notebook show it line by line; it holds masks, never values.
    """
    def __reduce__(self, /) -> tuple[Any, ...]:
        """A trace crosses process boundaries with the error that carries it."""
    @property
    def endpoint(self, /) -> str | None:
        """The Hub that the token belongs to; `None` when there is no token."""
    @property
    def source(self, /) -> str | None:
        """Where the token that is used comes from, such as `env:HF_TOKEN`; `None` when there is none."""
    @property
    def steps(self, /) -> list[TraceStep]:
        """The answers, in the order of asking."""

@final
class TraceStep:
    """One source's answer."""
    @property
    def answer(self, /) -> str:
        """`found`, `shadowed`, `absent`, `skipped`, `refused`, `broken` or `ignored`."""
    @property
    def detail(self, /) -> str:
        """What there is to say about it; may be empty."""
    @property
    def mask(self, /) -> str | None:
        """The source's token, masked; `None` when it has none."""
    @property
    def source(self, /) -> str:
        """The source, such as `env:HF_TOKEN` or `file:/home/alice/.cache/huggingface/token`."""

@final
class Verdict:
    """A decision with its reason.

    As a condition, allowed is true and denied is false; an unknown is neither, and raises
    `VerdictUnknownError` with its reason.
    """
    def __bool__(self, /) -> bool:
        """Whether it is allowed. Raises `VerdictUnknownError` when that is not known."""
    @property
    def actual(self, /) -> str | None:
        """What there is."""
    @property
    def outcome(self, /) -> str:
        """`allowed`, `denied` or `unknown`. Unknown is never a denial."""
    @property
    def reason(self, /) -> str:
        """Why, in a sentence."""
    @property
    def remedy_url(self, /) -> str | None:
        """The page on which a right token is made; `None` when there is nothing to mend."""
    @property
    def required(self, /) -> str:
        """What was needed."""
    @property
    def target(self, /) -> str | None:
        """The repository or namespace; `None` for the Hub as a whole."""

def activation_origin(token: HubToken) -> str:
    """What says where a token came from that `activate()` puts into `HF_TOKEN`.

    Args:
        token: The token.

    Returns:
        The text for `HUBTOKEN_TOKEN_ORIGIN`, which holds a fingerprint and not the value.
    """

def after_fork() -> None:
    """Starts a forked child with a state of its own. Registered with `os.register_at_fork`."""

def after_import() -> None:
    """Notes whether the thread that imports hubtoken is the main one, which runs signal handlers."""

def ambient_endpoint() -> str:
    """The Hub that ambient tokens belong to: `HF_ENDPOINT`, or `https://huggingface.co`.

    Returns:
        The endpoint, without a trailing slash.

    Raises:
        hubtoken.errors.UntrustedEndpointError: `HF_ENDPOINT` is no place for a token.
    """

def authorize(
    identity: Identity,
    need: str,
    *,
    repo: str | None = None,
    namespace: str | None = None,
    repo_type: str = "model",
) -> Verdict:
    """Decides from an identity alone whether something may be done. Asks nobody.

    It judges the identity that it is handed, however old that is. `whoami` may return one of five
    minutes ago: before you deny by it, hand over `whoami(token, max_age=2)`, as `require_role` does.

    The verdict is a condition: `if hubtoken.authorize(identity, "read", repo=…):` goes on where it is
    allowed, not where it is denied, and raises where it is unknown.

    Args:
        identity: What `whoami` returned.
        need: `"read"`, `"write"`, or a permission such as `"inference.serverless.write"`.
        repo: As for `require_role`.
        namespace: A user or organization, when no repository is meant.
        repo_type: As for `require_role`.

    Returns:
        The verdict. It is unknown where only the Hub could say: whether somebody else's repository
        is public, for instance; and for a permission that neither this version nor a scope of the
        token knows.

    Raises:
        ValueError: An argument makes no sense; a permission is misspelled, and no scope of the token
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

def check_repository(repo: str, repo_type: str) -> None:
    """Makes sure that a repository is named as it can be. For `hubtoken.asgi`.

    Args:
        repo: `namespace/name`.
        repo_type: As for `require_role`.

    Raises:
        ValueError: It cannot be the name of a repository, or the type is not one.
    """

def explain(
    token: str | HubToken | bool | None = None,
    *,
    endpoint: str | None = None,
    profile: str | None = None,
) -> Trace:
    """Tells which token is used, and what every other source says.

    Args:
        token: As for `resolve_token`.
        endpoint: As for `resolve_token`.
        profile: As for `resolve_token`.

    Returns:
        The trace, also when there is no token.

    Raises:
        hubtoken.errors.HubTokenError: As for `resolve_token`, but for a missing token.

    Example:
        >>> import hubtoken
        >>> hubtoken.explain("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX").source
        'argument'
    """

def forget_answer() -> None:
    """Forgets which token the environment has. For `activate()`, which changes it."""

def identify(
    token: str | HubToken,
    *,
    endpoint: str | None = None,
    max_age: float | None = None,
    max_stale: float | None = None,
    timeout: float | None = None,
) -> Identity:
    """Asks the Hub whose the token is that a caller has sent: for servers.

    Like `whoami`, but for a token that is not one's own. A blank token is an error, and no other is
    looked for. A value that does not begin like a token of the Hub is sent to nobody. An old
    answer lets nobody in, unless `max_stale` says so. What is learned stays in this process's
    memory, within bounds, and reaches no disk.

    A call takes about a microsecond while the answer is known, and a request to the Hub when it is
    not. So that an event loop does not wait for the Hub, ask `recall` first, and then
    `await asyncio.to_thread(hubtoken.identify, token)`.

    Args:
        token: The token, without the word `Bearer`.
        endpoint: The Hub that it is for; `HF_ENDPOINT`, or `https://huggingface.co`, by default.
        max_age: How old an answer may be, in seconds; 0 asks again. By default 300, and 10 for the
            answer that the Hub does not know the token.
        max_stale: How old an answer may be when the Hub is away, in seconds; 0 by default.
        timeout: How long to wait for the Hub, in seconds; 10 by default.

    Returns:
        The identity.

    Raises:
        hubtoken.errors.TokenFormatError: This is no token of the Hub. Answer with status 401.
        hubtoken.errors.InvalidTokenError: The Hub does not know the token. Answer with status 401.
        hubtoken.errors.VerdictUnknownError: The Hub could not be asked. Answer with status 503.
        hubtoken.errors.UntrustedEndpointError: The endpoint is no place for a token.

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
) -> Identity:
    """Asks whose a caller's token is before the caller is refused. For `hubtoken.asgi`.

    Args:
        token: As for `identify`.
        endpoint: As for `identify`.
        max_age: How old an answer may be, in seconds; 10 at most, and by default.
        timeout: As for `identify`.

    Returns:
        The identity.

    Raises:
        hubtoken.errors.HubTokenError: As for `identify`. What the Hub did not answer it is not
            asked again before the same time has passed.
    """

def is_known_permission(permission: str) -> bool:
    """Makes sure that a permission is spelt right, where there is no token whose scopes could list it.

    Args:
        permission: The permission.

    Returns:
        Whether this version knows it.

    Raises:
        ValueError: It is misspelled, or cannot be a permission.
    """

def is_sent_anyway(token: HubToken, instead: dict[str, str | None] | None = None) -> bool:
    """Whether `huggingface_hub` sends this very token when it is given none.

    Args:
        token: The token.
        instead: Variables that are taken to have these values; `None` for one that is not set.

    Returns:
        Whether activation has nothing to do.
    """

def login(
    token: str | HubToken | None = None, *, name: str | None = None, endpoint: str | None = None
) -> StoredToken:
    """Stores a token on this machine, after the Hub has said whose it is.

    The token becomes the active one, which every library uses, unless it belongs to another Hub
    than `HF_ENDPOINT`: every library would send it to the wrong one. A warning says so when a
    variable such as `HF_TOKEN` goes before it.

    Args:
        token: The token; `None` asks for it at the terminal, or in the notebook, without showing
            it.
        name: The name to store it under; `None` for what the Hub calls it.
        endpoint: The Hub that the token belongs to; `None` for `HF_ENDPOINT`.

    Returns:
        The stored token.

    Raises:
        hubtoken.errors.TokenNotFoundError: There is no terminal to ask for the token.
        hubtoken.errors.TokenFormatError: The value is blank, a mask or a placeholder, or looks like
            the key of another service; or the name holds a token.
        hubtoken.errors.InvalidTokenError: The Hub does not know the token.
        hubtoken.errors.VerdictUnknownError: The Hub could not be asked (away, a rate limit,
            offline); nothing was stored.
        hubtoken.errors.UntrustedEndpointError: The endpoint is no place for a token, or is not
            the one of a `HubToken` that was handed over.
        hubtoken.errors.StoreError: The files cannot be read or written.

    Example:
        >>> import hubtoken
        >>> try:
        ...     hubtoken.login("hf_xxx")
        ... except hubtoken.TokenFormatError as error:
        ...     print("placeholder" in str(error))
        True
    """

def logout(name: str | None = None) -> None:
    """Removes a stored token from this machine. It stays valid on the Hub.

    A warning says so when a variable such as `HF_TOKEN` goes on being used.

    Args:
        name: The stored token; `None` for all of them and the active one, as
            `huggingface_hub.logout()` does.

    Raises:
        ValueError: There is no stored token of this name.
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
        The exit code: 0 yes or done, 1 no, 2 wrong usage, 3 could not be known, 130 interrupted.
    """

def normalized_endpoint(text: str) -> str:
    """An endpoint as hubtoken writes it, so that two of them can be compared.

    Args:
        text: The endpoint.

    Returns:
        The endpoint, without a trailing slash, its host in lower case.

    Raises:
        hubtoken.errors.UntrustedEndpointError: It is no place for a token.
    """

def recall(
    token: str | HubToken, *, endpoint: str | None = None, max_age: float | None = None
) -> Identity | None:
    """Tells whose the token is that a caller has sent, if that is known already: for event loops.

    It asks nobody and never waits. `identify` is the one that asks.

    Args:
        token: As for `identify`.
        endpoint: As for `identify`.
        max_age: As for `identify`.

    Returns:
        The identity; `None` when the Hub has to be asked.

    Raises:
        hubtoken.errors.TokenFormatError: This is no token of the Hub. Answer with status 401.
        hubtoken.errors.InvalidTokenError: The Hub does not know the token. Answer with status 401.
        hubtoken.errors.UntrustedEndpointError: The endpoint is no place for a token.

    Example:
        >>> import hubtoken
        >>> hubtoken.recall("hf_FakeFakeFakeFakeFakeFakeFakeFakeXX") is None
        True
    """

def reload() -> None:
    """Forgets what was found, so that the next call looks again.

    Files are noticed when they change, a configuration within a second. This is for the rest: a
    secret of a notebook that was granted or changed meanwhile, a command that would hand out
    another token by now.

    Example:
        >>> import hubtoken
        >>> hubtoken.reload()
    """

def rename(old: str, new: str) -> str:
    """Gives a stored token another name, on this machine only.

    Args:
        old: The stored token.
        new: Its new name.

    Returns:
        The new name as it is stored: what the file cannot carry is replaced.

    Raises:
        ValueError: There is no stored token of the old name, or one of the new name already.
        hubtoken.errors.TokenFormatError: The new name holds a token.
        hubtoken.errors.StoreError: The files cannot be read or written.

    Example:
        >>> import hubtoken
        >>> try:
        ...     hubtoken.rename("ci", "old ci")
        ... except ValueError as error:
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
) -> None:
    """Makes sure that a caller's token will do, where the Hub itself has to say. For
    `hubtoken.asgi`.

    Args:
        need: `"read"`, `"write"` or a permission.
        token: As for `identify`.
        repo: The repository, if it is needed on one.
        repo_type: As for `require_role`.
        endpoint: As for `identify`.
        max_age: As for `require_role`.
        timeout: As for `identify`.

    Raises:
        hubtoken.errors.HubTokenError: As for `require_role`.
    """

def require_permission(
    permission: str,
    token: str | HubToken | bool | None = None,
    *,
    repo: str | None = None,
    namespace: str | None = None,
    repo_type: str = "model",
    endpoint: str | None = None,
    profile: str | None = None,
    max_age: float | None = None,
    max_stale: float | None = None,
    timeout: float | None = None,
    on_unknown: str = "raise",
    must_exist: bool = False,
) -> HubToken:
    """Makes sure that a token has one of the Hub's finer permissions.

    `read` and `write` tokens have what their role includes; a fine-grained token has what its
    scopes list. Only `repo.content.read` and `repo.write` on a repository are asked of the Hub
    itself; for all others, what whoami tells decides. With `repo=` the Hub is asked all the same
    whether there is such a repository: one that is missing passes, is logged and warned of as by
    `require_role`, unless `must_exist` says that it will not do; and where the Hub does not say,
    nothing is said.

    What a scope of the token lists counts as given, whatever its name. Any other name within two
    edits of a permission that hubtoken knows is taken for a slip, and a well-formed name that is
    like none of them is *unknown*, whatever the token's role: it may be a later Hub's. Without the
    Hub's word on the scopes (it is away, or limits the rate) a slip cannot be told from such a
    name; then the unknown says what was most likely meant, and `on_unknown="allow"` warns of it.

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

    Returns:
        The token.

    Raises:
        hubtoken.errors.HubTokenError: As for `require_role`.
        hubtoken.errors.VerdictUnknownError: Also for a permission that this version does not know.
        ValueError: The permission is misspelled, or cannot be one; what `repo` or `namespace` names
            cannot be a name.

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
    role: str | None = None,
    token: str | HubToken | bool | None = None,
    *,
    repo: str | Literal[False] | None = None,
    repo_type: str = "model",
    endpoint: str | None = None,
    profile: str | None = None,
    max_age: float | None = None,
    max_stale: float | None = None,
    timeout: float | None = None,
    on_unknown: str = "raise",
    must_exist: bool = False,
) -> HubToken:
    """Makes sure that a token will do, before the expensive call.

    A cold call asks the Hub once who the token is, and with `repo=` once whether it may; a call
    within the answers' lifetimes asks nobody. Before a *no* the Hub is asked once more, unless it
    answered less than 2 seconds ago (doubling to 60 while the same *no* repeats), so that what has
    just been mended counts at once. Organization roles and fine-grained scopes count.

    A repository that does not exist yet is no obstacle to `write`: the right to create it decides.
    That it is missing is logged (logger `hubtoken`, level `INFO`), and a `HubTokenWarning` names
    what may have been meant: repositories of that namespace within two edits, and one of another
    type that has exactly that name. The Hub is asked for those once a name, for two seconds at
    most, and not while it limits the rate.

    What a project's configuration says counts where the caller says nothing: its `role`, and its
    `repo`, which is then the target.

    Args:
        role: `"read"` or `"write"`; `None` for the project's.
        token: As for `resolve_token`.
        repo: The repository: `"name"` for one's own, `"namespace/name"`, or with its type before
            it, `"datasets/namespace/name"`; `None` for the project's, if it names one; `False` for
            none in particular.
        repo_type: `"model"`, `"dataset"` or `"space"`.
        endpoint: As for `resolve_token`.
        profile: As for `resolve_token`.
        max_age: How old answers may be, in seconds; 0 asks again. 300 for the identity and 60 for
            the Hub's word on a repository by default. No answer is used after the known end of
            the token.
        max_stale: How old an identity may be when the Hub is away, in seconds; 24 hours by default.
        timeout: How long to wait for each answer, in seconds; 10 by default.
        on_unknown: What to do when nothing could be learned: `"raise"`, `"warn"` or `"allow"`.
        must_exist: Whether a repository that does not exist yet is a `RepositoryNotFoundError`.

    Returns:
        The token.

    Raises:
        hubtoken.errors.InsufficientRoleError: The token's role, its scopes, or its user's role in
            the organization are not enough; the message says which.
        hubtoken.errors.RepositoryDisabledError: The repository is switched off for every token.
        hubtoken.errors.AccessDeniedError: The Hub refuses for another reason.
        hubtoken.errors.InvalidTokenError: The Hub does not know the token.
        hubtoken.errors.RepositoryNotFoundError: There is nothing to read, or with `must_exist`
            nothing at all.
        hubtoken.errors.VerdictUnknownError: Nothing could be learned; or a *no* of before could not
            be confirmed, and is quoted.
        hubtoken.errors.TokenNotFoundError: There is no token.
        hubtoken.errors.ConfigurationError: The project's configuration is broken; or the call names
            no role, and a file does that does not count, since it is another user's.
        ValueError: Neither the caller nor the project names a role; `must_exist` without a
            repository.

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

def resolve_token(
    token: str | HubToken | bool | None = None,
    *,
    endpoint: str | None = None,
    profile: str | None = None,
    required: bool = True,
) -> HubToken | None:
    """Finds the token to use.

    Sources are asked in order: the argument, `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, what a
    configuration file names (a stored token, a command, a token file), the active token file of
    `huggingface_hub`, and in a Colab or Kaggle notebook its secret `HF_TOKEN`. Files are read again
    when they change. A command's token is used for five minutes, or until a minute before the end
    that it told; a notebook is asked once, and waited for during 60 seconds
    (`HUBTOKEN_SOURCE_TIMEOUT`). The Hub is not asked.

    Args:
        token: A token as text or as `HubToken`; `True` for the environment's; `False` for none;
            `None` for the environment's unless `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
        endpoint: The Hub that the token is for, such as `https://huggingface.co`.
        profile: The name of a stored token, which is then the only source.
        required: Whether absence is an error. Broken sources that were asked for by name are
            errors in any case.

    Returns:
        The token; `None` for `token=False`, or when there is none and it is not required.

    Raises:
        hubtoken.errors.TokenNotFoundError: No source has a token; the message lists them.
        hubtoken.errors.TokenFormatError: The argument is blank, a mask or a placeholder.
        hubtoken.errors.UntrustedEndpointError: The token belongs to another Hub.
        hubtoken.errors.ConfigurationError: A configuration file is broken or says what it may not.
        hubtoken.errors.StoreError: The stored tokens cannot be read.

    Example:
        >>> import hubtoken
        >>> hubtoken.resolve_token(" hf_FakeFakeFakeFakeFakeFakeFakeFakeXX ").kind
        'user-access'
    """

def restore(
    source: str,
    profile: str | None,
    endpoint: str,
    fingerprint: str,
    mask: str,
    value: str | None = None,
    ends_at: int | None = None,
) -> HubToken:
    """Makes a `HubToken` of what a pickle carried. Asks nobody and reads nothing.

    Args:
        source: The source's label.
        profile: The name of the stored token, if it was one.
        endpoint: The Hub.
        fingerprint: The fingerprint.
        mask: The mask.
        value: The value, in the pickle for a process that was being started alone.
        ends_at: When the value is known to end, in Unix milliseconds.

    Returns:
        The token if it came along or is alive in this process, else one that is looked for at first
        use.
    """

def restore_trace(steps: list[tuple[str, str, str | None, str]], endpoint: str | None) -> Trace:
    """Makes a `Trace` of what a pickle carried.

    Args:
        steps: Source, answer, mask and detail of each step.
        endpoint: The Hub that the token belongs to.

    Returns:
        The trace.
    """

def stored_tokens() -> list[StoredToken]:
    """The tokens that are stored on this machine, by `hubtoken` or by `huggingface_hub`.

    Nobody is asked over the network. A stored value that is no token is left out with a warning.

    Returns:
        The stored tokens, in the order of the file.

    Raises:
        hubtoken.errors.StoreError: The files cannot be read or understood.

    Example:
        >>> import hubtoken
        >>> for stored in hubtoken.stored_tokens():
        ...     print(stored.name, stored.endpoint, stored.expires_at, stored.active)
    """

def switch(name: str) -> None:
    """Makes a stored token the active one, which every library uses when it is given none.

    A warning says so when a variable such as `HF_TOKEN` goes before it, and when it looks like the
    key of another service.

    Args:
        name: The stored token.

    Raises:
        ValueError: There is no stored token of this name.
        hubtoken.errors.UntrustedEndpointError: It belongs to another Hub than `HF_ENDPOINT`.
        hubtoken.errors.StoreError: The files cannot be read or written.

    Example:
        >>> import hubtoken
        >>> try:
        ...     hubtoken.switch("ci")
        ... except ValueError as error:
        ...     print(error)
        there is no stored token `ci`: no token is stored
    """

def whoami(
    token: str | HubToken | bool | None = None,
    *,
    endpoint: str | None = None,
    profile: str | None = None,
    max_age: float | None = None,
    max_stale: float | None = None,
    timeout: float | None = None,
) -> Identity:
    """Asks the Hub who a token belongs to.

    An answer is believed for 300 seconds, and that the Hub does not know the token for 2, which
    double to 10 while it is so. However many threads or processes of this machine ask at
    once, the Hub is asked once. For the tokens of others, see `identify`.

    Args:
        token: As for `resolve_token`.
        endpoint: As for `resolve_token`.
        profile: As for `resolve_token`.
        max_age: How old an answer may be, in seconds; 0 asks again.
        max_stale: How old an answer may be when the Hub is away, in seconds; 24 hours by default.
        timeout: How long to wait for the Hub, in seconds; 10 by default.

    Returns:
        The identity.

    Raises:
        hubtoken.errors.InvalidTokenError: The Hub does not know the token.
        hubtoken.errors.VerdictUnknownError: The Hub could not be asked, or made no sense.
        hubtoken.errors.TokenNotFoundError: There is no token.
        hubtoken.errors.TokenFormatError: It is no token of its Hub, but looks like the key of
            another service; it was not sent.

    Example:
        >>> import hubtoken
        >>> with hubtoken.hub.Hub() as hub:
        ...     hub.create_user("alice")
        ...     token = hub.create_token("alice", name="laptop", role="write")
        ...     hubtoken.whoami(token).role
        'write'
    """
