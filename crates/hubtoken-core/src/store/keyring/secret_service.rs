//! The Secret Service of Linux and the BSDs (gnome-keyring, `KWallet`, `KeePassXC`), over D-Bus.
//!
//! Each operation has a connection and a small runtime of its own: operations are rare, a forked
//! child must not use its parent's connection, and an operation that has missed its deadline leaves
//! nothing behind. The value is encrypted on the bus with a key that both sides agree on.
//!
//! Source: <https://specifications.freedesktop.org/secret-service/latest/>

use std::collections::HashMap;
use std::time::Duration;

use secret_service::{Collection, EncryptionType, Error, Item, SecretService};
use tokio::runtime::Builder;
use tokio::time::timeout;
use zbus::connection;
use zeroize::Zeroizing;

use super::{Failure, Keyring, Label, SERVICE};
use crate::bounded_file;
use crate::env::{self, Environment};
use crate::source_timeout::{DEFAULT_TIMEOUT, source_timeout};

/// The Secret Service of one session.
pub(super) struct SystemKeyring {
    /// The address of the session's bus.
    address: Option<String>,
    /// Whether the service could show a prompt.
    has_screen: bool,
    deadline: Duration,
}

impl SystemKeyring {
    pub(super) fn read(environment: &dyn Environment) -> Self {
        let variable = |name| env::text(environment, name);
        let session = || {
            let folder = variable(env::XDG_RUNTIME_DIR)?;
            let has_socket = std::path::Path::new(&folder).join("bus").exists();
            has_socket.then(|| format!("unix:path={folder}/bus"))
        };
        Self {
            address: variable(env::DBUS_SESSION_BUS_ADDRESS).or_else(session),
            has_screen: [env::DISPLAY, env::WAYLAND_DISPLAY]
                .into_iter()
                .any(|name| variable(name).is_some()),
            // An invalid one is reported before anything is asked.
            deadline: source_timeout(environment).unwrap_or(DEFAULT_TIMEOUT),
        }
    }

    /// Runs an operation to its end or to its deadline.
    fn run<T>(
        &self,
        operation: impl AsyncFnOnce(&SecretService<'_>) -> Result<T, Problem>,
    ) -> Result<T, Failure> {
        let address = self
            .address
            .as_deref()
            .ok_or_else(|| Failure::Absent("there is no D-Bus session".to_owned()))?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Other(format!("cannot be asked: {}", error.kind())))?;
        let answer = async {
            let connection = connection::Builder::address(address)
                .map_err(|_| {
                    Failure::Absent("the address of its D-Bus session is none".to_owned())
                })?
                .build()
                .await
                .map_err(unreachable)?;
            let service =
                SecretService::connect_with_existing(EncryptionType::Dh, connection).await;
            let service = service.map_err(failure)?;
            operation(&service).await.map_err(|problem| match problem {
                Problem::Known(failure) => failure,
                Problem::Service(error) => failure(error),
            })
        };
        // Inside of the runtime, which has the timer.
        let answer = runtime.block_on(async { timeout(self.deadline, answer).await });
        answer.unwrap_or(Err(Failure::Silent(self.deadline)))
    }

    /// The collection for new items, unlocked.
    async fn collection<'a>(
        &self,
        service: &'a SecretService<'_>,
    ) -> Result<Collection<'a>, Problem> {
        let collection = match service.get_default_collection().await {
            // A new user's keyring has none yet, and creating it asks for a password.
            Err(Error::NoResult) if !self.has_screen => return Err(Failure::Locked.into()),
            Err(Error::NoResult) => service.create_collection("Login", "default").await?,
            found => found?,
        };
        if collection.is_locked().await? {
            self.check_screen()?;
            collection.unlock().await?;
            collection.ensure_unlocked().await?;
        }
        Ok(collection)
    }

    /// The items with an ID, unlocked. There is one at most, unless something copied it.
    async fn items<'a>(
        &self,
        service: &'a SecretService<'_>,
        id: &str,
    ) -> Result<Vec<Item<'a>>, Problem> {
        let found = service
            .search_items(HashMap::from([("service", SERVICE), ("item", id)]))
            .await?;
        let mut items = found.unlocked;
        for item in found.locked {
            self.check_screen()?;
            item.unlock().await?;
            item.ensure_unlocked().await?;
            items.push(item);
        }
        Ok(items)
    }

    /// Nobody sees a prompt without a screen.
    fn check_screen(&self) -> Result<(), Failure> {
        if self.has_screen {
            Ok(())
        } else {
            Err(Failure::Locked)
        }
    }
}

/// What an item is found by.
fn attributes<'a>(id: &'a str, label: &'a Label) -> HashMap<&'a str, &'a str> {
    HashMap::from([
        ("service", SERVICE),
        ("item", id),
        ("name", label.name.as_str()),
        ("endpoint", label.endpoint.as_str()),
    ])
}

/// What is shown of an item.
fn title(label: &Label) -> String {
    format!("{SERVICE}: {} ({})", label.name, label.endpoint)
}

impl Keyring for SystemKeyring {
    fn write(&self, id: &str, label: &Label, value: &str) -> Result<(), Failure> {
        self.run(async |service| {
            let collection = self.collection(service).await?;
            let (title, attributes) = (title(label), attributes(id, label));
            collection
                .create_item(&title, attributes, value.as_bytes(), true, "text/plain")
                .await?;
            Ok(())
        })
    }

