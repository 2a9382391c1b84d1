//! A keyring in memory, for tests.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Mutex;

use zeroize::Zeroizing;

use super::{Failure, Keyring, Label};

/// What a test does before an operation.
pub(crate) type Hook = Box<dyn Fn(&str) + Send>;

/// A keyring that has what was stored in it, and fails when told so.
#[derive(Default)]
pub(crate) struct MemoryKeyring {
    /// The values.
    pub(crate) items: Mutex<HashMap<String, String>>,
    /// The names that are shown of them, by their IDs.
    pub(crate) names: Mutex<HashMap<String, String>>,
    /// The failure of each operation.
    pub(crate) failure: Mutex<Option<Failure>>,
    /// Called before each operation.
    pub(crate) before: Mutex<Option<Hook>>,
}

impl MemoryKeyring {
    /// The stored values, sorted.
    pub(crate) fn values(&self) -> Vec<String> {
        let mut values: Vec<String> = self.items.lock().unwrap().values().cloned().collect();
        values.sort();
        values
    }

    /// The names that are shown, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.names.lock().unwrap().values().cloned().collect();
        names.sort();
        names
    }

    /// Makes every later operation fail, or none.
    pub(crate) fn fail(&self, failure: Option<Failure>) {
        *self.failure.lock().unwrap() = failure;
    }

    fn begin(&self, operation: &str) -> Result<(), Failure> {
        if let Some(before) = &*self.before.lock().unwrap() {
            before(operation);
        }
        self.failure.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

impl Keyring for MemoryKeyring {
    fn write(&self, id: &str, label: &Label, value: &str) -> Result<(), Failure> {
        self.begin("write")?;
        let mut items = self.items.lock().unwrap();
        items.insert(id.to_owned(), value.to_owned());
        let mut names = self.names.lock().unwrap();
        names.insert(id.to_owned(), label.name.clone());
        Ok(())
    }

    fn relabel(&self, id: &str, label: &Label) -> Result<(), Failure> {
        self.begin("relabel")?;
        if let Some(name) = self.names.lock().unwrap().get_mut(id) {
            name.clone_from(&label.name);
        }
        Ok(())
    }

    fn read(&self, id: &str) -> Result<Option<Zeroizing<String>>, Failure> {
        self.begin("read")?;
        Ok(self
            .items
            .lock()
            .unwrap()
            .get(id)
            .cloned()
            .map(Zeroizing::new))
    }

    fn delete(&self, id: &str) -> Result<(), Failure> {
        self.begin("delete")?;
        self.items.lock().unwrap().remove(id);
        self.names.lock().unwrap().remove(id);
        Ok(())
    }
}
