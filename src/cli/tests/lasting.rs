//! `--lasting`, and what `status` and `list` say about the end of a token.

use super::live::Site;
use super::*;

const HOURS: i64 = 60 * 60;

fn site(expires_in: &str) -> Site {
    let mut site = Site::new(None);
    let value = site.token("short", &["--role", "write", "--expires-in", expires_in]);
    site.log_in(value);
    site
}

#[test]
fn a_token_that_ends_before_the_job_is_denied() {
    let site = site("7200");
    let require = |lasting: &str| {
        let arguments = ["require", "write", "--lasting", lasting];
        site.machine.run(&arguments).code
    };
    assert_eq!(require("1h"), 0);
    assert_eq!(require("1h 30m"), 0);
    assert_eq!(require("8h"), 1);
    assert_eq!(require("0s"), 0);
    let ran = site.machine.run(&["require", "write", "--lasting", "8h"]);
    for part in [
        "does not last: it ends at 20",
        "lasts longer",
        "/settings/tokens/new?tokenType=write",
    ] {
        assert!(ran.err.contains(part), "{part}: {ran:?}");
    }
    let value = site
        .machine
        .json(&["require", "write", "--lasting", "8h"], 1);
    assert_eq!(value["allowed"], false);
    assert_eq!(value["error"]["kind"], "AccessDeniedError");
    // Of a token without an end, nothing is known that could deny it.
    let mut endless = Site::new(None);
    let value = endless.token("endless", &["--role", "write"]);
    endless.log_in(value);
    let arguments = ["require", "write", "--lasting", "3650days"];
    assert_eq!(endless.machine.run(&arguments).code, 0);
}

#[test]
fn a_job_of_slurm_has_an_end_of_its_own() {
    let mut site = site("7200");
    let now = OffsetDateTime::now_utc().unix_timestamp();
    site.machine
        .set("SLURM_JOB_END_TIME", &(now + 8 * HOURS).to_string());
    let ran = site.machine.run(&["require", "write"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("SLURM_JOB_END_TIME"), "{ran:?}");
    assert_eq!(
        site.machine
            .run(&["require", "write", "--lasting", "1h"])
            .code,
        0
    );
    assert_eq!(
        site.machine
            .run(&["run", "--role", "write", "--", "x"])
            .code,
        1
    );
    site.machine.set("SLURM_JOB_END_TIME", "tomorrow");
    let value = site.machine.json(&["require", "write"], 0);
    let warning = value["warnings"][0].as_str().unwrap();
    assert!(warning.contains("SLURM_JOB_END_TIME"), "{warning}");
    assert!(!warning.contains("tomorrow"), "{warning}");
}

#[test]
fn words_that_are_no_time_are_wrong_usage() {
    let machine = Machine::new();
    for wrong in ["-1h", "8", "soon", "200years", "1h1h1parsec", ""] {
        let lasting = format!("--lasting={wrong}");
        let ran = machine.run(&["require", "write", &lasting]);
        assert_eq!(ran.code, 2, "{wrong}: {ran:?}");
        assert!(ran.err.contains("such as 8h"), "{wrong}: {ran:?}");
    }
    let ran = machine.run(&["run", "--lasting", "8h", "--", "x"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("need --role"), "{ran:?}");
}

#[test]
fn the_end_is_where_people_look() {
    let end = OffsetDateTime::now_utc().unix_timestamp() + 5 * 24 * HOURS;
    let machine = Machine::new();
    machine.write(
        ".cache/huggingface/stored_tokens",
        &format!(
            "[oauth-alice]\nhf_token = {FIRST}\nrefresh_token = hf_oauth__refresh_Fake\n\
             expires_at = {end}\n\n[ci]\nhf_token = {SECOND}\nexpires_at = {end}\n\n"
        ),
    );
    let ran = machine.run(&["list"]);
    let line = |name: &str| ran.out.lines().find(|line| line.contains(name)).unwrap();
    assert!(line("oauth-alice").ends_with(", renewed before"), "{ran:?}");
    assert!(!line("ci").contains("renewed"), "{ran:?}");
    let tokens = machine.json(&["list"], 0);
    assert_eq!(tokens["tokens"][0]["renewable"], true);
    assert_eq!(tokens["tokens"][1]["renewable"], false);
}
