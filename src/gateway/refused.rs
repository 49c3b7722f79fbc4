//! A refusal as a response: the code of the line protocol in a body of ntfy's form.

use axum::http::header::{RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::Reply;

/// The only version of WebSocket there is.
pub(super) const WEBSOCKET_VERSION: &str = "13";

/// A refused request.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    refusal: Refusal,
}

#[derive(Serialize)]
struct Fields<'a> {
    http: u16,
    code: &'static str,
    error: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    users: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

impl Refused {
    pub(super) fn new(status: StatusCode, code: Code, why: impl Into<String>) -> Self {
        Self { status, refusal: Refusal::new(code, why.into()) }
    }

    /// A request that cannot be understood; the text names the field.
    pub(super) fn bad(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::BadArgument, why)
    }

    /// Whether the caller lacks the right.
    pub(super) fn is_forbidden(&self) -> bool {
        self.status == StatusCode::FORBIDDEN
    }

    /// What the line protocol would say.
    pub(super) fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The request has neither a token nor a name and a password.
    pub(super) fn unauthorized(why: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Code::NoSession, why)
    }
}

/// The refusal of a reply that should have been another.
pub(super) fn refused(reply: Reply) -> Refused {
    match reply {
        Reply::Refused(refusal) => refusal.into(),
        _ => Code::Internal.into(),
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { status: status(refusal.code), refusal }
    }
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Refusal::from(code).into()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self { status, refusal } = self;
        let fields = Fields {
            http: status.as_u16(),
            code: refusal.code.as_str(),
            error: &refusal.message,
            users: &refusal.users,
            retry_after: refusal.retry_after,
        };
        let mut response = (status, axum::Json(fields)).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"chat\", charset=\"UTF-8\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(WEBSOCKET_VERSION));
        }
        let is_busy = refusal.code == Code::Busy;
        if let Some(seconds) = refusal.retry_after.or(is_busy.then_some(1)) {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The status of each refusal. A client that repeats 429 and 503, as `curl --retry` does, repeats
/// what can succeed later.
fn status(code: Code) -> StatusCode {
    match code {
        Code::BadRequest
        | Code::UnknownCommand
        | Code::Usage
        | Code::BadLine
        | Code::BadEncoding
        | Code::WrongProtocol
        | Code::BadArgument
        | Code::BadQuery
        | Code::EmptyMessage => StatusCode::BAD_REQUEST,
        Code::LineTooLong | Code::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        Code::NoSession | Code::UnknownUser | Code::WrongPassword => StatusCode::UNAUTHORIZED,
        Code::UsersHidden
        | Code::NotAllowed
        | Code::NotYours
        | Code::ReceiptsOff
        | Code::TokenRights => StatusCode::FORBIDDEN,
        Code::UnknownRecipient
        | Code::UnknownRoom
        | Code::UnknownMessage
        | Code::UnknownExpectation
        | Code::UnknownScheduled
        | Code::UnknownInvitation => StatusCode::NOT_FOUND,
        Code::RoomExists
        | Code::LastOwner
        | Code::RoomArchived
        | Code::RoomOfEverybody
        | Code::TooManyRooms
        | Code::TokenExists
        | Code::TooManyTokens
        | Code::InvitationUsed
        | Code::NameTaken => StatusCode::CONFLICT,
        Code::KeyConflict => StatusCode::UNPROCESSABLE_ENTITY,
        Code::RateLimited | Code::TooManySessions => StatusCode::TOO_MANY_REQUESTS,
        Code::InboxFull | Code::Busy | Code::TooManyConnections | Code::ShuttingDown => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Code::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
