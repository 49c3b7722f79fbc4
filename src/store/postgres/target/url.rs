//! The parts of a database URL, decoded, and not yet understood.

use super::InvalidTarget;

/// The prefixes that libpq accepts.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// A database URL in parts.
#[derive(Debug, Default)]
pub(super) struct Url {
    /// The user in front of the hosts.
    pub(super) user: Option<String>,
    /// Whether a password follows the user. The password itself is not kept.
    pub(super) has_password: bool,
    /// The hosts, and the port of each that has one.
    pub(super) hosts: Vec<(String, Option<String>)>,
    /// The path.
    pub(super) database: Option<String>,
    /// The parameters that nobody has taken yet, in order.
    pub(super) parameters: Vec<(String, String)>,
}

impl Url {
    /// Splits `scheme://[user[:password]@][host[:port],…][/database][?name=value&…]`.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidTarget> {
        let rest = without_scheme(text).ok_or(InvalidTarget::Scheme)?;
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(a, b)| (a, Some(b)));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut url = Self::default();
        let hosts = match authority.rsplit_once('@') {
            Some((user, hosts)) => {
                let (user, password) =
                    user.split_once(':').map_or((user, None), |(user, rest)| (user, Some(rest)));
                url.has_password = password.is_some();
                url.user = Some(unescape(user)?);
                hosts
            }
            None => authority,
        };
        if !hosts.is_empty() {
            url.hosts = hosts.split(',').map(split_host).collect::<Result<_, _>>()?;
        }
        url.database = Some(unescape(path)?).filter(|name| !name.is_empty());
        for parameter in query.into_iter().flat_map(|query| query.split('&')) {
            let (name, value) = parameter
                .split_once('=')
                .ok_or_else(|| InvalidTarget::Parameter(parameter.to_owned()))?;
            let (name, value) = (unescape(name)?, unescape(value)?);
            if url.parameters.iter().any(|(known, _)| *known == name) {
                return Err(InvalidTarget::Parameter(name));
            }
            url.parameters.push((name, value));
        }
        Ok(url)
    }

    /// Takes the value of a parameter out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.parameters.iter().position(|(known, _)| known == name)?;
        Some(self.parameters.remove(at).1)
    }
}

/// What follows the scheme, if the text has one of ours.
pub(super) fn without_scheme(text: &str) -> Option<&str> {
    SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme))
}

/// `host`, `host:port`, `[::1]`, `[::1]:port`, or an escaped path.
fn split_host(text: &str) -> Result<(String, Option<String>), InvalidTarget> {
    let invalid = || InvalidTarget::Host(text.to_owned());
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(invalid)?;
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err(invalid()),
            }
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    Ok((unescape(host)?, port.map(str::to_owned)))
}

/// Decodes `%2F` and the like.
fn unescape(text: &str) -> Result<String, InvalidTarget> {
    let invalid = || InvalidTarget::Escape(text.to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        match (digit(), digit()) {
            (Some(high), Some(low)) if high + low > 0 => bytes.push((high * 16 + low) as u8),
            _ => return Err(invalid()),
        }
    }
    String::from_utf8(bytes).map_err(|_| invalid())
}

/// The inverse of [`unescape`].
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