    fn relabel(&self, id: &str, label: &Label) -> Result<(), Failure> {
        self.run(async |service| {
            for item in self.items(service, id).await? {
                item.set_attributes(attributes(id, label)).await?;
                item.set_label(&title(label)).await?;
            }
            Ok(())
        })
    }

    fn read(&self, id: &str) -> Result<Option<Zeroizing<String>>, Failure> {
        self.run(async |service| {
            let Some(item) = self.items(service, id).await?.into_iter().next() else {
                return Ok(None);
            };
            let secret = Zeroizing::new(item.get_secret().await?);
            Ok(bounded_file::into_utf8(secret))
        })
    }

    fn delete(&self, id: &str) -> Result<(), Failure> {
        self.run(async |service| {
            for item in self.items(service, id).await? {
                item.delete().await?;
            }
            Ok(())
        })
    }
}

/// Why an operation stopped.
enum Problem {
    Known(Failure),
    Service(Error),
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Known(failure)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

/// Why there is no connection to the bus.
fn unreachable(error: zbus::Error) -> Failure {
    Failure::Absent(match error {
        zbus::Error::InputOutput(error) => {
            format!("its D-Bus session cannot be reached: {}", error.kind())
        }
        _ => "its D-Bus session cannot be used".to_owned(),
    })
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Locked => Failure::Locked,
        Error::Prompt | Error::PromptDisconnected => Failure::Dismissed,
        Error::Unavailable => Failure::Absent("no program provides it".to_owned()),
        Error::Zbus(error) => of_bus(&error),
        Error::ZbusFdo(error) => of_bus(&zbus::Error::FDO(Box::new(error))),
        Error::Crypto(_) | Error::Zvariant(_) => {
            Failure::Other("answered with what cannot be understood".to_owned())
        }
        Error::NoResult => Failure::Other("has no collection to store it in".to_owned()),
        _ => Failure::Other("failed".to_owned()),
    }
}

/// What an error of the bus means. Its text is the service's, and is not repeated.
fn of_bus(error: &zbus::Error) -> Failure {
    let name = match error {
        zbus::Error::MethodError(name, ..) => name.as_str().to_owned(),
        zbus::Error::FDO(error) => {
            use zbus::DBusError as _;
            error.name().as_str().to_owned()
        }
        zbus::Error::InputOutput(error) => {
            return Failure::Other(format!("broke off the connection: {}", error.kind()));
        }
        _ => return Failure::Other("answered with what cannot be understood".to_owned()),
    };
    match name.rsplit('.').next().unwrap_or_default() {
        "ServiceUnknown" | "NameHasNoOwner" => Failure::Absent("no program provides it".to_owned()),
        _ if name.contains(".Spawn.") => {
            Failure::Absent("its program could not be started".to_owned())
        }
        "IsLocked" => Failure::Locked,
        "NoReply" | "Timeout" | "TimedOut" => {
            Failure::Other("gave no answer before it ended".to_owned())
        }
        _ => Failure::Other(format!("failed ({name})")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::env::StaticEnvironment;

    fn keyring(address: Option<String>) -> SystemKeyring {
        SystemKeyring {
            address,
            has_screen: true,
            deadline: Duration::from_millis(50),
        }
    }

    #[test]
    fn a_bus_that_is_not_there_is_an_absent_keyring() {
        let folder = tempfile::tempdir().unwrap();
        let missing = format!("unix:path={}", folder.path().join("bus").display());
        for address in [
            None,
            Some(missing),
            Some("moon:".to_owned()),
            Some("\u{fc}".to_owned()),
            Some(String::new()),
        ] {
            let failure = keyring(address.clone()).read("id").unwrap_err();
            assert!(
                matches!(failure, Failure::Absent(_)),
                "{address:?} {failure:?}"
            );
        }
    }

    #[test]
    fn a_bus_that_accepts_and_never_answers_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bus");
        let _listener = UnixListener::bind(&path).unwrap();
        let silent = keyring(Some(format!("unix:path={}", path.display())));
        assert!(matches!(silent.read("id"), Err(Failure::Silent(_))));
        assert!(matches!(silent.delete("id"), Err(Failure::Silent(_))));
    }

    #[test]
    fn the_bus_and_the_screen_are_those_of_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let read = |pairs: &[(&str, &str)]| {
            let mut environment = StaticEnvironment::default();
            for (name, value) in pairs {
                environment.set(name, *value);
            }
            SystemKeyring::read(&environment)
        };
        assert_eq!(read(&[]).address, None);
        assert_eq!(read(&[("XDG_RUNTIME_DIR", path)]).address, None);
        std::fs::write(folder.path().join("bus"), "").unwrap();
        let found = read(&[("XDG_RUNTIME_DIR", path)]);
        assert_eq!(found.address, Some(format!("unix:path={path}/bus")));
        assert!(!found.has_screen);
        let found = read(&[
            ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/b"),
            ("DISPLAY", ":0"),
        ]);
        assert_eq!(found.address.as_deref(), Some("unix:path=/b"));
        assert!(found.has_screen);
    }
}
