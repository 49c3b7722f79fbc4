//! `chat-cli trust [HOST] [--fingerprint F] | --list | --remove HOST`

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Instant;

use rustls::pki_types::{CertificateDer, UnixTime};
use serde::Serialize;

use crate::catalogue::{shared, trust as texts};
use crate::client::address::{Host, ServerAddress};
use crate::client::arguments::TrustArguments;
use crate::client::connection::Connection;
use crate::client::dial::tls_failure;
use crate::client::exit::Exit;
use crate::client::failure::{Failure, NoAnswer};
use crate::client::known_servers::{self, KnownServer};
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::state_folder::StateFolder;
use crate::client::trust::TrustPolicy;
use crate::model::Timestamp;
use crate::terminal::text;
use crate::tls::certificate::{Facts, Fingerprint};

/// Shows the certificate of a server, and pins it if the person or the command line confirms it; or
/// lists or removes pins. Only a handshake is sent.
pub fn run(
    arguments: &TrustArguments,
    authorities: Option<&Path>,
    view: View,
    link: &Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if arguments.list {
        return list(view, out);
    }
    let host = match (&arguments.host, link.dialer().servers().addresses()) {
        (Some(host), _) | (None, [ServerAddress::Tls(host)]) => host,
        _ => {
            return Err(
                Failure::new(Exit::Usage, texts::which_server()).with_hint(texts::give_server())
            );
        }
    };
    if arguments.remove {
        return remove(host, view, out);
    }
    // First, so that nobody compares a fingerprint that cannot be stored.
    let folder = StateFolder::create(&StateFolder::locate()?)?;
    let known = known_servers::find(&folder, host)?;
    let shown = inspect(host, Instant::now() + link.timeout())?;
    let fingerprint = Fingerprint::of(&shown[0]);
    let report = Report::of(host, &shown, authorities, known)?;
    if view.is_json {
        writeln!(out, "{}", object::line(&report))?;
    } else {
        report.write(out)?;
    }
    out.flush()?;
    let is_right = match arguments.fingerprint {
        Some(expected) if expected != fingerprint => {
            let message = texts::another_certificate(host, fingerprint);
            return Err(
                Failure::new(Exit::Configuration, message).with_hint(texts::ask_which_is_right())
            );
        }
        Some(_) => true,
        None if known == Some(fingerprint) => return Ok(Exit::Done),
        None => ask(known.is_some())?,
    };
    if !is_right {
        print_note(texts::not_pinned());
        return Ok(Exit::Nothing);
    }
    if known != Some(fingerprint) {
        let host = host.clone();
        known_servers::pin(&folder, KnownServer { host, fingerprint, since: Timestamp::now() })?;
    }
    print_note(&texts::pinned(host));
    Ok(Exit::Done)
}

/// The server's certificate and its intermediate certificates.
fn inspect(host: &Host, deadline: Instant) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let address = ServerAddress::Tls(host.clone());
    let config = TrustPolicy::InspectOnly.into_config(host)?;
    let connection = Connection::open(host, deadline)
        .map_err(|source| NoAnswer::Unreachable { servers: address.clone().into(), source })?;
    let connection =
        connection.secure(config, host, deadline).map_err(|error| tls_failure(&address, error))?;
    let shown = connection.certificates().to_vec();
    if shown.is_empty() {
        let message = texts::shows_none(host);
        return Err(Failure::new(Exit::Protocol, message));
    }
    Ok(shown)
}

/// Whether the person confirms the fingerprint. Without a terminal nobody can.
fn ask(is_pinned: bool) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        print_note(&shared::hint(texts::give_fingerprint()));
        return Ok(false);
    }
    let warning = if is_pinned { texts::another_was_pinned() } else { "" };
    let mut terminal = io::stderr();
    let question = texts::is_it_right();
    // The person can answer even if the question is not visible.
    let _ = write!(terminal, "{warning}{question}").and_then(|()| terminal.flush());
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::new(Exit::LocalFile, texts::answer_not_read(error)))?;
    Ok(["yes", texts::yes()].contains(&answer.trim()))
}

