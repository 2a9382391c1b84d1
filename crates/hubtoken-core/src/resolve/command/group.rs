//! A program and the processes that it starts, which are stopped together.
//!
//! The program gets a process group of its own, unless this process is in the foreground of a
//! terminal: the program may then prompt there, which a terminal allows to its foreground group
//! alone, and Ctrl-C goes to that group. On Linux, what belongs to the program is found there by
//! its parents, and by the variable that marks a command's environment where a parent has ended.

use std::io;
use std::process::{Child, ChildStdout, Command, ExitStatus};

/// A running program.
pub(super) struct Group {
    child: Child,
    has_own_group: bool,
}

impl Group {
    /// Starts a program.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let has_own_group = separate(command);
        Ok(Self {
            child: command.spawn()?,
            has_own_group,
        })
    }

    /// Its standard output, once.
    pub(super) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// How it ended; `None` if it still runs.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Stops it and everything that it started. It must not have been reported as ended, since its
    /// process ID may belong to another process then.
    pub(super) fn stop(mut self) {
        #[cfg(unix)]
        if self.has_own_group {
            use rustix::process::{Pid, Signal, kill_process_group};
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        } else {
            shared::kill(self.child.id());
        }
        #[cfg(not(unix))]
        let _ = self.has_own_group;
        // It may have exited already; either way, no process is left behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives a program a process group of its own, unless it may need the terminal.
#[cfg(unix)]
fn separate(command: &mut Command) -> bool {
    use std::os::unix::process::CommandExt as _;
    let is_foreground = std::fs::File::open("/dev/tty").is_ok_and(|terminal| {
        rustix::termios::tcgetpgrp(&terminal)
            .is_ok_and(|foreground| foreground == rustix::process::getpgrp())
    });
    if !is_foreground {
        command.process_group(0);
    }
    !is_foreground
}

#[cfg(not(unix))]
fn separate(_command: &mut Command) -> bool {
    false
}

/// A program in the process group of this process.
#[cfg(unix)]
mod shared {
    use std::collections::HashSet;
    use std::fs;

    use rustix::process::{Pid, Signal, kill_process};

    use crate::env::HUBTOKEN_IN_TOKEN_COMMAND;
    use crate::process_stat::ProcessStat;

    /// How often to look again, since a process may start another one meanwhile.
    const ROUNDS: usize = 4;

    /// Kills a program and what it started. Without `/proc`, nothing is found.
    pub(super) fn kill(program: u32) {
        let mut killed = HashSet::new();
        for _ in 0..ROUNDS {
            let family = family(program);
            if family.is_subset(&killed) {
                return;
            }
            for id in &family {
                if let Some(id) = i32::try_from(*id).ok().and_then(Pid::from_raw) {
                    let _ = kill_process(id, Signal::KILL);
                }
            }
            killed.extend(family);
        }
    }

    /// The processes of a program.
    fn family(program: u32) -> HashSet<u32> {
        let processes: Vec<ProcessStat> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| ProcessStat::read(entry.file_name().to_str()?.parse().ok()?))
            .collect();
        let Some(first) = processes.iter().find(|process| process.id == program) else {
            return HashSet::new();
        };
        let in_group: HashSet<u32> = processes
            .iter()
            .filter(|process| process.group == first.group)
            .map(|process| process.id)
            .collect();
        let is_orphan = |process: &&ProcessStat| {
            process.group == first.group
                && process.started >= first.started
                && !in_group.contains(&process.parent)
                && is_marked(process.id)
        };
        let mut family: HashSet<u32> = processes
            .iter()
            .filter(is_orphan)
            .map(|process| process.id)
            .collect();
        family.insert(program);
        loop {
            let before = family.len();
            for process in &processes {
                if family.contains(&process.parent) {
                    family.insert(process.id);
                }
            }
            if family.len() == before {
                return family;
            }
        }
    }

    /// Whether a process was started by a command.
    fn is_marked(id: u32) -> bool {
        let marker = format!("{HUBTOKEN_IN_TOKEN_COMMAND}=1");
        fs::read(format!("/proc/{id}/environ")).is_ok_and(|environment| {
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == marker.as_bytes())
        })
    }

    #[cfg(all(test, target_os = "linux"))]
    mod tests {
        use std::io::{BufRead as _, BufReader};
        use std::process::{Command, Stdio};

        use super::*;

        #[test]
        fn everything_that_a_program_started_is_found() {
            // A child, a grandchild, and one whose parent has ended.
            let script = "sleep 600 & echo $!; sh -c 'sleep 600 & echo $!; wait' & \
                          sh -c 'sleep 600 & echo $!'; echo end; wait";
            let mut child = Command::new("sh")
                .args(["-c", script])
                .env(HUBTOKEN_IN_TOKEN_COMMAND, "1")
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut started: Vec<u32> = Vec::new();
            while started.len() < 3 {
                started.extend(lines.next().unwrap().unwrap().parse::<u32>());
            }
            let found = family(child.id());
            for id in &started {
                assert!(found.contains(id), "{id} of {started:?}: {found:?}");
            }
            assert!(!found.contains(&std::process::id()));
            kill(child.id());
            child.wait().unwrap();
            // Their end closes the pipe.
            assert_eq!(
                lines
                    .map_while(Result::ok)
                    .filter(|line| line != "end")
                    .count(),
                0
            );
        }
    }
}
