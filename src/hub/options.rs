//! What a Hub can be told when it starts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::error::HubError;
use super::registry::AUDIT_DAYS;

/// How often `GET /api/whoami-v2` may be asked: `quota` times in `window_seconds`, per user, or per address when
/// nobody is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WhoamiLimit {
    /// Calls allowed in one window.
    pub quota: u32,
    /// Length of the window.
    pub window_seconds: u32,
}

/// What a [`Hub`](super::Hub) can be told when it starts. The default is a throw-away Hub on a free port.
#[derive(Clone, Debug)]
pub struct HubOptions {
    /// Folder for everything the Hub must remember; `None` is a temporary one that is removed at stop.
    pub data: Option<PathBuf>,
    /// Where to listen: `localhost` or a loopback address. Anything else needs TLS and is refused.
    pub host: String,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Limit on whoami; none by default.
    pub whoami_limit: Option<WhoamiLimit>,
    /// For how many days entries of the audit log are kept; a year by default.
    pub audit_days: u32,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            data: None,
            host: "127.0.0.1".to_owned(),
            port: 0,
            whoami_limit: None,
            audit_days: AUDIT_DAYS,
        }
    }
}

impl HubOptions {
    /// The address to listen on, if it is one that nobody outside this machine can reach.
    pub(crate) fn address(&self) -> Result<SocketAddr, HubError> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let address = if self.is_localhost() {
            // Not looked up: whatever a hosts file says, this Hub must stay on this machine.
            Some(IpAddr::V4(Ipv4Addr::LOCALHOST))
        } else {
            host.parse::<IpAddr>().ok().filter(IpAddr::is_loopback)
        };
        address
            .map(|address| SocketAddr::new(address, self.port))
            .ok_or_else(|| HubError::NotLoopback {
                host: self.host.clone(),
            })
    }

    pub(crate) fn is_localhost(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
    }

    /// `http://host:port` for the port really taken.
    pub(crate) fn endpoint(&self, bound: SocketAddr) -> String {
        if self.is_localhost() {
            format!("http://localhost:{}", bound.port())
        } else {
            format!("http://{bound}")
        }
    }

    pub(crate) fn check(&self) -> Result<(), HubError> {
        if self.audit_days == 0 {
            return Err(HubError::InvalidOption {
                what: "the number of days that the audit log is kept".to_owned(),
                reason: "it must be at least 1".to_owned(),
            });
        }
        match self.whoami_limit {
            Some(limit) if limit.quota == 0 || limit.window_seconds == 0 => {
                Err(HubError::InvalidOption {
                    what: "the whoami limit".to_owned(),
                    reason: "quota and window must be at least 1".to_owned(),
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(host: &str) -> HubOptions {
        HubOptions {
            host: host.to_owned(),
            port: 80,
            ..HubOptions::default()
        }
    }

    #[test]
    fn loopback_in_every_spelling() {
        for (host, endpoint) in [
            ("127.0.0.1", "http://127.0.0.1:80"),
            ("localhost", "http://localhost:80"),
            ("::1", "http://[::1]:80"),
            ("[::1]", "http://[::1]:80"),
            ("127.0.0.2", "http://127.0.0.2:80"),
        ] {
            let options = on(host);
            let address = options.address().unwrap();
            assert!(address.ip().is_loopback());
            assert_eq!(options.endpoint(address), endpoint);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for host in [
            "0.0.0.0",
            "::",
            "192.168.1.2",
            "example.org",
            "localhost.example.org",
            "",
            "127.1",
        ] {
            assert!(
                matches!(on(host).address(), Err(HubError::NotLoopback { .. })),
                "{host}"
            );
        }
    }

    #[test]
    fn a_log_of_no_days_is_refused() {
        let options = HubOptions {
            audit_days: 0,
            ..HubOptions::default()
        };
        assert!(matches!(
            options.check(),
            Err(HubError::InvalidOption { .. })
        ));
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        let limit = Some(WhoamiLimit {
            quota: 0,
            window_seconds: 1,
        });
        assert!(
            HubOptions {
                whoami_limit: limit,
                ..HubOptions::default()
            }
            .check()
            .is_err()
        );
    }
}
