//! Device codes: how a program without a browser asks for a login (RFC 8628).
//!
//! The program keeps the device code and shows the user code, which a user types into a page and
//! approves or denies. Both are stored as digests: of the short user code with a key, since a plain
//! digest of it could be inverted.

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

use super::{AuditContext, IssuedLogin, LoginLifetimes, LoginScopes, Mint, User};
use crate::error::HubError;
use crate::secret::Digest;

/// The parameters of a device code.
#[derive(Debug)]
pub(crate) struct NewDeviceCode<'a> {
    pub digest: Digest,
    pub user_code: Digest,
    pub client_id: &'a str,
    pub scopes: &'a LoginScopes,
    pub expires_at: OffsetDateTime,
}

/// What a user code stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceRequest {
    pub client_id: String,
    pub scopes: LoginScopes,
    /// The address from which the code was requested.
    pub address: Option<String>,
    pub created_at: OffsetDateTime,
}

/// What was decided about a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LoginDecision<'a> {
    /// The login begins in the name of this user.
    Approve(&'a User),
    /// By this user, or by the operator.
    Deny(Option<&'a User>),
}

/// Why a device code gives no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceRefusal {
    Pending,
    /// Pending, and asked for again too soon.
    SlowDown,
    Denied,
    Expired,
    /// Not known, issued to another client, or its login has ended.
    Unknown,
    /// Already exchanged, and too long ago to repeat the answer.
    Used,
}

/// The parameters of an exchange.
pub(crate) struct DeviceExchange<'a> {
    pub code: Digest,
    pub client_id: &'a str,
    /// The name by which the login is listed.
    pub client: &'a str,
    /// The digest of the first refresh token.
    pub refresh: Digest,
    pub lifetimes: LoginLifetimes,
    /// How much time must pass between two exchanges while nobody has decided.
    pub interval: Duration,
}

/// The registry's operations on device codes.
#[async_trait]
pub(crate) trait DeviceCodes {
    /// Stores a device code, and deletes those that ended long ago. Returns whether it was stored:
    /// not if its user code is taken.
    async fn create_device_code(
        &self,
        new: NewDeviceCode<'_>,
        context: &AuditContext,
    ) -> Result<bool, HubError>;

    /// What the user code asks for, if nobody has decided about it and it has not expired.
    async fn device_request(
        &self,
        user_code: &Digest,
        now: OffsetDateTime,
    ) -> Result<Option<DeviceRequest>, HubError>;

    /// Approves or denies a pending request. Returns it, or `None` if it is no longer pending.
    async fn decide_device_request(
        &self,
        user_code: &Digest,
        decision: LoginDecision<'_>,
        client: &str,
        context: &AuditContext,
    ) -> Result<Option<DeviceRequest>, HubError>;

    /// Exchanges an approved device code for a login.
    async fn exchange_device_code(
        &self,
        exchange: DeviceExchange<'_>,
        mint: &Mint<'_>,
        context: &AuditContext,
    ) -> Result<Result<IssuedLogin, DeviceRefusal>, HubError>;
}
