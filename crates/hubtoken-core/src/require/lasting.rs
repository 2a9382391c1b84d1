//! How long a token is needed: a job that runs for eight hours is not served by a token that ends
//! in two.
//!
//! The end of a value never changes, so a denial needs no fresh answer here. A token that renews
//! itself serves a job of any length, and of a token whose end nobody said, nothing is known that
//! could deny it.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::authorization::Remedy;
use crate::credential::Credential;
use crate::env::{Environment, SLURM_JOB_END_TIME, SLURM_JOB_START_TIME};
use crate::error::{Denial, DenialKind, Error, ResponseDetails};
use crate::expiry::Expiry;

/// The longest time that can be asked for: 100 years of 365 days.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);
/// Slurm gives a job without a limit this much time.
const SLURM_UNLIMITED: Duration = Duration::from_hours(365 * 24);
/// Seconds are told, since the two times of a message may be in the same minute.
const FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");

/// How long a token is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lasting {
    /// To the end of this batch job, if the environment says when that is.
    #[default]
    Job,
    /// For some time from now on.
    For(Duration),
    /// Its end does not matter.
    Any,
}

/// Until when a token is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeededUntil {
    /// The time since the Unix epoch.
    end: Duration,
    /// Whether the environment says so, and not the caller.
    is_job: bool,
}

impl Lasting {
    /// For so many seconds.
    ///
    /// ```
    /// use hubtoken_core::require::Lasting;
    ///
    /// assert!(Lasting::for_seconds(8.0 * 3600.0).is_ok());
    /// assert!(Lasting::for_seconds(f64::NAN).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if the number is negative, not a number, or more than 100 years.
    pub fn for_seconds(seconds: f64) -> Result<Self, Error> {
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| out_of_range())
            .and_then(Self::for_duration)
    }

    /// For some time.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if it is more than 100 years.
    pub fn for_duration(duration: Duration) -> Result<Self, Error> {
        if duration > LONGEST {
            return Err(out_of_range());
        }
        Ok(Self::For(duration))
    }

    /// Until when that is, at a time since the Unix epoch; `None` if the end does not matter or is
    /// not known. Reads the environment for [`Lasting::Job`] alone.
    ///
    /// # Errors
    ///
    /// A warning about a variable that cannot be read, which is then ignored.
    pub fn until(
        self,
        environment: &dyn Environment,
        now: Duration,
    ) -> Result<Option<NeededUntil>, String> {
        match self {
            Self::Any => Ok(None),
            Self::For(duration) => Ok(Some(NeededUntil {
                end: now.saturating_add(duration),
                is_job: false,
            })),
            Self::Job => {
                let end = job_end(environment, now)?;
                Ok(end.map(|end| NeededUntil { end, is_job: true }))
            }
        }
    }
}

fn out_of_range() -> Error {
    Error::InvalidArgument("lasting must be between 0 seconds and 100 years".to_owned())
}

/// The end of the Slurm job that this process belongs to, if it has one.
fn job_end(environment: &dyn Environment, now: Duration) -> Result<Option<Duration>, String> {
    let Some(end) = environment.get(SLURM_JOB_END_TIME) else {
        return Ok(None);
    };
    if end.as_encoded_bytes().trim_ascii().is_empty() {
        return Ok(None);
    }
    let seconds = |text: &str| text.trim().parse().ok().map(Duration::from_secs);
    let Some(end) = end.to_str().and_then(seconds) else {
        // The value is not shown: somebody may have put anything there.
        return Err(format!(
            "{SLURM_JOB_END_TIME} is not a number of seconds since 1970, so it is ignored: whether \
             the token lasts to the end of the job is not checked"
        ));
    };
    let start = environment.get(SLURM_JOB_START_TIME);
    let start = start.as_deref().and_then(|text| text.to_str());
    let start = start.and_then(seconds).unwrap_or(now);
    let is_unlimited = end.saturating_sub(start) >= SLURM_UNLIMITED;
    Ok((!is_unlimited).then_some(end))
}

impl NeededUntil {
    /// Whether a token that ends then serves so long.
    #[must_use]
    pub fn is_met(&self, end: Expiry, credential: &Credential) -> bool {
        !end.has_passed_at(self.end) || credential.renews_itself()
    }

    /// Rejects a token that ends too early.
    pub(super) fn check(
        &self,
        end: Expiry,
        credential: &Credential,
        subject: &str,
        required: &str,
    ) -> Result<(), Error> {
        if self.is_met(end, credential) {
            return Ok(());
        }
        let until = shown(Expiry::at_unix_milliseconds(milliseconds(self.end)));
        let end = shown(end);
        let mut denial = Denial {
            required: format!("{required}, until {until}"),
            actual: Some(format!("it ends at {end}")),
            ..Denial::default()
        };
        let kind = match required {
            "read" | "write" => format!("tokenType={required}"),
            permission => format!("tokenType=fineGrained&ownUserPermissions={permission}"),
        };
        Remedy::LongerLife(kind).apply_to(&mut denial, &credential.endpoint);
        let why = if self.is_job {
            format!("this job, which ends at {until} ({SLURM_JOB_END_TIME})")
        } else {
            format!("what needs it until {until}")
        };
        let reason = format!("it ends at {end}, before {why}, and does not renew itself");
        Err(Error::AccessDenied {
            response: ResponseDetails::default(),
            message: format!(
                "the token {subject} does not last: {}",
                denial.after(&reason)
            ),
            kind: DenialKind::Other,
            denial: Box::new(denial),
        })
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn shown(end: Expiry) -> String {
    let seconds = end.unix_milliseconds().unwrap_or_default() / 1_000;
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|moment| moment.format(FORMAT).ok())
        .unwrap_or_else(|| format!("{seconds} seconds after 1970"))
}

#[cfg(test)]
mod tests;
