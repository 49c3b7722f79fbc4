//! What an answer of this database is worth. PostgreSQL can be set so that a commit that returned is
//! lost with its machine, or by a power cut. A server does not acknowledge messages on such a
//! database, unless its operator has said which promise is enough.

use std::fmt;
use std::str::FromStr;

use postgres::Client;

/// The oldest server that is supported: 15.
pub const SERVER_VERSION_MIN: u32 = 150_000;

/// Where a message is when it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// On the disk of the primary and of a synchronous standby: it survives the loss of either.
    #[default]
    Standby,
    /// On the disk of the primary only: it survives a crash and a power cut.
    Local,
    /// Where the operator says that it is safe: the provider replicates its storage. PostgreSQL's
    /// own settings do not tell.
    Storage,
}

/// What a database server says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// For example 150018.
    pub server_version: u32,
    /// Whether it is a standby.
    pub is_in_recovery: bool,
    /// Whether a commit is synced to the disk.
    pub fsync: bool,
    /// Whether a page that a power cut tore can be restored.
    pub full_page_writes: bool,
    /// Which standbys a commit waits for.
    pub synchronous_standby_names: String,
    /// Whether a commit of this session waits, and for what.
    pub synchronous_commit: String,
    /// The synchronous standbys that are connected now. `None` if this user may not see them.
    pub standbys: Option<Vec<String>>,
}

/// The database can hold this promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// Where an acknowledged message is.
    pub durability: Durability,
    /// The synchronous standbys that are connected now. `None` if this user may not see them.
    pub standbys: Option<Vec<String>>,
}

/// Why a database cannot hold a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shortfall {
    /// It is older than [`SERVER_VERSION_MIN`].
    TooOld(u32),
    /// It is a standby, which takes no writes.
    InRecovery,
    /// `fsync` is off: a power cut loses commits and damages the database.
    Fsync,
    /// `full_page_writes` is off: a power cut can damage the database.
    FullPageWrites,
    /// `synchronous_standby_names` is empty: with the primary, the newest messages are lost.
    NoStandby,
    /// The session's `synchronous_commit` has this value, although the server has set another.
    SynchronousCommit(String),
}

impl Durability {
    /// All of them, the strongest first.
    pub const ALL: [Self; 3] = [Self::Standby, Self::Local, Self::Storage];

    /// The word of the option.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Local => "local",
            Self::Storage => "storage",
        }
    }

    /// What each session must set `synchronous_commit` to. With `local` it does not wait for a
    /// standby, also where there is one.
    const fn synchronous_commit(self) -> &'static str {
        match self {
            Self::Standby | Self::Storage => "on",
            Self::Local => "local",
        }
    }
}

impl FromStr for Durability {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or(())
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Found {
    /// The word for the strongest promise that these settings hold: `standby`, `local` or `none`.
    pub fn strongest(&self) -> &'static str {
        match (self.fsync && self.full_page_writes, self.synchronous_standby_names.trim()) {
            (false, _) => "none",
            (true, "") => Durability::Local.as_str(),
            (true, _) => Durability::Standby.as_str(),
        }
    }
}

impl Promise {
    /// Whether every write waits now, because no synchronous standby is connected.
    pub fn is_waiting(&self) -> bool {
        self.durability == Durability::Standby && self.standbys.as_ref().is_some_and(Vec::is_empty)
    }
}

impl Shortfall {
    /// The weaker promise that the operator can choose despite this. `None` if nothing but a change
    /// of the database helps.
    pub fn accepted_with(&self) -> Option<Durability> {
        match self {
            Self::NoStandby => Some(Durability::Local),
            Self::Fsync | Self::FullPageWrites => Some(Durability::Storage),
            Self::TooOld(_) | Self::InRecovery | Self::SynchronousCommit(_) => None,
        }
    }
}

/// For the server log.
impl fmt::Display for Shortfall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooOld(version) => write!(formatter, "the version is {version}"),
            Self::InRecovery => formatter.write_str("it is a standby"),
            Self::Fsync => formatter.write_str("fsync is off"),
            Self::FullPageWrites => formatter.write_str("full_page_writes is off"),
            Self::NoStandby => formatter.write_str("synchronous_standby_names is empty"),
            Self::SynchronousCommit(value) => write!(formatter, "synchronous_commit is {value}"),
        }
    }
}

