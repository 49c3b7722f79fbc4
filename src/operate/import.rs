//! `import`: imports the lines of an export, or plain text.

mod lines;
mod places;

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::admin_client::{AdminClient, Missing, unexpected};
use super::arguments::ImportArguments;
use super::count;
use super::failure::{Exit, Failure};
use super::output::Output;
use super::user_name;
use crate::admin::answer::AdminReply;
use crate::admin::request::Request;
use crate::catalogue::{client, server};
use crate::model::{Body, Key, MessageId, Timestamp, UserName};
use crate::operate::database::Database;
use crate::store;
use crate::terminal::progress::{Measure, Progress};
use crate::terminal::reason::of_invalid;
use crate::transfer::{
    Block, FORMAT, Header, Invitation, Membership, Message, Record, Step, Taken, VERSION,
};
use lines::Lines;
use places::Places;

/// The maximum number of steps per request, and of the bytes of their lines except the last.
const BATCH_STEPS_MAX: usize = 256;
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// The maximum number of cursors per request: each needs a count of its reader's messages.
const BATCH_CURSORS_MAX: usize = 16;

/// The result of an import.
#[derive(Debug, Default, Serialize)]
struct Summary {
    users: usize,
    users_there: usize,
    /// The new users that have no password yet.
    users_locked: usize,
    messages: usize,
    messages_there: usize,
    /// The new messages whose id differs from that in the file.
    renumbered: usize,
    cursors: usize,
    /// Cursors that were not moved, because other messages would count as read.
    cursors_left: usize,
    marks: usize,
    /// Marks that were not moved, for the same reason.
    marks_left: usize,
    dead_letters: usize,
    rooms: usize,
    memberships: usize,
    /// Memberships that were not imported, because others overlap them.
    memberships_left: usize,
    invitations: usize,
    blocks: usize,
    /// The path of the database, if the import created it.
    new_database: Option<PathBuf>,
}

