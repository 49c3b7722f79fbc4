//! A PostgreSQL primary with two standbys, and the work of a manager when the primary is gone.

use super::network::{ADDRESSES, Network};
use super::postgres::{Cluster, OWNER, programs};
use super::wait_until;

/// The database of the servers.
pub const DATABASE: &str = "chat";
/// The value of `synchronous_standby_names` with which nothing acknowledged is ever lost.
pub const ANY_STANDBY: &str = "ANY 1 (a, b, c)";

/// The names of the three for `synchronous_standby_names`.
const NAMES: [&str; 3] = ["a", "b", "c"];
/// A standby looks for its new primary at once, and a new standby finds what it missed.
const SETTINGS: [&str; 3] =
    ["wal_retrieve_retry_interval=50ms", "wal_keep_size=4GB", "shared_buffers=64MB"];

/// The access rules of replicas on several machines of a network of a test's own.
const TRUST: &str = "
local all,replication all trust
host all,replication all samenet trust
host all,replication all 127.0.0.1/32 trust
";

/// The three. They listen on the network.
pub struct Replicas {
    clusters: Vec<Cluster>,
    primary: usize,
}

impl Replicas {
    /// Starts the three with this `synchronous_standby_names`, and creates the database. `None`,
    /// visibly, where PostgreSQL is not installed.
    #[track_caller]
    pub fn start(standby_names: &str) -> Option<Self> {
        Self::start_at(standby_names, &[], |_| (), |_, start| start())
    }

    /// [`Self::start`], with the primary in one machine of a network and the standbys in the other.
    #[track_caller]
    pub fn start_apart(standby_names: &str, network: &Network) -> Option<Self> {
        let trust = |new: &Cluster| new.write("pg_hba.conf", TRUST);
        let replicas =
            Self::start_at(standby_names, &["listen_addresses=*"], trust, |index, start| {
                network.machine(index.min(1)).enter(start);
            })?;
        replicas.follow_at(ADDRESSES[0], replicas.primary().port());
        Some(replicas)
    }

    /// The hosts of [`Self::start_apart`], for a URL.
    pub fn hosts_apart(&self) -> String {
        let hosts = self.clusters.iter().enumerate();
        let hosts =
            hosts.map(|(index, host)| format!("{}:{}", ADDRESSES[index.min(1)], host.port()));
        hosts.collect::<Vec<_>>().join(",")
    }

    /// `place` calls what it gets where the cluster with this number is to run.
    #[track_caller]
    fn start_at(
        standby_names: &str,
        more: &[&str],
        prepare: impl Fn(&Cluster) + Sync,
        place: impl Fn(usize, &mut (dyn FnMut() + Send)),
    ) -> Option<Self> {
        programs()?;
        let names = format!("synchronous_standby_names={standby_names}");
        let settings = [&SETTINGS[..], &[&names], more].concat();
        let (mut primary, mut copies) = (None, Vec::new());
        place(0, &mut || {
            primary = Cluster::start_on_network(&settings, |new| {
                prepare(new);
                copies = vec![new.copy_of_new(), new.copy_of_new()];
            });
        });
        let primary = primary?;
        for (index, copy) in (1..).zip(&mut copies) {
            place(index, &mut || copy.start_as_standby(&primary, NAMES[index]));
        }
        let mut clusters = vec![primary];
        clusters.append(&mut copies);
        let replicas = Self { clusters, primary: 0 };
        replicas.wait_for_standbys(2);
        replicas.primary().sql("postgres", &format!("CREATE DATABASE {DATABASE}"));
        Some(replicas)
    }

    /// The URL of the database, with every host.
    pub fn url(&self) -> String {
        let hosts = self.clusters.iter().map(|cluster| format!("127.0.0.1:{}", cluster.port()));
        let hosts: Vec<String> = hosts.collect();
        self.url_of(&hosts.join(","))
    }

    /// The URL of the database, with these hosts.
    pub fn url_of(&self, hosts: &str) -> String {
        format!("postgres://{OWNER}@{hosts}/{DATABASE}")
    }

    /// The primary.
    pub fn primary(&self) -> &Cluster {
        &self.clusters[self.primary]
    }

    /// One of the three.
    pub fn cluster(&self, index: usize) -> &Cluster {
        &self.clusters[index]
    }

    /// The standbys.
    pub fn standbys(&self) -> [usize; 2] {
        let mut others = (0..NAMES.len()).filter(|&index| index != self.primary);
        [(); 2].map(|()| others.next().expect("three"))
    }

    /// Executes SQL at the primary, in the schema of the servers.
    pub fn sql(&self, sql: &str) -> String {
        self.primary().sql(DATABASE, &format!("SET search_path = chat; {sql}"))
    }