/// Decides whether a database that says this about itself can hold the promise.
///
/// # Errors
/// Everything that is missing, and at least one thing.
pub fn decide(found: &Found, asked: Durability) -> Result<Promise, Vec<Shortfall>> {
    let mut missing = Vec::new();
    if found.server_version < SERVER_VERSION_MIN {
        missing.push(Shortfall::TooOld(found.server_version));
    }
    if found.is_in_recovery {
        missing.push(Shortfall::InRecovery);
    }
    if asked != Durability::Storage {
        if !found.fsync {
            missing.push(Shortfall::Fsync);
        }
        if !found.full_page_writes {
            missing.push(Shortfall::FullPageWrites);
        }
    }
    if asked == Durability::Standby && found.synchronous_standby_names.trim().is_empty() {
        missing.push(Shortfall::NoStandby);
    }
    if !commits_as(asked, &found.synchronous_commit) {
        missing.push(Shortfall::SynchronousCommit(found.synchronous_commit.clone()));
    }
    match missing.is_empty() {
        true => Ok(Promise { durability: asked, standbys: found.standbys.clone() }),
        false => Err(missing),
    }
}

/// The promise that the operator can choose despite all of this. `None` if there is none.
pub fn weakest(missing: &[Shortfall]) -> Option<Durability> {
    let accepted: Option<Vec<_>> = missing.iter().map(Shortfall::accepted_with).collect();
    let is_storage = |durability: &Durability| *durability == Durability::Storage;
    let accepted = accepted?;
    accepted.iter().copied().find(is_storage).or(accepted.first().copied())
}

/// Whether a session with this `synchronous_commit` waits long enough.
fn commits_as(asked: Durability, synchronous_commit: &str) -> bool {
    match asked {
        Durability::Standby => matches!(synchronous_commit, "on" | "remote_apply"),
        Durability::Local | Durability::Storage => {
            matches!(synchronous_commit, "local" | "on" | "remote_write" | "remote_apply")
        }
    }
}

/// Sets `synchronous_commit` for all later transactions of this session. What the database, the
/// role or the URL has set does not count.
///
/// # Errors
/// The connection is broken.
pub fn set_session(client: &mut Client, asked: Durability) -> Result<(), postgres::Error> {
    client
        .batch_execute(&format!("SET SESSION synchronous_commit TO {}", asked.synchronous_commit()))
}

