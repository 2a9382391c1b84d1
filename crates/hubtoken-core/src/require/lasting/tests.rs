#![allow(clippy::unwrap_used)]

use super::*;
use crate::credential::Renewal;
use crate::credential::tests::credential;
use crate::env::StaticEnvironment;
use crate::source::{Placement, Source};

const HOUR: Duration = Duration::from_hours(1);
const NOW: Duration = Duration::from_hours(500_000);

fn slurm(end: &str, start: Option<&str>) -> Result<Option<NeededUntil>, String> {
    let mut environment = StaticEnvironment::default();
    environment.set(SLURM_JOB_END_TIME, end);
    if let Some(start) = start {
        environment.set(SLURM_JOB_START_TIME, start);
    }
    Lasting::Job.until(&environment, NOW)
}

fn ends_in(duration: Duration) -> Expiry {
    Expiry::at_unix_milliseconds(milliseconds(NOW + duration))
}

#[test]
fn times_from_now_have_bounds() {
    for bad in [
        -1.0,
        -f64::MIN_POSITIVE,
        f64::NAN,
        f64::INFINITY,
        1e300,
        3.2e9,
    ] {
        assert!(Lasting::for_seconds(bad).is_err(), "{bad}");
    }
    for good in [0.0, -0.0, 0.5, 28_800.0, 3.1e9] {
        let lasting = Lasting::for_seconds(good).unwrap();
        let until = lasting.until(&StaticEnvironment::default(), NOW).unwrap();
        assert!(until.unwrap().end >= NOW, "{good}");
    }
    assert!(Lasting::for_duration(Duration::MAX).is_err());
}

#[test]
fn a_job_ends_when_its_environment_says_so() {
    let end = |value: &str, start| slurm(value, start).unwrap().map(|until| until.end);
    let later = (NOW + HOUR).as_secs().to_string();
    assert_eq!(end(&later, None), Some(NOW + HOUR));
    assert_eq!(end(&format!(" {later}\n"), Some("junk")), Some(NOW + HOUR));
    assert_eq!(end("", None), None);
    assert_eq!(end("0", None), Some(Duration::ZERO));
    // A job without a limit, now and half a year after its start.
    let year = (NOW + SLURM_UNLIMITED).as_secs().to_string();
    assert_eq!(end(&year, None), None);
    let half = (NOW + SLURM_UNLIMITED / 2).as_secs().to_string();
    let start = NOW
        .saturating_sub(SLURM_UNLIMITED / 2)
        .as_secs()
        .to_string();
    assert_eq!(end(&half, Some(&start)), None);
    assert!(end(&half, None).is_some());
    assert_eq!(end(&u64::MAX.to_string(), None), None);
    let unset = Lasting::Job.until(&StaticEnvironment::default(), NOW);
    assert_eq!(unset, Ok(None));
}

#[test]
fn a_variable_that_is_no_time_is_a_warning_without_its_value() {
    let secret = "hf_FakeFakeFakeFakeFakeFakeFakeFakeXX";
    for junk in [
        "-1",
        "1e9",
        "2026-12-01",
        "18446744073709551616",
        "½",
        secret,
    ] {
        let warning = slurm(junk, None).unwrap_err();
        assert!(warning.contains(SLURM_JOB_END_TIME), "{warning}");
        assert!(!warning.contains(secret), "{warning}");
    }
}

#[test]
fn a_token_that_ends_before_the_job_is_denied_unless_it_renews_itself() {
    let until = Lasting::For(8 * HOUR)
        .until(&StaticEnvironment::default(), NOW)
        .unwrap()
        .unwrap();
    let plain = || credential(Source::Argument, "https://huggingface.co");
    assert!(until.is_met(Expiry::UNKNOWN, &plain()));
    assert!(until.is_met(ends_in(9 * HOUR), &plain()));
    assert!(!until.is_met(ends_in(8 * HOUR), &plain()));
    let short = ends_in(2 * HOUR);
    assert!(!until.is_met(short, &plain()));
    let oidc = Source::Oidc("acme/x".to_owned());
    let placed = Source::Placed {
        origin: Box::new(oidc.clone()),
        by: Placement::Activation,
    };
    for source in [oidc, placed, Source::Command("pass".to_owned())] {
        assert!(until.is_met(short, &credential(source, "https://huggingface.co")));
    }
    let renewed = Credential {
        renewal: Some(Box::new(Renewal::new("ci".to_owned(), 0, None))),
        ..plain()
    };
    assert!(until.is_met(short, &renewed));
}

#[test]
fn a_denial_has_both_ends_and_the_form_for_another_token() {
    let until = slurm(&(NOW + 8 * HOUR).as_secs().to_string(), None).unwrap();
    let credential = credential(Source::Argument, "https://huggingface.co");
    let denied = |required| {
        let end = ends_in(2 * HOUR);
        let error = until
            .unwrap()
            .check(end, &credential, &credential.describe(), required)
            .unwrap_err();
        let Error::AccessDenied { denial, .. } = &error else {
            unreachable!("{error}");
        };
        (error.to_string(), (**denial).clone())
    };
    let (message, denial) = denied("write");
    assert_eq!(
        message,
        "the token hf_…keXX from the argument does not last: it ends at 2027-01-15 10:00:00 \
         UTC, before this job, which ends at 2027-01-15 16:00:00 UTC (SLURM_JOB_END_TIME), and does \
         not renew itself. Create a token that lasts longer: \
         https://huggingface.co/settings/tokens/new?tokenType=write"
    );
    assert_eq!(denial.required, "write, until 2027-01-15 16:00:00 UTC");
    let (_, denial) = denied("job.write");
    let url = denial.remedy_url.unwrap();
    assert!(
        url.ends_with("?tokenType=fineGrained&ownUserPermissions=job.write"),
        "{url}"
    );
}
