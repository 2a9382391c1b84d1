//! Builds and recognizes the value that makes git run our helper.
//!
//! git runs a value with an exclamation mark in a shell, in whatever folder it works in and with
//! whatever `PATH` its caller has. The value is therefore an absolute, quoted path, and only of a
//! program that is there: the empty value before it disables git's other helpers, so a helper that
//! does not run would leave git without any.
//!
//! Our helper is a separate program, which takes a tenth of the time that Python's interpreter
//! needs to start. It is installed next to `hubtoken`. If it is missing, the value is
//! `hubtoken git-credential` instead.

use std::env::consts::EXE_SUFFIX;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::env::{self, Environment};
use crate::sanitize::redacted_path;

/// The end of our helper's value if it is the `hubtoken` command. git appends the operation.
const VERB: &str = " git-credential";

/// The name of the command, without the `.exe` suffix.
const COMMAND: &str = "hubtoken";

/// The name of the separate helper program, without the `.exe` suffix.
pub(super) const PROGRAM: &str = "git-credential-hubtoken";

/// How much of a script's first line the system reads, in bytes.
const LONGEST_INTERPRETER: u64 = 256;

/// The value for the running `hubtoken`, or if that is not a program by itself, for the one on
/// `PATH`.
///
/// # Errors
///
/// A sentence that says that there is no such program, or that its path is not valid text.
pub fn helper(hubtoken: Option<&Path>, environment: &dyn Environment) -> Result<String, String> {
    hubtoken
        .filter(|hubtoken| hubtoken.is_absolute())
        .map(Path::to_owned)
        .and_then(|hubtoken| value(&hubtoken))
        .or_else(|| value(&on_path(COMMAND, environment).next()?))
        .unwrap_or_else(|| {
            Err(format!(
                "there is no program for git to run: {}, and `{COMMAND}` is not on PATH either. \
                 Nothing was changed. Install hubtoken with its programs (`pip install hubtoken`), \
                 or run `setup-git` with the `{COMMAND}` of the environment that has them",
                match hubtoken {
                    Some(hubtoken) => format!(
                        "{} is not a program that can be run, and no `{PROGRAM}` lies beside it",
                        redacted_path(hubtoken)
                    ),
                    None => "this hubtoken was not started as a program".to_owned(),
                }
            ))
        })
}

/// The value for a `hubtoken` and what lies beside it; `None` if neither can be run.
fn value(hubtoken: &Path) -> Option<Result<String, String>> {
    if let Some(program) = alone(hubtoken, EXE_SUFFIX) {
        return Some(quoted(&program).map(|program| format!("!{program}")));
    }
    is_program(hubtoken).then(|| Ok(format!("!{}{VERB}", quoted(hubtoken)?)))
}

/// The separate helper program: next to `hubtoken`, or next to the target of that symbolic link.
fn alone(hubtoken: &Path, suffix: &str) -> Option<PathBuf> {
    // The path as given comes first, because a symbolic link outlives the versions it points to.
    [Some(hubtoken.to_owned()), hubtoken.canonicalize().ok()]
        .into_iter()
        .flatten()
        .map(|hubtoken| hubtoken.with_file_name(format!("{PROGRAM}{suffix}")))
        .find(|program| is_program(program))
}

/// The programs of a name on `PATH`, in order. A relative folder would be another one wherever git
/// runs.
fn on_path(name: &str, environment: &dyn Environment) -> impl Iterator<Item = PathBuf> + use<> {
    let name = format!("{name}{EXE_SUFFIX}");
    let path = environment.get(env::PATH).unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders
        .into_iter()
        .filter(|folder| folder.is_absolute())
        .map(move |folder| folder.join(&name))
        .filter(|program| is_program(program))
}

/// Whether a path leads to a file that the system would run.
fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && is_executable(&metadata))
        && interpreter(path).is_none_or(|interpreter| interpreter.is_file())
}

/// The interpreter that a script names. It is missing if the Python of a virtual environment was
/// removed or replaced by another version.
fn interpreter(script: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    File::open(script)
        .ok()?
        .take(LONGEST_INTERPRETER)
        .read_to_end(&mut start)
        .ok()?;
    let line = start
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let path = line.trim_ascii().split(u8::is_ascii_whitespace).next()?;
    // One that is not an absolute path is looked for by the system.
    str::from_utf8(path)
        .ok()
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    true
}

fn quoted(program: &Path) -> Result<String, String> {
    let text = program.to_str().ok_or_else(|| {
        format!(
            "the path of hubtoken, {}, is not text, so it cannot be written into git's \
             configuration",
            redacted_path(program)
        )
    })?;
    // git's shell on Windows accepts both separators, but a backslash would need quoting.
    let text = if cfg!(windows) {
        text.replace('\\', "/")
    } else {
        text.to_owned()
    };
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}

/// Whether [`helper`] wrote a value, in this or an earlier version, for this program or for one
/// that was moved.
pub(super) fn is_ours(value: &str) -> bool {
    let is_program = |path: &str| {
        path.rsplit_once('/')
            .is_some_and(|(_, name)| name.strip_suffix(".exe").unwrap_or(name) == PROGRAM)
    };
    is_bare(value)
        || value.strip_prefix("!'").is_some_and(|quoted| {
            quoted.ends_with(&format!("'{VERB}"))
                || quoted.strip_suffix('\'').is_some_and(is_program)
        })
}

/// Whether a value names the command without its path, as earlier versions wrote it.
fn is_bare(value: &str) -> bool {
    value
        .strip_prefix('!')
        .and_then(|rest| rest.strip_suffix(VERB))
        == Some(COMMAND)
}

/// Whether the program of a value is there; `None` if the value is neither one of ours nor the
/// short name by which git finds our program.
pub(super) fn program_exists(value: &str, environment: &dyn Environment) -> Option<bool> {
    let is_on_path = |name| on_path(name, environment).next().is_some();
    if value == COMMAND {
        return Some(is_on_path(PROGRAM));
    }
    if is_bare(value) {
        return Some(is_on_path(COMMAND));
    }
    if !is_ours(value) {
        return None;
    }
    let quoted = value.strip_prefix("!'")?;
    let path = quoted
        .strip_suffix(VERB)
        .unwrap_or(quoted)
        .strip_suffix('\'')?;
    Some(is_program(Path::new(&path.replace("'\\''", "'"))))
}

#[cfg(test)]
mod tests;