/// Prints a line for the person on standard error.
fn print_note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// What is known about a server's certificate.
#[derive(Serialize)]
struct Report {
    server: String,
    fingerprint: String,
    subject: String,
    issuer: String,
    names: Vec<String>,
    not_before: Timestamp,
    not_after: Timestamp,
    /// Whether the authorities trust it.
    trusted: bool,
    /// Why they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// The pin for this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pinned: Option<String>,
}

impl Report {
    fn of(
        host: &Host,
        shown: &[CertificateDer<'static>],
        authorities: Option<&Path>,
        known: Option<Fingerprint>,
    ) -> Result<Self, Failure> {
        let (own, between) = (&shown[0], &shown[1..]);
        let facts = Facts::of(own).ok_or_else(|| {
            let message = texts::shows_no_certificate(host);
            Failure::new(Exit::Protocol, message)
        })?;
        let policy = match authorities {
            Some(path) => TrustPolicy::from_file(path),
            None => TrustPolicy::from_system(host),
        };
        let problem = match policy {
            Ok(policy) => policy
                .check(own, between, host, UnixTime::now())
                .err()
                .map(|untrusted| untrusted.reason),
            Err(failure) if authorities.is_some() => return Err(failure),
            // A system without authorities needs pins most.
            Err(failure) => Some(failure.to_string()),
        };
        Ok(Self {
            server: host.to_string(),
            fingerprint: Fingerprint::of(own).to_string(),
            subject: facts.subject,
            issuer: facts.issuer,
            names: facts.names,
            not_before: facts.not_before,
            not_after: facts.not_after,
            trusted: problem.is_none(),
            problem,
            pinned: known.map(|known| known.to_string()),
        })
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let pinned = match &self.pinned {
            None => texts::no().to_owned(),
            Some(known) if *known == self.fingerprint => texts::yes_this_one().to_owned(),
            Some(known) => texts::another_one(known),
        };
        let names = self.names.join(", ");
        let valid = texts::from_to(self.not_before.to_rfc3339(), self.not_after.to_rfc3339());
        let trusted = self.problem.as_deref().unwrap_or(texts::yes());
        for (what, value) in [
            (texts::label_server(), self.server.as_str()),
            (texts::label_fingerprint(), &self.fingerprint),
            (texts::label_for(), &names),
            (texts::label_subject(), &self.subject),
            (texts::label_issuer(), &self.issuer),
            (texts::label_valid(), &valid),
            (texts::label_trusted(), trusted),
            (texts::label_pinned(), &pinned),
        ] {
            writeln!(out, "{what:<12} {}", text::visible(value))?;
        }
        Ok(())
    }
}

/// A pinned server, for `--json`.
#[derive(Serialize)]
struct Known {
    server: String,
    fingerprint: String,
    since: Timestamp,
}

fn list(view: View, out: &mut dyn Write) -> Result<Exit, Failure> {
    let folder = StateFolder::open(&StateFolder::locate()?)?;
    let servers = folder.map(|folder| known_servers::all(&folder)).transpose()?.unwrap_or_default();
    for KnownServer { host, fingerprint, since } in &servers {
        let (server, fingerprint, since) = (host.to_string(), fingerprint.to_string(), *since);
        if view.is_json {
            writeln!(out, "{}", object::line(&Known { server, fingerprint, since }))?;
        } else {
            writeln!(out, "{server}  {fingerprint}  {}", since.to_rfc3339())?;
        }
    }
    Ok(if servers.is_empty() { Exit::Nothing } else { Exit::Done })
}

fn remove(host: &Host, view: View, out: &mut dyn Write) -> Result<Exit, Failure> {
    let folder = StateFolder::open(&StateFolder::locate()?)?;
    let removed = match folder {
        Some(folder) => known_servers::forget(&folder, host)?,
        None => false,
    };
    if view.is_json {
        let fields = serde_json::json!({"server": host.to_string(), "removed": removed});
        writeln!(out, "{}", object::line(&fields))?;
    } else if removed {
        writeln!(out, "{}", texts::no_longer_pinned(host))?;
    } else {
        writeln!(out, "{}", texts::was_not_pinned(host))?;
    }
    Ok(if removed { Exit::Done } else { Exit::Nothing })
}
