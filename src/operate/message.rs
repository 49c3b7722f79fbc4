//! `message`: deletes and purges messages.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::admin_client::{AdminClient, Missing, unexpected};
use super::arguments::{MessageCommand, MessageDeleteArguments, MessagePurgeArguments};
use super::count;
use super::failure::Failure;
use super::output::Output;
use super::user_name;
use crate::admin::answer::AdminReply;
use crate::admin::purge::{Compact, Purge, PurgePart, PurgeUser};
use crate::admin::request::Request;
use crate::catalogue::{change, server};
use crate::model::{MessageId, Timestamp};
use crate::operate::database::Database;
use crate::terminal::progress::{Measure, Progress};

/// The attempts to truncate the WAL while a reader uses it, and the pause between them.
const EMPTY_LOG_TRIES: u32 = 20;
const EMPTY_LOG_PAUSE: Duration = Duration::from_millis(100);
/// The time limit for compacting, which takes some seconds per GB.
const COMPACT_WAIT: Duration = Duration::from_secs(3600);

/// The result of a purge.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Purged {
    /// The number of deleted messages.
    pub(super) messages: usize,
    /// The number of matching messages that were kept because they are unread.
    pub(super) unread: usize,
    /// The WAL contains none of them.
    pub(super) log_emptied: bool,
    /// The unused parts of the file contain none of them.
    pub(super) compacted: bool,
    /// The size of the file in bytes, before it was compacted.
    bytes: u64,
}

/// Executes a `message` command.
pub(super) fn run(
    db: &Database<'_>,
    command: &MessageCommand,
    output: Output,
) -> Result<(), Failure> {
    match command {
        MessageCommand::Delete(arguments) => delete(db, arguments, output),
        MessageCommand::Purge(arguments) => purge(db, arguments, output),
    }
}

/// Deletes a message for its readers.
fn delete(
    db: &Database<'_>,
    arguments: &MessageDeleteArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let id = MessageId(arguments.id);
    let mut admin = AdminClient::open(db, Missing::Refuse)?;
    match admin.ask(&Request::MessageDelete { id })? {
        AdminReply::Done => {}
        answer => return Err(unexpected(&answer)),
    }
    if output.is_json {
        output.object(&json!({"message": id, "deleted": true}))?;
    } else {
        output.line(&change::message_is_deleted(id.0))?;
    }
    output.finish()
}

fn purge(
    db: &Database<'_>,
    arguments: &MessagePurgeArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let part = match (arguments.sent, arguments.received) {
        (true, _) => PurgePart::Sent,
        (_, true) => PurgePart::Received,
        _ => PurgePart::Both,
    };
    let name = arguments.user.as_deref().map(user_name::parse).transpose()?;
    let purge = Purge {
        before: arguments.older_than.map(|age| Timestamp::now().minus(age)),
        before_id: arguments.before_id.map(MessageId),
        user: name.map(|name| PurgeUser { name, part }),
        unread_too: arguments.unread_too,
        deleted_only: arguments.deleted,
    };
    let mut admin = AdminClient::open(db, Missing::Refuse)?;
    let progress = Progress::start(server::purging(), Measure::Count);
    let mut on_progress = |messages: usize| progress.at(messages as u64);
    let purged = if arguments.dry_run {
        step_through(&mut admin, &purge, true, &mut on_progress)?
    } else {
        let mut purged = step_through(&mut admin, &purge, false, &mut on_progress)?;
        // Even if nothing matched: an earlier run may have been interrupted.
        purge_remains(&mut admin, arguments.compact, &mut purged)?;
        purged
    };
    drop(progress);
    if output.is_json {
        output.object(&json!({
            "messages": purged.messages,
            "unread_kept": purged.unread,
            "dry_run": arguments.dry_run,
            "log_emptied": purged.log_emptied,
            "compacted": purged.compacted,
        }))?;
    } else {
        let messages = count::messages(purged.messages);
        output.line(&if arguments.dry_run {
            server::messages_would_be_purged(messages)
        } else {
            server::messages_purged(messages)
        })?;
        if purged.unread > 0 {
            output.line(&server::unread_stay(count::messages(purged.unread)))?;
        }
        if !arguments.dry_run && purged.messages > 0 {
            tell_of_remains(&purged, &mut output)?;
        }
    }
    output.finish()
}

/// Prints where deleted messages may still be found.
pub(super) fn tell_of_remains(purged: &Purged, output: &mut Output) -> Result<(), Failure> {
    if !purged.log_emptied {
        output.line(server::log_still_read())?;
    }
    if !purged.compacted {
        let megabytes = purged.bytes / 1_000_000;
        output.line(&server::not_compacted(megabytes))?;
    }
    Ok(())
}

/// Deletes the matching messages step by step, or only counts them in a `dry_run`. Passes the
/// number so far to `on_progress`. Their bytes remain in the files: see [`purge_remains`].
pub(super) fn step_through(
    admin: &mut AdminClient,
    purge: &Purge,
    dry_run: bool,
    on_progress: &mut dyn FnMut(usize),
) -> Result<Purged, Failure> {
    let mut purged = Purged::default();
    let mut after = MessageId::ZERO;
    loop {
        let purge = purge.clone();
        match admin.ask(&Request::MessagePurge { purge, after, dry_run })? {
            AdminReply::Purged { messages, unread, upto, more } => {
                purged.messages += messages;
                purged.unread += unread;
                after = upto;
                on_progress(purged.messages);
                if !more {
                    return Ok(purged);
                }
            }
            answer => return Err(unexpected(&answer)),
        }
    }
}

/// Removes the bytes of deleted messages from the WAL. In a small file, or with `compact`, also
/// from its unused parts.
pub(super) fn purge_remains(
    admin: &mut AdminClient,
    compact: bool,
    purged: &mut Purged,
) -> Result<(), Failure> {
    let mut compact = if compact { Compact::Yes } else { Compact::IfShort };
    for attempt in 0..EMPTY_LOG_TRIES {
        if attempt > 0 {
            thread::sleep(EMPTY_LOG_PAUSE);
        }
        match admin.ask_within(&Request::PurgeRemains { compact }, COMPACT_WAIT)? {
            AdminReply::RemainsPurged { log_emptied, compacted, bytes } => {
                purged.log_emptied = log_emptied;
                purged.compacted |= compacted;
                purged.bytes = bytes;
                // Only the WAL is left to do.
                compact = Compact::No;
                if log_emptied {
                    break;
                }
            }
            answer => return Err(unexpected(&answer)),
        }
    }
    Ok(())
}