/// Asks the server for all that [`decide`] needs. Blocks for one round trip.
///
/// # Errors
/// The connection is broken.
pub fn look(client: &mut Client) -> Result<Found, postgres::Error> {
    let row = client.query_one(
        "SELECT pg_catalog.current_setting('server_version_num')::int,
                pg_catalog.pg_is_in_recovery(),
                pg_catalog.current_setting('fsync')::bool,
                pg_catalog.current_setting('full_page_writes')::bool,
                pg_catalog.current_setting('synchronous_standby_names'),
                pg_catalog.current_setting('synchronous_commit'),
                CASE WHEN pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') THEN
                    ARRAY(SELECT application_name FROM pg_catalog.pg_stat_replication
                           WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming'
                           ORDER BY application_name)
                END",
        &[],
    )?;
    Ok(Found {
        server_version: u32::try_from(row.try_get::<_, i32>(0)?).unwrap_or(0),
        is_in_recovery: row.try_get(1)?,
        fsync: row.try_get(2)?,
        full_page_writes: row.try_get(3)?,
        synchronous_standby_names: row.try_get(4)?,
        synchronous_commit: row.try_get(5)?,
        standbys: row.try_get(6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Found {
        Found {
            server_version: 150_018,
            is_in_recovery: false,
            fsync: true,
            full_page_writes: true,
            synchronous_standby_names: "ANY 1 (*)".to_owned(),
            synchronous_commit: "on".to_owned(),
            standbys: Some(vec!["standby1".to_owned()]),
        }
    }

    fn missing(found: &Found, asked: Durability) -> Vec<Shortfall> {
        decide(found, asked).err().unwrap_or_default()
    }

    #[test]
    fn database_with_a_synchronous_standby_holds_every_promise() {
        for asked in Durability::ALL {
            let promise = decide(&sound(), asked).unwrap();
            assert_eq!(promise.durability, asked);
            assert!(!promise.is_waiting());
        }
    }

    #[test]
    fn without_a_standby_only_weaker_promises_hold() {
        for names in ["", "  "] {
            let found = Found { synchronous_standby_names: names.to_owned(), ..sound() };
            assert_eq!(missing(&found, Durability::Standby), [Shortfall::NoStandby]);
            assert_eq!(missing(&found, Durability::Local), []);
            assert_eq!(missing(&found, Durability::Storage), []);
        }
    }

    #[test]
    fn database_that_does_not_sync_holds_no_promise_of_its_own() {
        let found = Found {
            fsync: false,
            full_page_writes: false,
            synchronous_standby_names: String::new(),
            ..sound()
        };
        let unsynced = [Shortfall::Fsync, Shortfall::FullPageWrites];
        assert_eq!(missing(&found, Durability::Local), unsynced);
        let [fsync, pages] = unsynced;
        assert_eq!(missing(&found, Durability::Standby), [fsync, pages, Shortfall::NoStandby]);
        assert_eq!(missing(&found, Durability::Storage), []);
    }

    #[test]
    fn commit_that_does_not_wait_is_found() {
        for value in ["off", "local", "remote_write"] {
            let found = Found { synchronous_commit: value.to_owned(), ..sound() };
            let expected = [Shortfall::SynchronousCommit(value.to_owned())];
            assert_eq!(missing(&found, Durability::Standby), expected);
            let is_off = value == "off";
            assert_eq!(missing(&found, Durability::Local).is_empty(), !is_off, "{value}");
            assert_eq!(missing(&found, Durability::Storage).is_empty(), !is_off, "{value}");
        }
        let found = Found { synchronous_commit: "remote_apply".to_owned(), ..sound() };
        assert_eq!(missing(&found, Durability::Standby), []);
    }

    #[test]
    fn strongest_promise_of_the_settings_is_named() {
        let local = Found { synchronous_standby_names: " ".to_owned(), ..sound() };
        let none = Found { full_page_writes: false, ..sound() };
        assert_eq!(Found { fsync: false, ..sound() }.strongest(), "none");
        assert_eq!(
            [sound(), local, none].map(|found| found.strongest()),
            ["standby", "local", "none"]
        );
    }

    #[test]
    fn old_server_and_standby_are_refused_whatever_is_asked() {
        let found = Found { server_version: 140_022, is_in_recovery: true, ..sound() };
        for asked in Durability::ALL {
            let expected = [Shortfall::TooOld(140_022), Shortfall::InRecovery];
            assert_eq!(missing(&found, asked), expected);
            assert!(expected.iter().all(|shortfall| shortfall.accepted_with().is_none()));
        }
    }

    /// What an error advises must lead to a start, and not to the next error.
    #[test]
    fn advised_promise_is_accepted() {
        for (fsync, pages, names) in
            [(true, true, ""), (false, true, "a"), (true, false, "a"), (false, false, "")]
        {
            let found = Found {
                fsync,
                full_page_writes: pages,
                synchronous_standby_names: names.to_owned(),
                ..sound()
            };
            let missing = missing(&found, Durability::Standby);
            let advised = weakest(&missing).unwrap();
            assert!(decide(&found, advised).is_ok(), "{found:?}");
        }
        assert_eq!(weakest(&[Shortfall::NoStandby, Shortfall::InRecovery]), None);
    }

    #[test]
    fn lost_standby_is_told_and_unknown_ones_are_not_guessed() {
        let of = |standbys| decide(&Found { standbys, ..sound() }, Durability::Standby).unwrap();
        assert!(of(Some(Vec::new())).is_waiting());
        assert!(!of(None).is_waiting());
        let local = decide(&Found { standbys: Some(Vec::new()), ..sound() }, Durability::Local);
        assert!(!local.unwrap().is_waiting());
    }

    #[test]
    fn words_of_the_option_are_parsed() {
        for durability in Durability::ALL {
            assert_eq!(durability.to_string().parse(), Ok(durability));
        }
        assert_eq!("Standby".parse::<Durability>(), Err(()));
    }
}
