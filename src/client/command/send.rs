//! `chat-cli send TO [TEXT…]`

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::ffi::OsStringExt;

use crate::client::arguments::SendArguments;
use crate::client::exit::Exit;
use crate::client::failure::{Failure, Refused};
use crate::client::link::Link;
use crate::client::{delivery, session};
use crate::model::{BODY_BYTES_MAX, Body, Invalid, UserName};
use crate::protocol::refusal::Code;

/// Sends one message, once: see [`delivery::deliver`].
pub fn run(arguments: SendArguments, link: &mut Link, out: &mut dyn Write) -> Result<(), Failure> {
    if arguments.text.is_empty() && io::stdin().is_terminal() {
        return Err(Failure::trouble(Exit::Usage, "there is no text")
            .with_hint("chat-cli send TO TEXT, or pipe it: PROGRAM | chat-cli send TO"));
    }
    let (token, _) = session::current(link.address())?;
    let to: UserName = arguments.to.parse().map_err(|_| Code::UnknownRecipient)?;
    let text = match arguments.text.as_slice() {
        [] => read_text(io::stdin().lock())?,
        words => words.join(OsStr::new(" ")),
    };
    let body = body(text)?;
    let key = match arguments.key {
        Some(key) => key,
        None => delivery::new_key()?,
    };
    delivery::deliver(link, token, &to, &body, &key)?;
    writeln!(out, "message sent to {to}")?;
    Ok(())
}

/// A text as a message; what the server would refuse is refused here, in its words.
pub fn body(text: OsString) -> Result<Body, Failure> {
    let text =
        text.into_string().map_err(|_| Refused::new(Code::BadEncoding, "the text is not UTF-8"))?;
    Body::try_from(text.into_boxed_str()).map_err(|invalid| match invalid {
        Invalid::Empty => Code::EmptyMessage.into(),
        Invalid::TooLong { .. } | Invalid::Character => too_long().into(),
    })
}

/// All of `input`, less one line feed at its end: what programs print ends in one.
fn read_text(input: impl Read) -> Result<OsString, Failure> {
    let mut bytes = Vec::new();
    let read = input.take(BODY_BYTES_MAX as u64 + 2).read_to_end(&mut bytes);
    read.map_err(|error| {
        Failure::trouble(Exit::LocalFile, format!("cannot read standard input: {error}"))
    })?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.len() > BODY_BYTES_MAX {
        return Err(too_long().into());
    }
    Ok(OsString::from_vec(bytes))
}

fn too_long() -> Refused {
    Refused::new(Code::TooLong, format!("the message is longer than {BODY_BYTES_MAX} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Body, Exit> {
        read_text(bytes).and_then(body).map_err(|failure| failure.exit())
    }

    #[test]
    fn input_is_kept_exactly_but_for_one_line_feed_at_its_end() {
        for (input, text) in [
            ("hai", "hai"),
            ("hai\n", "hai"),
            ("hai\n\n", "hai\n"),
            (" one\r\n\ttwo \n", " one\r\n\ttwo "),
            ("\0", "\0"),
        ] {
            assert_eq!(read(input.as_bytes()).unwrap().as_str(), text);
        }
    }

    #[test]
    fn input_that_is_no_message_is_refused() {
        for input in [&b""[..], b"\n", b"\xff", b"caf\xe9\n"] {
            assert_eq!(read(input), Err(Exit::TextRefused), "{input:?}");
        }
        let longest = "x".repeat(BODY_BYTES_MAX);
        assert!(read(longest.as_bytes()).is_ok());
        assert!(read(format!("{longest}\n").as_bytes()).is_ok());
        assert_eq!(read(format!("{longest}x").as_bytes()), Err(Exit::TextRefused));
        assert_eq!(read_text(io::repeat(b'x')).unwrap_err().exit(), Exit::TextRefused);
    }
}
