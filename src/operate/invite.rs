//! `invite`: makes, lists and revokes invitations by link.

use std::fmt::Write as _;

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde_json::json;

use super::address::ListenOn;
use super::admin_client::{self, AdminClient, Missing, unexpected};
use super::arguments::{
    InviteArguments, InviteCommand, InviteLinkArguments, InviteRevokeArguments, ServeArguments,
};
use super::failure::{Exit, Failure};
use super::output::Output;
use super::user_name;
use crate::admin::answer::{AdminReply, HeldInvitation};
use crate::admin::request::{INVITATION_ROOMS_MAX, Invite, Request, RevokedInvitations};
use crate::catalogue::{invitation as texts, server};
use crate::model::{RoomName, UserName};
use crate::operate::database::Database;

/// What stands in a link before the secret. It is in the fragment of the address, which no browser
/// sends: no server log, no proxy and no other page sees it.
const FRAGMENT: &str = "/#/join/";

/// Executes an `invite` command. `serve` has the settings that say where the page is.
pub(super) fn run(
    db: &Database<'_>,
    arguments: &InviteArguments,
    serve: &ServeArguments,
    output: Output,
) -> Result<(), Failure> {
    match &arguments.command {
        None => invite(db, &arguments.link, serve, output),
        Some(InviteCommand::List) => list(db, output),
        Some(InviteCommand::Revoke(which)) => revoke(db, which, output),
    }
}

/// Makes an invitation, and prints its link. Nothing prints it again.
fn invite(
    db: &Database<'_>,
    arguments: &InviteLinkArguments,
    serve: &ServeArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let user = arguments.name.as_deref().map(user_name::parse).transpose()?;
    if arguments.rooms.len() > INVITATION_ROOMS_MAX {
        let message = texts::too_many_rooms_of_invitation(INVITATION_ROOMS_MAX);
        return Err(Failure::new(Exit::Usage, message));
    }
    // Before an invitation is made whose link nobody can print.
    let page = match &arguments.url {
        Some(url) => Some(url.clone()),
        None => page_of(serve)?,
    };
    let rooms = arguments.rooms.clone();
    let invite = Invite { user, rooms, expires_in: arguments.expires.as_secs() };
    let asked = Request::Invite { invite: invite.clone() };
    let made = match admin_client::ask(db, &asked)? {
        AdminReply::Invited(made) => made,
        answer => return Err(unexpected(&answer)),
    };
    let secret = made.secret.reveal();
    let link = page.as_ref().map_or(secret.clone(), |page| format!("{page}{FRAGMENT}{secret}"));
    if output.is_json {
        output.object(&json!({
            "id": made.id, "link": link, "expires_at": made.expires_at, "user": invite.user,
            "rooms": invite.rooms,
        }))?;
    } else {
        output.line(&link)?;
        if output.is_shown && page.is_some() {
            output.text(&picture(&link))?;
        }
    }
    output.did_beside(&texts::link_shown_once(made.expires_at.to_rfc3339()))?;
    if page.is_none() {
        output.did_beside(texts::secret_instead_of_link())?;
    }
    output.finish()
}

/// Where people open the page, by the settings of the server: the name that `--http-host` gives it,
/// else the address of `--http`.
fn page_of(serve: &ServeArguments) -> Result<Option<String>, Failure> {
    let (scheme, listen) = match serve.http.first() {
        Some(ListenOn::Plain(listen)) => ("http", listen),
        Some(ListenOn::Tls(listen)) => ("https", listen),
        Some(ListenOn::Unix(_)) | None => return Ok(None),
    };
    let address = listen.addresses.first();
    let port = address.map_or(0, |address| address.port());
    let is_open_to_others = serve.http_host.first();
    let is_anywhere = address.is_none_or(|address| address.ip().is_unspecified());
    if port == 0 || is_open_to_others.is_none() && is_anywhere {
        let message = texts::page_has_no_address(&listen.given);
        return Err(Failure::new(Exit::Usage, message).hint(texts::give_page_address()));
    }
    let host = match is_open_to_others {
        Some(name) if matches!((scheme, port), ("http", 80) | ("https", 443)) => name.clone(),
        Some(name) => format!("{name}:{port}"),
        None => listen.given.clone(),
    };
    Ok(Some(format!("{scheme}://{host}")))
}

/// The link as a QR code, black on white whatever the colours of the terminal are.
fn picture(link: &str) -> String {
    let Ok(code) = QrCode::with_error_correction_level(link, EcLevel::L) else {
        return String::new();
    };
    let drawn = code.render::<Dense1x2>().build();
    drawn.lines().fold(String::new(), |mut all, line| {
        let _ = writeln!(all, "\x1b[30;107m{line}\x1b[0m");
        all
    })
}

/// Prints the invitations, the oldest first.
fn list(db: &Database<'_>, mut output: Output) -> Result<(), Failure> {
    let mut admin = AdminClient::open(db, Missing::Refuse)?;
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let (invitations, more) = match admin.ask(&Request::InvitationList { after })? {
            AdminReply::Invitations { invitations, more } => (invitations, more),
            answer => return Err(unexpected(&answer)),
        };
        after = invitations.last().map(|invitation| invitation.id);
        for held in &invitations {
            if output.is_json {
                output.object(held)?;
            } else {
                rows.push(row(held, &output));
            }
        }
        if !more || after.is_none() {
            break;
        }
    }
    if !output.is_json {
        output.table(
            [
                texts::title_invitation(),
                server::title_name(),
                texts::title_rooms(),
                server::title_created(),
                server::title_expires(),
                texts::title_used_by(),
                texts::title_used(),
            ],
            &rows,
        )?;
    }
    output.finish()
}

fn row(held: &HeldInvitation, output: &Output) -> [String; 7] {
    let name = |name: &Option<UserName>| name.as_ref().map_or("-".to_owned(), UserName::to_string);
    let rooms: Vec<&str> = held.rooms.iter().map(RoomName::as_str).collect();
    [
        held.id.0.to_string(),
        name(&held.user),
        if rooms.is_empty() { "-".to_owned() } else { rooms.join(",") },
        output.moment(Some(held.created_at)),
        // It is in the future, so it has no age.
        held.expires_at.to_rfc3339(),
        name(&held.used_by),
        output.moment(held.used_at),
    ]
}

/// Revokes open invitations.
fn revoke(
    db: &Database<'_>,
    arguments: &InviteRevokeArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let which = arguments.id.map_or(RevokedInvitations::All, RevokedInvitations::Only);
    let count = match admin_client::ask(db, &Request::InvitationRevoke { which })? {
        AdminReply::InvitationsRevoked { invitations } => invitations,
        answer => return Err(unexpected(&answer)),
    };
    if output.is_json {
        output.object(&json!({"revoked": count}))?;
    }
    let done = match count {
        1 => texts::one_invitation_revoked().to_owned(),
        count => texts::invitations_revoked(count),
    };
    output.did(&done)?;
    output.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_fits_into_a_small_terminal() {
        let link = "https://chat.example.org/#/join/ci_0123456789abcdef0123456789abcdef";
        let picture = picture(link);
        let lines: Vec<&str> = picture.lines().collect();
        assert!(lines.len() <= 22, "{picture}");
        for line in lines {
            let drawn = line.strip_prefix("\x1b[30;107m").and_then(|it| it.strip_suffix("\x1b[0m"));
            assert!(drawn.is_some_and(|drawn| drawn.chars().count() <= 44), "{line}");
        }
    }
}
