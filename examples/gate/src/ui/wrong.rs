//! Pages for what goes wrong.

use super::frame;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use halfkey::store::OperatorError;
use maud::html;

/// Something that is not there, or was not done.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The store's answer.
    Store(OperatorError),
    /// The address names nothing that there is.
    NotThere,
}

impl From<OperatorError> for Wrong {
    fn from(error: OperatorError) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let (status, title, text) = match &self {
            Self::NotThere | Self::Store(OperatorError::NoSuchKey) => (
                StatusCode::NOT_FOUND,
                "There is no such page",
                "What it would show is not in the store, or not any more.",
            ),
            Self::Store(OperatorError::NoSuchTicket) => (
                StatusCode::CONFLICT,
                "It does not wait any more",
                "Nothing was changed. The agent has fetched an answer and is registered or refused, or it has not come for too long. The events say which.",
            ),
            Self::Store(OperatorError::OtherState) => (
                StatusCode::CONFLICT,
                "It is in another state now",
                "Nothing was changed. Somebody else may have done something in between; look at it again.",
            ),
            Self::Store(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The store does not answer",
                "If something was to be changed, it may have been, or not. Load the page again, or look whether the database is there.",
            ),
        };
        if let Self::Store(error) = &self
            && status == StatusCode::SERVICE_UNAVAILABLE
        {
            tracing::error!(error = halfkey_common::sentence(error), "the store");
        }
        let page = frame::page(title).wrong(true).body(html! {
            p { (text) }
            @if let Self::Store(error) = &self { p.hint { "What it says: " (halfkey_common::sentence(error)) "." } }
        });
        (status, page).into_response()
    }
}
