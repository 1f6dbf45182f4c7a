//! Faults on their way from a server function to a page.

use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use millrace_domain::fault::Fault;
use serde::{Deserialize, Serialize};

/// The error of every server function. What a page shows of it is the [`Fault`]'s own words; nothing that a driver or the
/// framework said gets into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageFault(pub Fault);

impl PageFault {
    /// The request was not what the form or link should have sent.
    pub fn not_understood() -> Self {
        Self(Fault::new(
            400,
            "not_understood",
            "Not understood",
            "the form was not understood; load the page again and repeat the last step",
        ))
    }
}

impl From<Fault> for PageFault {
    /// On the server the fault's status becomes that of the answer, be it a page or data for one.
    fn from(fault: Fault) -> Self {
        #[cfg(feature = "ssr")]
        answer_with(fault.status);
        Self(fault)
    }
}

#[cfg(feature = "ssr")]
fn answer_with(status: u16) {
    use axum::http::StatusCode;
    use leptos::prelude::use_context;

    if let (Some(response), Ok(status)) = (use_context::<leptos_axum::ResponseOptions>(), StatusCode::from_u16(status))
    {
        response.set_status(status);
    }
}

impl FromServerFnError for PageFault {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) => Self(Fault::new(
                503,
                "unreachable",
                "No connection",
                "the server could not be reached; check the connection and try again",
            )),
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => {
                // A plain form is led back to its page instead.
                #[cfg(feature = "ssr")]
                if crate::caller::plain_form().is_none() {
                    answer_with(400);
                }
                Self::not_understood()
            }
            _ => Self(Fault::new(
                500,
                "unexpected",
                "Something went wrong",
                "the server did not answer as it should; load the page again, and tell an admin if it stays so",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_framework_never_reach_the_page() {
        let fault = PageFault::from_server_fn_error(ServerFnErrorErr::ServerError("relation \"account\"".into()));
        assert!(!fault.0.detail.contains("relation"), "{fault:?}");
    }

    #[test]
    fn a_problem_document_of_the_api_is_read_as_a_fault() {
        let body = r#"{"type":"about:blank","title":"Sign in","status":401,"detail":"sign in first","code":"unauthenticated"}"#;
        let fault = PageFault::de(body.to_owned().into_bytes().into());
        assert_eq!((fault.0.status, fault.0.detail.as_str()), (401, "sign in first"));
    }
}
