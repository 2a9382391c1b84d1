//! Issues tokens for a time: makes the value, a signed JWT, and stores its digest.

use hubtoken_core::hexadecimal;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::service::OAuth;
use crate::error::HubError;
use crate::registry::{AuditContext, Exchanged, IssuedGrant, NewIssuedToken, UsedIdToken, User};
use crate::secret::{self, Digest, Secret};
use crate::state::HubState;

const OAUTH_PREFIX: &str = "hf_oauth_";
const JWT_PREFIX: &str = "hf_jwt_";
/// How much of a digest identifies a token.
const IDENTIFIER_BYTES: usize = 12;

/// A token that was issued, with its value, which cannot be retrieved again.
#[derive(Debug)]
pub(crate) struct Issued {
    pub value: Secret,
    pub expires_at: OffsetDateTime,
}

/// Issues a token without a refresh token, for an id token that is used up by it. `name` is that by
/// which the audit log lists it.
pub(crate) async fn issue(
    state: &HubState,
    (user, name): (&User, &str),
    grant: &IssuedGrant,
    lifetime: Duration,
    exchanged: UsedIdToken<'_>,
    context: &AuditContext,
) -> Result<Issued, HubError> {
    let id = secret::object_id()?;
    let expires_at = context.at + lifetime;
    let mut claims = claims(&state.endpoint, &user.id, &id, (context.at, expires_at));
    let prefix = match grant {
        IssuedGrant::Scopes(scopes) => {
            claims["scope"] = json!(scopes.names());
            OAUTH_PREFIX
        }
        IssuedGrant::Repository(entity) => {
            claims["resource"] = json!({ "sub": entity.path() });
            JWT_PREFIX
        }
    };
    let value = value(&state.services.oauth, prefix, &claims, context.at)?;
    let new = NewIssuedToken {
        id: &id,
        user,
        name,
        grant,
        value: &value,
        expires_at,
        used: Some(exchanged),
    };
    state.registry.issue_token(new, context).await?;
    Ok(Issued { value, expires_at })
}

/// The access token of an exchange: the same for the same exchange, as long as the signing key is.
/// The refresh token that comes with it tells two exchanges within one second apart.
pub(super) fn access_token(
    oauth: &OAuth,
    endpoint: &str,
    exchanged: &Exchanged,
    refresh_token: &Digest,
    now: OffsetDateTime,
) -> Result<Secret, HubError> {
    let expires_at = exchanged.at + oauth.options.lifetimes().access;
    let times = (exchanged.at, expires_at);
    let mut claims = claims(endpoint, &exchanged.user_id, &exchanged.login_id, times);
    claims["scope"] = json!(exchanged.scopes.names());
    claims["oauthApp"] = json!(exchanged.client_id);
    claims["jti"] = json!(hexadecimal::encode(&refresh_token[..IDENTIFIER_BYTES]));
    value(oauth, OAUTH_PREFIX, &claims, now)
}

fn claims(
    endpoint: &str,
    user_id: &str,
    session_id: &str,
    (issued_at, expires_at): (OffsetDateTime, OffsetDateTime),
) -> Value {
    json!({
        "iss": endpoint,
        "aud": endpoint,
        "sub": user_id,
        "sessionId": session_id,
        "iat": issued_at.unix_timestamp(),
        "exp": expires_at.unix_timestamp(),
    })
}

fn value(
    oauth: &OAuth,
    prefix: &str,
    claims: &Value,
    now: OffsetDateTime,
) -> Result<Secret, HubError> {
    let signed = oauth.keys.sign(claims, now)?;
    let mut value = Zeroizing::new(String::with_capacity(prefix.len() + signed.len()));
    value.push_str(prefix);
    value.push_str(&signed);
    Ok(Secret::new(std::mem::take(&mut *value)))
}
