//! `Trace` and `TraceStep`: the status of each source of tokens.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::trace::{Step, Trace};

/// The status of each source of tokens.
///
/// `print(trace)` and a notebook show it line by line; it contains masks, never values.
#[pyclass(name = "Trace", module = "hubtoken", frozen)]
#[derive(Clone)]
pub struct PyTrace(pub Trace);

#[pymethods]
impl PyTrace {
    /// The steps, in the order in which the sources are tried.
    #[getter]
    fn steps(&self) -> Vec<PyTraceStep> {
        self.0.steps.iter().cloned().map(PyTraceStep).collect()
    }

    /// The source of the token that is used, such as `env:HF_TOKEN`; `None` if there is none.
    #[getter]
    fn source(&self) -> Option<String> {
        self.0.found().map(|step| step.source.clone())
    }

    /// The Hub that the token belongs to; `None` if there is no token.
    #[getter]
    fn endpoint(&self) -> Option<String> {
        self.0.endpoint.clone()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        self.0.to_string()
    }

    /// Pickles the trace, which crosses process boundaries with the error that carries it.
    #[pyo3(signature = () -> "tuple[Any, ...]")]
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let steps: Vec<PickledStep> = self
            .0
            .steps
            .iter()
            .map(|step| {
                (
                    step.source.clone(),
                    step.status.name().to_owned(),
                    step.mask.clone(),
                    step.detail.clone(),
                )
            })
            .collect();
        let restore = py.import("hubtoken._core")?.getattr("restore_trace")?;
        (restore, (steps, self.endpoint())).into_pyobject(py)
    }
}

/// The pickled form of a step: source, answer, mask, and detail.
pub type PickledStep = (String, String, Option<String>, String);

/// The status of one source.
#[pyclass(name = "TraceStep", module = "hubtoken", frozen)]
pub struct PyTraceStep(Step);

#[pymethods]
impl PyTraceStep {
    /// The source, such as `env:HF_TOKEN` or `file:/home/alice/.cache/huggingface/token`.
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
    fn mask(&self) -> Option<&str> {
        self.0.mask.as_deref()
    }

    /// Details; may be empty.
    #[getter]
    fn detail(&self) -> &str {
        &self.0.detail
    }

    fn __repr__(&self) -> String {
        format!("<TraceStep {} {}>", self.0.source, self.0.status.name())
    }
}
