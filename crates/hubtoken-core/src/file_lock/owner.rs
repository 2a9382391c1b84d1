//! The process that made a lock file, and whether it still runs.
//!
//! A process ID alone says little: it may belong to another host or another container, and it is
//! reused. A record therefore names the host, on Linux with its boot and its PID namespace, and the
//! time at which the process was started.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::hexadecimal;
use crate::process_stat::ProcessStat;

/// The random part of a record, in bytes.
const ID_BYTES: usize = 16;

/// The owner of a lock file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Random, in hexadecimal: no two records are the same.
    pub(super) id: String,
    /// The name of its host.
    pub host: String,
    /// On Linux, the host's boot and its PID namespace, within which process IDs are unique.
    pub(super) machine: String,
    /// Its process ID.
    pub pid: u32,
    /// When the process was started, in the system's own unit; empty if that is unknown.
    pub(super) started: String,
    /// When it took the lock, in Unix seconds. For people: ages are measured by the file's own
    /// time.
    pub locked_at: u64,
}

/// Whether the process of a record still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liveness {
    /// It does.
    Running,
    /// It has ended.
    Ended,
    /// It cannot be determined from here.
    Unknown,
}

impl Owner {
    /// A new record of this process.
    ///
    /// # Errors
    ///
    /// The system provides no random numbers.
    pub fn current() -> std::io::Result<Self> {
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id).map_err(std::io::Error::other)?;
        let pid = std::process::id();
        Ok(Self {
            id: hexadecimal::encode(&id),
            host: host(),
            machine: machine(),
            pid,
            started: ProcessStat::read(pid).map_or_else(String::new, started),
            locked_at: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |time| time.as_secs()),
        })
    }

    /// Parses the content of a lock file; `None` if it is not a complete record.
    #[must_use]
    pub fn parse(content: &[u8]) -> Option<Self> {
        let owner: Self = serde_json::from_slice(content).ok()?;
        // It becomes part of a file's name.
        let is_id =
            owner.id.len() == 2 * ID_BYTES && owner.id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then_some(owner)
    }

    /// The content of a lock file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // A record consists of text and numbers, so it can always be serialized.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Whether it is a process of this host, as far as the host's name tells.
    #[must_use]
    pub fn is_of_this_host(&self) -> bool {
        self.host == host()
    }

    /// Whether the process has surely ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.liveness() == Liveness::Ended
    }

    /// Whether the process still runs.
    pub(super) fn liveness(&self) -> Liveness {
        if !self.is_of_this_host() || self.machine != machine() || is_nameless(&self.machine) {
            return Liveness::Unknown;
        }
        match ProcessStat::read(self.pid) {
            Some(process) if process.has_ended => Liveness::Ended,
            Some(_) if self.started.is_empty() => Liveness::Unknown,
            Some(process) if started(process) == self.started => Liveness::Running,
            Some(_) => Liveness::Ended,
            None => by_signal(self.pid),
        }
    }
}

/// Whether a machine's name is missing where it should be known.
fn is_nameless(machine: &str) -> bool {
    cfg!(target_os = "linux") && machine.is_empty()
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    String::new()
}

/// The boot and the PID namespace; empty if they are unknown.
fn machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let namespace = std::fs::read_link("/proc/self/ns/pid");
    match (boot, namespace) {
        (Ok(boot), Ok(namespace)) => format!("{} {}", boot.trim(), namespace.display()),
        _ => String::new(),
    }
}

/// When a process was started, as a record has it.
fn started(process: ProcessStat) -> String {
    process.started.to_string()
}

/// Whether a process exists, by a signal that does nothing.
#[cfg(unix)]
fn by_signal(pid: u32) -> Liveness {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    match pid.map(rustix::process::test_kill_process) {
        Some(Err(rustix::io::Errno::SRCH)) => Liveness::Ended,
        // It may be another process that has the ID by now.
        _ => Liveness::Unknown,
    }
}

#[cfg(not(unix))]
fn by_signal(_pid: u32) -> Liveness {
    Liveness::Unknown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_record_is_read_back_and_nothing_else_is() {
        let owner = Owner::current().unwrap();
        assert_eq!(Owner::parse(&owner.to_bytes()).as_ref(), Some(&owner));
        assert_ne!(Owner::current().unwrap().id, owner.id);
        let strange = Owner {
            id: "../../etc/passwd".to_owned(),
            ..owner.clone()
        };
        for content in [
            b"".to_vec(),
            b"{}".to_vec(),
            owner.to_bytes()[..40].to_vec(),
            strange.to_bytes(),
        ] {
            assert_eq!(Owner::parse(&content), None);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_told_from_its_id() {
        let owner = Owner::current().unwrap();
        assert_eq!(owner.liveness(), Liveness::Running);
        let with = |edit: &dyn Fn(&mut Owner)| {
            let mut other = owner.clone();
            edit(&mut other);
            other.liveness()
        };
        // The ID was reused, or there is no such process.
        assert_eq!(
            with(&|other| other.started = "1".to_owned()),
            Liveness::Ended
        );
        assert_eq!(with(&|other| other.pid = 0x7fff_fff0), Liveness::Ended);
        // Another host, another boot of this one, another container.
        assert_eq!(
            with(&|other| other.host = "x".to_owned()),
            Liveness::Unknown
        );
        assert_eq!(with(&|other| other.machine.clear()), Liveness::Unknown);
        assert_eq!(with(&|other| other.machine.push('1')), Liveness::Unknown);
        assert_eq!(with(&|other| other.started.clear()), Liveness::Unknown);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_nobody_waited_for_has_ended() {
        let mut child = std::process::Command::new("sleep")
            .arg("600")
            .spawn()
            .unwrap();
        let owner = Owner {
            pid: child.id(),
            started: started(ProcessStat::read(child.id()).unwrap()),
            ..Owner::current().unwrap()
        };
        assert_eq!(owner.liveness(), Liveness::Running);
        child.kill().unwrap();
        // Until it is waited for, it is a zombie; its own end is not awaited here.
        while owner.liveness() == Liveness::Running {
            std::thread::yield_now();
        }
        assert_eq!(owner.liveness(), Liveness::Ended);
        child.wait().unwrap();
        assert_eq!(owner.liveness(), Liveness::Ended);
    }
}
