//! Streams a request's body to git's standard input.

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::StatusCode;
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;

use super::inflate::{InflateError, Inflater};
use super::service::STALL_TIMEOUT;
use crate::response::ApiError;

/// Streams the body to git. If git stops reading, the rest is read and discarded, because a client
/// that is still sending does not read the response.
pub(super) async fn write_body(
    body: Body,
    mut inflater: Inflater,
    mut stdin: Option<ChildStdin>,
    limit: usize,
) -> Result<(), ApiError> {
    let to_error = |error| match error {
        InflateError::TooLarge => ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The request is too large: the limit is {limit} bytes after decompression"),
        ),
        InflateError::Malformed => ApiError::bad_request("The request is not valid gzip"),
    };
    let mut body = std::pin::pin!(body);
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        let Ok(frame) = frame else {
            return Err(ApiError::bad_request("The request was cut off"));
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if inflater.is_plain() {
            let chunk = inflater.push(data).map_err(to_error)?;
            write(&mut stdin, &chunk).await?;
            continue;
        }
        for slice in Inflater::split(&data) {
            let chunk = inflater.push(slice).map_err(to_error)?;
            write(&mut stdin, &chunk).await?;
        }
    }
    let rest = inflater.finish().map_err(to_error)?;
    write(&mut stdin, &rest).await
}

async fn write(stdin: &mut Option<ChildStdin>, data: &Bytes) -> Result<(), ApiError> {
    let Some(open) = stdin else {
        return Ok(());
    };
    match tokio::time::timeout(STALL_TIMEOUT, open.write_all(data)).await {
        Ok(Ok(())) => Ok(()),
        // git has exited, and its output says why.
        Ok(Err(_)) => {
            *stdin = None;
            Ok(())
        }
        Err(_) => Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "git has stopped reading on the server; try again",
        )),
    }
}
