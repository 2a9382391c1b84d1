//! What Linux says of a process in `/proc/PID/stat` ([proc_pid_stat(5)]).
//!
//! [proc_pid_stat(5)]: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html

use std::fs;

/// A process, as it was at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessStat {
    /// Its ID.
    pub id: u32,
    /// The ID of its parent.
    pub parent: u32,
    /// The ID of its process group.
    pub group: u32,
    /// When it was started, in clock ticks after the boot.
    pub started: u64,
    /// Whether it has ended and only waits for its parent to take note of it.
    pub has_ended: bool,
}

impl ProcessStat {
    /// Reads a process; `None` if there is no such entry, which also means that it is hidden from
    /// this user, or that the system has no `/proc`.
    #[must_use]
    pub fn read(id: u32) -> Option<Self> {
        Self::parse(id, &fs::read(format!("/proc/{id}/stat")).ok()?)
    }

    fn parse(id: u32, stat: &[u8]) -> Option<Self> {
        // The program's name may contain anything, even parentheses.
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let text = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
        let fields: Vec<&str> = text.split_whitespace().collect();
        let field = |index: usize| fields.get(index).copied();
        // A process whose first thread has ended looks like a zombie while others still run.
        let (state, threads) = (field(0)?, field(17)?);
        Some(Self {
            id,
            parent: field(1)?.parse().ok()?,
            group: field(2)?.parse().ok()?,
            started: field(19)?.parse().ok()?,
            has_ended: matches!(state, "Z" | "X" | "x") && matches!(threads, "0" | "1"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = " 1 2 3 0 -1 4 0 0 0 0 0 0 0 0 20 0 ";

    #[test]
    fn the_name_of_a_program_is_not_taken_for_its_fields() {
        for name in ["sleep", "a b", ") Z 9 9 9", "a)", "\u{e9}"] {
            let line = format!("7 ({name}) S{REST}1 0 5\n");
            let read = ProcessStat::parse(7, line.as_bytes());
            let expected = ProcessStat {
                id: 7,
                parent: 1,
                group: 2,
                started: 5,
                has_ended: false,
            };
            assert_eq!(read, Some(expected), "{name}");
        }
    }

    #[test]
    fn a_process_has_ended_if_no_thread_of_it_runs() {
        for (state, threads, has_ended) in [
            ("Z", 1, true),
            ("X", 0, true),
            ("Z", 2, false),
            ("R", 1, false),
        ] {
            let line = format!("7 (sleep) {state}{REST}{threads} 0 5\n");
            let read = ProcessStat::parse(7, line.as_bytes());
            assert_eq!(
                read.map(|process| process.has_ended),
                Some(has_ended),
                "{line}"
            );
        }
    }

    #[test]
    fn a_line_that_is_cut_off_is_none() {
        for line in ["", "7 (sleep", "7 (sleep) S 1 2", "7 (sleep) S 1 x"] {
            assert_eq!(ProcessStat::parse(7, line.as_bytes()), None);
        }
    }
}
