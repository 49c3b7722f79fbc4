//! What rooms cost beside messages to users: posts, pushes and first pages. Run it with `cargo
//! bench --bench rooms`; docs/performance.md explains the output. Each measurement starts the
//! server on a new database. Those that are compared take turns.

#[path = "../harness/mod.rs"]
mod harness;
mod pages;
mod posts;
mod pushes;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use harness::machine;
use harness::peers::chat::{self, SENDER, Server};
use harness::peers::{recipient, run};
use harness::place::{self, Place, chat_server};

/// The members of the large room.
const USERS: usize = 10_000;
/// The numbers of members of the rooms that are compared.
const MEMBERS: [usize; 2] = [10, USERS];
/// The rooms that hold the messages of [`pages`], and the members of each.
const PAGE_ROOMS: usize = 100;

/// Measures rooms beside users.
#[derive(Debug, Parser)]
#[command(name = "rooms", bin_name = "cargo bench --bench rooms --", max_term_width = 100)]
struct Arguments {
    /// What to measure; everything, if nothing is named.
    parts: Vec<Part>,
    /// How long each load is measured.
    #[arg(long, value_name = "TIME", default_value_t = 1.0)]
    seconds: f64,
    /// How often everything is measured, in turns.
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// How many messages the rooms of `pages` have together.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    messages: u64,
    /// The server to measure instead of the one of this build.
    #[arg(long, value_name = "PATH", default_value_os_t = chat_server())]
    server: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Posts a second to a user, and to rooms of 10 and of 10,000 members.
    Posts,
    /// Deliveries a second to 1,000 watchers of one inbox, and of one room.
    Pushes,
    /// The first page of a reader who is in 1, 10 and 100 rooms.
    Pages,
}

fn main() -> Result<()> {
    let mut arguments = Arguments::parse();
    if arguments.place.is_quick() {
        (arguments.seconds, arguments.runs, arguments.messages) = (0.2, 1, 2_000);
    }
    if arguments.parts.is_empty() {
        arguments.parts = Part::value_variants().to_vec();
    }
    place::raise_descriptor_limit(2 * pushes::WATCHERS)?;
    let folder = arguments.place.temporary("rooms-")?;
    let template = folder.path().join("template.sqlite");
    create(&arguments.server, &template)?;
    let bench = Bench { arguments: &arguments, folder: folder.path(), template };
    println!("{}", machine::description(folder.path()));
    for part in &arguments.parts {
        println!();
        match part {
            Part::Posts => posts::measure(&bench)?,
            Part::Pushes => pushes::measure(&bench)?,
            Part::Pages => pages::measure(&bench)?,
        }
    }
    Ok(())
}

/// The name of the room with so many members.
fn room_of(members: usize) -> String {
    format!("#of{members}")
}

/// The name of one of the rooms of [`pages`].
fn page_room(index: usize) -> String {
    format!("#page{index}")
}

/// Creates a database with the users, the rooms and their members. The sender is in all rooms.
/// Reader `n` of [`pages::READERS`] is in so many of its rooms.
fn create(program: &Path, database: &Path) -> Result<()> {
    let names: Vec<String> = (0..USERS).map(recipient).collect();
    let readers = pages::READERS.map(pages::reader);
    let names = names.iter().chain(&readers).map(String::as_str);
    let mut lines = chat::users(names)?;
    for members in MEMBERS {
        let users: Vec<String> = (0..members - 1).map(recipient).collect();
        lines += &room(&room_of(members), users.iter().map(String::as_str));
    }
    for index in 0..PAGE_ROOMS {
        let is_in = |rooms: &usize| index < *rooms;
        let users: Vec<String> =
            pages::READERS.into_iter().filter(is_in).map(pages::reader).collect();
        lines += &room(&page_room(index), users.iter().map(String::as_str));
    }
    let file = database.with_extension("import");
    fs::write(&file, lines)?;
    run(Command::new(program).env_clear().arg("--db").arg(database).arg("import").arg(&file))?;
    Ok(fs::remove_file(file)?)
}

/// The lines of an export for a room of the sender with these members.
fn room<'a>(name: &str, members: impl Iterator<Item = &'a str>) -> String {
    let mut lines = format!(
        "{{\"type\":\"room\",\"room\":\"{name}\",\"topic\":\"\",\"private\":false,\
         \"posting\":\"members\",\"history\":\"all\",\"created_at\":\"2026-01-01T00:00:00.000Z\"}}\n"
    );
    for (user, role) in
        std::iter::once((SENDER, "owner")).chain(members.map(|user| (user, "member")))
    {
        lines += &format!(
            "{{\"type\":\"membership\",\"room\":\"{name}\",\"user\":\"{user}\",\"role\":\"{role}\",\
             \"notify\":\"all\",\"joined_after\":0,\"sees_after\":0}}\n"
        );
    }
    lines
}

/// The shared state of all parts.
struct Bench<'a> {
    arguments: &'a Arguments,
    folder: &'a Path,
    /// The database with users and rooms, and no message.
    template: PathBuf,
}

impl Bench<'_> {
    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.arguments.seconds)
    }

    /// Calls a function with a server on a new database.
    fn with_server<T>(&self, what: impl FnOnce(&Server) -> Result<T>) -> Result<T> {
        let place = tempfile::tempdir_in(self.folder)?;
        let database = place.path().join("chat.sqlite");
        fs::copy(&self.template, &database)?;
        let server = Server::start(&self.arguments.server, &database)?;
        let done = what(&server)?;
        server.stop()?;
        Ok(done)
    }
}
