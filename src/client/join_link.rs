//! The link of an invitation: the address of the page with the secret in its fragment, or the secret
//! alone.

use super::address::{Host, PLAIN_PORT, ServerAddress, TLS_PORT};
use super::servers::Servers;
use crate::catalogue::invitation;
use crate::model::InvitationSecret;

/// What stands before the secret.
const FRAGMENT: &str = "#/join/";

/// A link.
#[derive(Debug, Clone)]
pub struct JoinLink {
    /// The secret of the invitation.
    pub secret: InvitationSecret,
    /// The server that the address of the page suggests: the same host, at the default port.
    pub server: Option<Servers>,
}

impl JoinLink {
    /// Parses a link from a command line.
    ///
    /// # Errors
    /// A message for the user. It does not repeat the text, which may have a secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let not_a_link = || invitation::not_a_link().to_owned();
        let Some((page, secret)) = text.trim().split_once(FRAGMENT) else {
            let secret = text.trim().parse().map_err(|_| not_a_link())?;
            return Ok(Self { secret, server: None });
        };
        let secret = secret.trim_end_matches('/').parse().map_err(|_| not_a_link())?;
        let (scheme, rest) = page.split_once("://").ok_or_else(not_a_link)?;
        let host = rest.split('/').next().unwrap_or_default();
        // The port is that of the page.
        let named = Host::parse(host, Some(PLAIN_PORT)).map_err(|_| not_a_link())?;
        let server = match scheme {
            "http" => named.at(PLAIN_PORT).map(ServerAddress::Plain),
            "https" => named.at(TLS_PORT).map(ServerAddress::Tls),
            _ => return Err(not_a_link()),
        };
        Ok(Self { secret, server: server.map(Servers::from) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "ci_0123456789abcdef0123456789abcdef";

    fn server(page: &str) -> Option<String> {
        let link = JoinLink::parse(&format!("{page}{SECRET}")).unwrap();
        assert_eq!(link.secret.reveal(), SECRET);
        link.server.map(|servers| servers.to_string())
    }

    #[test]
    fn link_names_the_secret_and_suggests_the_server() {
        assert_eq!(server(""), None);
        assert_eq!(server("http://127.0.0.1:8080/#/join/").unwrap(), "127.0.0.1:8889");
        assert_eq!(server("https://chat.example/#/join/").unwrap(), "chats://chat.example:8890");
        assert_eq!(server("https://[::1]:8443/#/join/").unwrap(), "chats://[::1]:8890");
    }

    #[test]
    fn text_that_is_no_link_is_not_repeated_in_the_error() {
        let upper = SECRET.to_uppercase();
        for text in
            ["", "https://chat.example/", &upper, &SECRET[1..], "ftp://x/#/join/", "#/join/"]
        {
            for text in [text.to_owned(), format!("{text}{SECRET}x")] {
                let error = JoinLink::parse(&text).unwrap_err();
                assert!(!error.contains("ci_"), "{error}");
            }
        }
        assert!(JoinLink::parse(&format!("ftp://x/#/join/{SECRET}")).is_err());
    }
}
