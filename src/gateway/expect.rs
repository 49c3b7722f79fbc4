//! Reports over HTTP: `/expect/NAME` is the verb `report`, for jobs that have `curl` alone.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::call::act;
use super::refused::{Refused, refused};
use super::sign_in::Caller;
use super::{Gateway, body};
use crate::http::Peer;
use crate::protocol::command::Action;
use crate::protocol::expectation::{Report, Reported, text_of_output};
use crate::protocol::framing::LINE_BYTES_MAX;
use crate::protocol::refusal::Code;
use crate::protocol::reply::Reply;

/// The name and the word after it.
pub(super) struct Words {
    name: String,
    word: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Words {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let words = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Path(words) = words.map_err(|_| Refused::bad("the path is not UTF-8"))?;
        let mut words = words.into_iter().map(|(_, word)| word);
        Ok(Self { name: words.next().unwrap_or_default(), word: words.next() })
    }
}

/// `/expect/NAME`, and `/start`, `/fail` or an exit code after it. A browser could be made to send a
/// GET, so that takes a token only.
pub(super) async fn report(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Peer>,
    words: Words,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let caller = gateway.caller(&headers, peer).await?;
    if method == Method::GET {
        caller.check_token()?;
    }
    let mut report = parse(&words)?;
    let output = body::read(&headers, body, LINE_BYTES_MAX).await?;
    if report.report != Reported::Started {
        report.text = text_of_output(&output);
    }
    gateway.report(caller, report).await
}

fn parse(Words { name, word }: &Words) -> Result<Report, Refused> {
    let name = name.parse().map_err(|_| Code::UnknownExpectation)?;
    let report = match word.as_deref() {
        None => Reported::Ended(0),
        Some("start") => Reported::Started,
        Some("fail") => Reported::Ended(1),
        Some(code) => Reported::Ended(exit_code(code).ok_or_else(|| {
            let why = "there is /start, /fail, and an exit code from 0 to 255";
            Refused::new(StatusCode::NOT_FOUND, Code::BadRequest, why)
        })?),
    };
    Ok(Report { name, report, text: None })
}

fn exit_code(text: &str) -> Option<u8> {
    // `parse` also takes a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl Gateway {
    async fn report(&self, caller: Caller, report: Report) -> Result<Response, Refused> {
        match act(&self.service, caller.token, Action::Report(report), caller.network).await {
            Reply::Expected(expected) => Ok(axum::Json(expected).into_response()),
            reply => Err(refused(reply)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(name: &str, word: Option<&str>) -> Result<Reported, Code> {
        let words = Words { name: name.to_owned(), word: word.map(str::to_owned) };
        parse(&words).map(|report| report.report).map_err(|refused| refused.refusal().code)
    }

    #[test]
    fn word_after_the_name_is_what_is_reported() {
        for (word, expected) in [
            (None, Reported::Ended(0)),
            (Some("start"), Reported::Started),
            (Some("fail"), Reported::Ended(1)),
            (Some("0"), Reported::Ended(0)),
            (Some("255"), Reported::Ended(255)),
        ] {
            assert_eq!(reported("backup", word), Ok(expected), "{word:?}");
        }
        for word in ["", "256", "-1", "+1", "1.0", "Start", "log"] {
            assert_eq!(reported("backup", Some(word)), Err(Code::BadRequest), "{word}");
        }
        assert_eq!(reported("No", None), Err(Code::UnknownExpectation));
    }
}
