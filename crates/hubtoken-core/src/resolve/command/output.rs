//! Reads what a program has written so far, without waiting for more.
//!
//! A program may start another one that keeps its standard output open, such as the agent of a
//! password manager. The end of the output would then never come, so it must not be waited for.

use std::io::{self, ErrorKind, Read as _};
use std::process::ChildStdout;

use zeroize::Zeroizing;

/// The maximum output size, in bytes.
pub(super) const MAXIMUM_OUTPUT: usize = 64 * 1024;

/// The output of a program.
pub(super) struct Output {
    stdout: Stdout,
    bytes: Zeroizing<Vec<u8>>,
}

impl Output {
    /// The output of a program that was just started.
    pub(super) fn of(stdout: ChildStdout) -> io::Result<Self> {
        Ok(Self {
            stdout: Stdout::new(stdout)?,
            // Large enough from the start: a growing buffer would leave copies behind.
            bytes: Zeroizing::new(Vec::with_capacity(MAXIMUM_OUTPUT + 1)),
        })
    }

    /// Reads what is there. After the program has exited, that is everything that it wrote.
    pub(super) fn read(&mut self) -> io::Result<()> {
        let mut part = Zeroizing::new([0; 4096]);
        while self.bytes.len() <= MAXIMUM_OUTPUT {
            let space = (MAXIMUM_OUTPUT + 1 - self.bytes.len()).min(part.len());
            match self.stdout.read(&mut part[..space]) {
                Ok(0) => return Ok(()),
                Ok(length) => self.bytes.extend_from_slice(&part[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether it is longer than a token may be.
    pub(super) fn is_too_long(&self) -> bool {
        self.bytes.len() > MAXIMUM_OUTPUT
    }

    /// What was read.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(unix)]
struct Stdout(ChildStdout);

#[cfg(unix)]
impl Stdout {
    fn new(stdout: ChildStdout) -> io::Result<Self> {
        use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
        let flags = fcntl_getfl(&stdout)?;
        fcntl_setfl(&stdout, flags | OFlags::NONBLOCK)?;
        Ok(Self(stdout))
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

/// A pipe that can only be read by waiting is read by a thread of its own.
#[cfg(not(unix))]
struct Stdout {
    received: std::sync::mpsc::Receiver<io::Result<u8>>,
}

#[cfg(not(unix))]
impl Stdout {
    /// How long the thread may take to pass on what a program wrote before it exited.
    const DELAY: std::time::Duration = std::time::Duration::from_millis(20);

    fn new(stdout: ChildStdout) -> io::Result<Self> {
        let (send, received) = std::sync::mpsc::sync_channel(MAXIMUM_OUTPUT + 1);
        std::thread::Builder::new().spawn(move || {
            for byte in io::BufReader::new(stdout).bytes() {
                // The receiver is gone if the program was stopped.
                if send.send(byte).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { received })
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::sync::mpsc::RecvTimeoutError;
        let Some(first) = buffer.first_mut() else {
            return Ok(0);
        };
        match self.received.recv_timeout(Self::DELAY) {
            Ok(byte) => {
                *first = byte?;
                Ok(1)
            }
            Err(RecvTimeoutError::Timeout) => Err(ErrorKind::WouldBlock.into()),
            Err(RecvTimeoutError::Disconnected) => Ok(0),
        }
    }
}