/// Imports a file, or standard input.
pub(super) fn run(
    db: &Database<'_>,
    arguments: &ImportArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let is_typed = is_stdin(&arguments.file) && io::stdin().is_terminal();
    let progress = Progress::start_if(!is_typed, server::importing(), Measure::Bytes);
    let mut lines = Lines::new(&arguments.file, open(&arguments.file, &progress)?);
    // An invalid file must not create a database.
    let import = match (&arguments.from, &arguments.to) {
        (Some(from), Some(to)) => {
            let (from, to) = (user_name::parse(from)?, user_name::parse(to)?);
            let mut import = Import::through(AdminClient::open(db, Missing::Refuse)?, progress);
            import.take_text(lines, &from, &to)?;
            import
        }
        _ => {
            let newest = header(&mut lines)?;
            let mut import = Import::through(AdminClient::open(db, Missing::Create)?, progress);
            import.take_records(lines, newest)?;
            import
        }
    };
    let Import { summary, admin, progress, .. } = import;
    // The progress line disappears before the result is printed.
    drop(progress);
    let summary = Summary { new_database: admin.created().map(Path::to_owned), ..summary };
    output.new_database(admin.created())?;
    if output.is_json {
        output.object(&summary)?;
    } else {
        tell(&summary, &mut output)?;
    }
    output.finish()
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// Opens a file. Its size is the total of the progress.
fn open(file: &Path, progress: &Progress) -> Result<Box<dyn BufRead>, Failure> {
    if is_stdin(file) {
        progress.of_file(io::stdin());
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    match File::open(file) {
        Ok(opened) => {
            progress.of_file(&opened);
            Ok(Box::new(BufReader::new(opened)))
        }
        Err(error) => {
            let exit = match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Exit::NoInput,
                _ => Exit::Io,
            };
            Err(Failure::new(exit, client::file_not_read(file.display(), error)))
        }
    }
}

fn tell(summary: &Summary, output: &mut Output) -> Result<(), Failure> {
    let Summary { messages, messages_there, users, .. } = summary;
    let there = count::messages(*messages_there);
    let messages = count::messages(*messages);
    output.line(&server::imported(messages, count::users(*users), there))?;
    if summary.renumbered > 0 {
        output.line(&server::messages_renumbered(count::messages(summary.renumbered)))?;
    }
    if summary.users_locked > 0 {
        let locked = count::users(summary.users_locked);
        output.line(&server::users_without_password(locked))?;
    }
    if summary.cursors_left > 0 {
        output.line(&server::cursors_left(count::cursors(summary.cursors_left)))?;
    }
    if summary.marks_left > 0 {
        output.line(&server::cursors_left(count::marks(summary.marks_left)))?;
    }
    Ok(())
}

/// An import in progress.
struct Import {
    admin: AdminClient,
    /// The steps of the next request, and their lines.
    steps: Vec<(usize, Step)>,
    bytes: usize,
    summary: Summary,
    places: Places,
    /// The memberships, which wait until all messages are imported.
    memberships: Vec<Membership>,
    /// The invitations, which wait for them: a member is not invited.
    invitations: Vec<Invitation>,
    /// The blocks, which come last.
    blocks: Vec<Block>,
    progress: Progress,
}

impl Import {
    fn through(admin: AdminClient, progress: Progress) -> Self {
        Self {
            admin,
            steps: Vec::new(),
            bytes: 0,
            summary: Summary::default(),
            places: Places::default(),
            memberships: Vec::new(),
            invitations: Vec::new(),
            blocks: Vec::new(),
            progress,
        }
    }

    fn take_records(&mut self, mut lines: Lines, newest: MessageId) -> Result<(), Failure> {
        while let Some(line) = lines.next()? {
            match serde_json::from_slice(&line).map_err(|error| lines.wrong(error))? {
                Record::Header(_) => return Err(lines.wrong(server::second_header())),
                Record::User(user) => self.add(&lines, Step::User(user))?,
                Record::Room(room) => self.add(&lines, Step::Room(room))?,
                Record::Membership(of) => self.memberships.push(of),
                Record::Invitation(of) => self.invitations.push(of),
                Record::Cursor(cursor) => self.places.expect(cursor),
                Record::Mark(mark) => self.places.expect_mark(mark),
                Record::Block(block) => self.blocks.push(block),
                Record::Message(message) => self.add_message(&lines, message)?,
            }
        }
        self.ask(&lines)?;
        if self.places.ids_are_kept() {
            self.add(&lines, Step::Floor(newest))?;
        }
        self.ask(&lines)?;
        for mut membership in std::mem::take(&mut self.memberships) {
            self.places.place_membership(&mut membership);
            self.add(&lines, Step::Membership(membership))?;
        }
        // New users whose membership is not in the file.
        self.add(&lines, Step::Everybody)?;
        for invitation in std::mem::take(&mut self.invitations) {
            self.add(&lines, Step::Invitation(invitation))?;
        }
        self.ask(&lines)?;
        for block in &mut self.blocks {
            block.after = self.places.id_here(block.after).unwrap_or(MessageId::ZERO);
        }
        let (cursors, dead) = std::mem::take(&mut self.places).settle();
        for (count, step) in cursors.into_iter().enumerate() {
            if count % BATCH_CURSORS_MAX == 0 {
                self.ask(&lines)?;
            }
            self.add(&lines, step)?;
        }
        dead.into_iter().try_for_each(|step| self.add(&lines, step))?;
        // A message that is hidden can be a dead letter, and could not become one.
        for block in std::mem::take(&mut self.blocks) {
            self.add(&lines, Step::Block(block))?;
        }
        self.ask(&lines)
    }

    /// Imports one message a line. Its key depends on its position and content. So the same file
    /// can be imported again, even after more lines were appended.
    fn take_text(
        &mut self,
        mut lines: Lines,
        from: &UserName,
        to: &UserName,
    ) -> Result<(), Failure> {
        while let Some(line) = lines.next()? {
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            if line.is_empty() {
                continue;
            }
            let text = std::str::from_utf8(line).map_err(|error| lines.wrong(error))?;
            let body: Body = text.parse().map_err(|invalid| lines.wrong(of_invalid(invalid)))?;
            let place = format!("{from} {to} {} {text}", lines.number());
            self.add(
                &lines,
                Step::Message(Message {
                    id: MessageId::ZERO,
                    at: Timestamp::now(),
                    from: from.clone(),
                    to: to.clone().into(),
                    body,
                    details: None,
                    key: Some(Key::of_content("text", place.as_bytes())),
                    dead: Vec::new(),
                    dead_for: Vec::new(),
                }),
            )?;
        }
        self.ask(&lines)
    }

    /// Adds a message. The message that it answers may have another id here.
    fn add_message(&mut self, lines: &Lines, mut message: Message) -> Result<(), Failure> {
        if let Some(reply_to) = message.details.as_ref().and_then(|details| details.reply_to) {
            let is_asked = |(_, step): &(usize, Step)| match step {
                Step::Message(earlier) => earlier.id <= reply_to,
                _ => false,
            };
            if self.steps.iter().any(is_asked) {
                // Its new id is known once its step is answered.
                self.ask(lines)?;
            }
            let mut details = *message.details.take().unwrap_or_default();
            details.reply_to = self.places.id_here(reply_to);
            message.details = details.if_any();
        }
        self.add(lines, Step::Message(message))
    }

    fn add(&mut self, lines: &Lines, step: Step) -> Result<(), Failure> {
        self.bytes += lines.bytes();
        self.steps.push((lines.number(), step));
        if self.steps.len() >= BATCH_STEPS_MAX || self.bytes >= BATCH_BYTES_MAX {
            self.ask(lines)?;
        }
        Ok(())
    }

    /// Sends the collected steps.
    fn ask(&mut self, lines: &Lines) -> Result<(), Failure> {
        if self.steps.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let (numbers, steps): (Vec<usize>, Vec<Step>) = self.steps.drain(..).unzip();
        let answer = self.admin.ask(&Request::Import { steps: steps.clone() })?;
        let AdminReply::Imported { taken, refused } = answer else {
            return Err(unexpected(&answer));
        };
        for (step, taken) in steps.iter().zip(&taken) {
            self.note(step, *taken);
        }
        self.progress.at(lines.bytes_read());
        match (refused, numbers.get(taken.len())) {
            (Some(refused), Some(&number)) => Err(lines.wrong_at(number, refused)),
            _ => Ok(()),
        }
    }

    fn note(&mut self, step: &Step, taken: Taken) {
        let summary = &mut self.summary;
        match (step, taken) {
            (Step::User(user), Taken::Done) => {
                summary.users += 1;
                summary.users_locked +=
                    usize::from(user.password.is_none() && user.deleted_at.is_none());
            }
            (Step::User(_), _) => summary.users_there += 1,
            (Step::Room(_), Taken::Done) => summary.rooms += 1,
            (Step::Membership(_), Taken::Done) => summary.memberships += 1,
            (Step::Invitation(_), Taken::Done) => summary.invitations += 1,
            (Step::Block(_), Taken::Done) => summary.blocks += 1,
            (Step::Membership(_), Taken::Left) => summary.memberships_left += 1,
            (Step::Message(message), Taken::Stored(id) | Taken::There(id)) => {
                if matches!(taken, Taken::Stored(_)) {
                    summary.messages += 1;
                    let had_one = message.id > MessageId::ZERO;
                    summary.renumbered += usize::from(had_one && id != message.id);
                } else {
                    summary.messages_there += 1;
                }
                self.places.note(message, id);
            }
            (Step::Cursor { .. }, Taken::Done) => summary.cursors += 1,
            (Step::Cursor { .. }, Taken::Left) => summary.cursors_left += 1,
            (Step::Mark { .. }, Taken::Done) => summary.marks += 1,
            (Step::Mark { .. }, Taken::Left) => summary.marks_left += 1,
            (Step::Dead { .. }, Taken::Done) => summary.dead_letters += 1,
            _ => {}
        }
    }
}

/// Reads the first line. Returns the newest id of the exported database.
fn header(lines: &mut Lines) -> Result<MessageId, Failure> {
    let Some(line) = lines.next()? else {
        return Err(lines.wrong(server::header_missing(FORMAT)));
    };
    match serde_json::from_slice(&line) {
        Ok(Record::Header(Header { format, version, newest })) if format == FORMAT => {
            if version > VERSION {
                let problem = server::newer_format(version);
                return Err(lines.wrong(problem).hint(server::use_newer_program()));
            }
            match store::refused_id(newest) {
                Some(refused) => Err(lines.wrong(refused)),
                None => Ok(newest),
            }
        }
        _ => Err(lines.wrong(server::no_header(FORMAT)).hint(server::give_export())),
    }
}
