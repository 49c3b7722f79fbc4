//! The head of an HTTP request to the monitor.

use chat::monitor::Hosts;
use chat::monitor::http::{HEAD_BYTES_MAX, Request, Response};

use super::choices::Choices;

/// The beginning of a head decides: more bytes do not change a decision. An accepted head has a
/// path and fits; a refused one gets one complete response.
pub fn head_means_the_same_in_any_pieces(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let step = 1 + choices.below(64);
    let received = choices.0;
    let hosts = Hosts { names: vec!["chat.example".to_owned()] };
    let whole = Request::parse(received, &hosts);
    let decided = (0..received.len())
        .step_by(step)
        .map(|cut| Request::parse(&received[..cut], &hosts))
        .find(|parsed| *parsed != Ok(None));
    match (&whole, decided) {
        (_, None) => {}
        // It is refused, whatever follows; the reason may differ once more bytes are there.
        (Err(_), Some(Err(_))) => {}
        (whole, Some(decided)) => assert_eq!(*whole, decided),
    }
    match whole {
        Ok(None) => assert!(received.len() < HEAD_BYTES_MAX, "endless"),
        Ok(Some((request, length))) => {
            assert!(length <= received.len() && length <= HEAD_BYTES_MAX);
            assert!(request.path.starts_with('/') && !request.path.contains(['?', '#']));
            let acts = |character: char| character.is_control() || character == ' ';
            assert!(!request.path.contains(acts), "{:?}", request.path);
            let head = &received[..length];
            assert_eq!(Request::parse(head, &hosts), Ok(Some((request, length))));
        }
        Err(fault) => {
            let response = Response::from(fault);
            assert!(response.status >= 400);
            let sent = response.encode(false, false, "now");
            let end = sent.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
            assert_eq!(&sent[end + 4..], response.body.as_bytes());
        }
    }
}