    /// Waits until so many standbys receive from the primary.
    pub fn wait_for_standbys(&self, count: usize) {
        let sql = "SELECT count(*) FROM pg_stat_replication
                    WHERE state = 'streaming' AND application_name IN ('a', 'b', 'c')";
        wait_until("the standbys receive", || {
            self.primary().sql("postgres", sql) == count.to_string()
        });
    }

    /// Waits until so many backends of the primary wait for a standby.
    pub fn wait_for_waits(&self, count: usize) {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        wait_until("backends wait for a standby", || {
            self.primary().sql("postgres", sql).parse::<usize>().expect("a number") >= count
        });
    }

    /// Cuts a standby off: it receives nothing from now on.
    pub fn cut_off(&self, standby: usize) {
        let cluster = &self.clusters[standby];
        cluster.sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
        cluster.sql("postgres", "SELECT pg_reload_conf()");
        wait_until("the standby receives nothing", || {
            cluster.sql("postgres", "SELECT count(*) FROM pg_stat_wal_receiver") == "0"
        });
    }

    /// Lets a standby follow the primary, whichever it is now.
    pub fn follow(&self, standby: usize) {
        let cluster = &self.clusters[standby];
        let primary = self.primary().followed_as(NAMES[standby]);
        cluster.sql("postgres", &format!("ALTER SYSTEM SET primary_conninfo = '{primary}'"));
        cluster.sql("postgres", "SELECT pg_reload_conf()");
    }

    /// [`Self::cut_off`] of both standbys.
    pub fn cut_all_off(&self) {
        self.standbys().into_iter().for_each(|standby| self.cut_off(standby));
    }

    /// [`Self::follow`] of both standbys, which receive on return. One that only begins to receive
    /// could not be cut off for certain.
    pub fn follow_all(&self) {
        self.standbys().into_iter().for_each(|standby| self.follow(standby));
        self.wait_for_standbys(2);
    }

    /// Lets the standbys follow the primary through a relay at this port.
    pub fn follow_through(&self, port: u16) {
        self.follow_at("127.0.0.1", port);
    }

    /// Lets the standbys follow the primary at this address.
    fn follow_at(&self, host: &str, port: u16) {
        for standby in self.standbys() {
            let cluster = &self.clusters[standby];
            let primary = format!("host={host} port={port} user={OWNER}");
            let name = NAMES[standby];
            cluster.sql(
                "postgres",
                &format!("ALTER SYSTEM SET primary_conninfo = '{primary} application_name={name}'"),
            );
            cluster.sql("postgres", "SELECT pg_reload_conf()");
        }
        let sql = "SELECT count(*) FROM pg_stat_replication
                    WHERE state = 'streaming' AND client_addr IS NOT NULL";
        wait_until("the standbys receive", || self.primary().sql("postgres", sql) == "2");
    }

    /// Ends all processes of one of the three with SIGKILL.
    pub fn kill(&mut self, index: usize) {
        self.clusters[index].kill();
    }

    /// Ends all processes of the primary with SIGKILL.
    pub fn kill_primary(&mut self) {
        self.clusters[self.primary].kill();
    }

    /// Ends all processes of the primary with SIGKILL, and starts it again.
    pub fn restart_primary(&mut self) {
        self.kill_primary();
        self.clusters[self.primary].restart();
    }

    /// Makes this standby the primary.
    pub fn promote(&mut self, standby: usize) {
        self.clusters[standby].sql("postgres", "SELECT pg_promote()");
        self.primary = standby;
    }

    /// Kills the primary and promotes the more advanced standby, which the other one then follows.
    /// The old primary comes back as a standby with a copy of the new data, so nobody can use it.
    pub fn fail_over(&mut self) {
        let old = self.primary;
        self.kill_primary();
        self.promote_most_advanced();
        let new = self.primary;
        // Its copy is taken from the new primary.
        let mut fenced = self.clusters.remove(old);
        let primary = if new > old { new - 1 } else { new };
        fenced.restart_as_standby(&self.clusters[primary], NAMES[old]);
        self.clusters.insert(old, fenced);
        self.wait_for_standbys(2);
    }

    /// Promotes the standby that received more. The other one follows it.
    pub fn promote_most_advanced(&mut self) {
        let [one, other] = self.standbys();
        // Neither receives any more while they are compared.
        self.cut_all_off();
        let (new, behind) =
            if self.received(one) < self.received(other) { (other, one) } else { (one, other) };
        self.promote(new);
        self.follow(behind);
    }

    /// How far a standby has received the log.
    fn received(&self, standby: usize) -> u64 {
        let sql = "SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'";
        self.clusters[standby].sql("postgres", sql).parse().expect("a number")
    }
}
