//! The host names of a site, and whether a request is addressed to one of them.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{StatusCode, Version};

use crate::server::Identity;

/// The host names that a site answers to. The check defeats DNS rebinding: a web page on a foreign
/// name must not read the site after that name changes to this machine's address. Requests to an IP
/// address are always allowed, because no such page can have one as its name.
#[derive(Clone, Default)]
pub struct Hosts {
    /// The names besides `localhost`.
    pub names: Vec<String>,
    /// The certificate, whose names count too. A renewed one may have others.
    pub certificate: Option<Arc<Identity>>,
    /// The option that adds a name.
    pub option: &'static str,
}

impl Hosts {
    /// Checks the host that a request is addressed to.
    pub(super) fn check(&self, request: &Parts) -> Result<(), (StatusCode, String)> {
        let bad = |why: &str| Err((StatusCode::BAD_REQUEST, why.to_owned()));
        if !request.uri.path().starts_with('/') {
            return bad("the target is not a path");
        }
        let mut fields = request.headers.get_all(HOST).iter();
        let field = fields.next();
        if fields.next().is_some() {
            return bad("there are several Hosts");
        }
        let field = field.map(|field| std::str::from_utf8(field.as_bytes()));
        let Ok(field) = field.transpose() else { return bad("the Host is no text") };
        match request.uri.authority().map(|authority| authority.as_str()).or(field) {
            Some(authority) if !self.has(authority) => {
                let option = self.option;
                let why = format!("this name is not served here; add it with {option}");
                Err((StatusCode::MISDIRECTED_REQUEST, why))
            }
            None if request.version >= Version::HTTP_11 => bad("there is no Host"),
            _ => Ok(()),
        }
    }

    /// Whether the site answers to `authority`, a host with an optional port.
    fn has(&self, authority: &str) -> bool {
        let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) => {
                let port_is_fine = port.is_empty() || is_port(port);
                return port_is_fine && matches!(address.parse(), Ok(IpAddr::V6(_)));
            }
            None => match authority.find(':') {
                Some(at) if !is_port(&authority[at..]) => return false,
                Some(at) => &authority[..at],
                None => authority,
            },
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let local = host.eq_ignore_ascii_case("localhost");
        // A certificate may be valid for all names of one label: `*.chat.example`.
        let is_named = |name: &String| match name.strip_prefix("*.") {
            None => name.eq_ignore_ascii_case(host),
            Some(rest) => host
                .split_once('.')
                .is_some_and(|(label, of)| !label.is_empty() && of.eq_ignore_ascii_case(rest)),
        };
        let certified =
            || self.certificate.as_ref().is_some_and(|it| it.names().iter().any(is_named));
        local
            || matches!(host.parse(), Ok(IpAddr::V4(_)))
            || self.names.iter().any(is_named)
            || certified()
    }
}

/// Whether `text` is a colon and digits, such as `:8080`.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn check(target: &str, hosts: &[&str]) -> Result<(), u16> {
        let mut request = Request::get(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let names = vec!["chat.example".to_owned(), "*.wild.example".to_owned()];
        let hosts = Hosts { names, certificate: None, option: "--metrics-host" };
        hosts.check(&parts).map_err(|(status, _)| status.as_u16())
    }

    #[test]
    fn foreign_host_names_are_refused_and_addresses_accepted() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "localhost:9464",
            "127.0.0.1",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:80",
            "192.0.2.7:80",
            "chat.example",
            "CHAT.example:443",
            "one.wild.example",
        ] {
            assert_eq!(check("/", &[host]), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "wild.example",
            ".wild.example",
            "two.one.wild.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "localhost:x",
            "[::1",
            "[127.0.0.1]",
            "[::1]x",
            "user@localhost",
            "a:b:c",
            "localhost:80:80",
        ] {
            assert_eq!(check("/", &[host]), Err(421), "{host}");
        }
        assert_eq!(check("http://evil.example/", &["localhost"]), Err(421));
        assert_eq!(check("http://localhost/?x", &["localhost"]), Ok(()));
    }

    #[test]
    fn request_has_one_host_and_a_path() {
        assert_eq!(check("/", &[]), Err(400));
        assert_eq!(check("/", &["localhost", "localhost"]), Err(400));
        assert_eq!(check("*", &["localhost"]), Err(400));
        assert_eq!(check("localhost:80", &["localhost"]), Err(400));
    }
}
