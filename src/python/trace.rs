//! `Trace` and `TraceStep`: the status of each source of tokens.

use pyo3::prelude::*;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

use super::printable;
use super::record::record_methods;
use crate::trace::{Step, Trace};

/// The status of each source of tokens.
///
/// `print(trace)` and a notebook show it line by line; it contains masks, never values.
#[pyclass(name = "Trace", module = "hubtoken", frozen, eq, hash)]
#[derive(Clone, PartialEq, Hash, Deserialize)]
pub struct PyTrace(pub Trace);

/// The fields, and `source`, which follows from them.
impl Serialize for PyTrace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Trace", 4)?;
        fields.serialize_field("steps", &self.0.steps)?;
        fields.serialize_field("source", &self.source())?;
        fields.serialize_field("endpoint", &self.0.endpoint)?;
        fields.serialize_field("warnings", &self.0.warnings)?;
        fields.end()
    }
}

record_methods! {
impl PyTrace {
    /// The steps, in the order in which the sources are tried.
    #[getter]
    fn steps(&self) -> Vec<PyTraceStep> {
        self.0.steps.iter().cloned().map(PyTraceStep).collect()
    }

    /// The source of the token that is used; `None` if there is none.
    ///
    /// For instance `env:HF_TOKEN`.
    #[getter]
    fn source(&self) -> Option<String> {
        self.0.found().map(|step| step.source.clone())
    }

    /// The Hub that the token belongs to; `None` if there is no token.
    #[getter]
    fn endpoint(&self) -> Option<String> {
        self.0.endpoint.clone()
    }

    /// What to mend about the token in use, such as a whole line that was pasted in its place.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.0.warnings.clone()
    }

    fn __str__(&self, py: Python<'_>) -> String {
        printable::shown(py, self.0.to_string())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        self.__str__(py)
    }
}
}

/// The status of one source.
#[pyclass(name = "TraceStep", module = "hubtoken", frozen, eq, hash)]
#[derive(PartialEq, Hash, Serialize, Deserialize)]
pub struct PyTraceStep(Step);

record_methods! {
impl PyTraceStep {
    /// The source.
    ///
    /// For instance `env:HF_TOKEN` or `file:/home/alice/.cache/huggingface/token`.
    #[getter]
    fn source(&self) -> &str {
        &self.0.source
    }

    /// `found`, `shadowed`, `absent`, `skipped`, `refused`, `broken` or `ignored`.
    #[getter]
    fn answer(&self) -> &'static str {
        self.0.status.name()
    }

    /// The source's token, masked; `None` if it has none.
    #[getter]
    fn mask(&self, py: Python<'_>) -> Option<String> {
        self.0.mask.clone().map(|mask| printable::shown(py, mask))
    }

    /// Details; may be empty.
    #[getter]
    fn detail(&self, py: Python<'_>) -> String {
        printable::shown(py, self.0.detail.clone())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let text = format!("<TraceStep {} {}>", self.0.source, self.0.status.name());
        printable::shown(py, text)
    }
}
}
