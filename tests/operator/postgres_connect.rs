//! Connecting to a real PostgreSQL: hosts in order, passwords, TLS, and what it promises.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chat::store::postgres::connect::{Attempt, ConnectError, Connector};
use chat::store::postgres::durability::{
    Durability, Promise, Shortfall, decide, look, set_session,
};
use chat::store::postgres::password::PasswordSource;

use crate::support::postgres::{Cluster, OWNER};
use crate::support::tls::{Authority, Kind};

fn connector(url: &str, password: Option<&Path>) -> Connector {
    let target = url.parse().unwrap_or_else(|error| panic!("{url}: {error:?}"));
    let password =
        password.map_or(PasswordSource::None, |path| PasswordSource::File(path.to_owned()));
    Connector { target, password }
}

/// The database that this URL leads to, as seen through the connection.
fn reached(url: &str, password: Option<&Path>) -> Result<String, ConnectError> {
    let mut client = connector(url, password).connect()?;
    let row = client.query_one("SELECT current_database()::text", &[]).expect("it answers");
    Ok(row.get(0))
}

fn attempts(url: &str, password: Option<&Path>) -> Vec<Attempt> {
    let error = reached(url, password).expect_err(url);
    error.attempts.into_iter().map(|(_, attempt)| attempt).collect()
}

fn secret(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("password");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

/// A URL with several hosts, each by its socket.
fn url_of(clusters: &[&Cluster]) -> String {
    let hosts = clusters.iter().map(|cluster| cluster.socket_folder().display().to_string());
    let hosts: Vec<String> = hosts.collect();
    format!("postgres://{OWNER}@/postgres?host={}", hosts.join(","))
}

#[test]
fn first_host_that_is_a_primary_is_taken() {
    let Some(mut primary) = Cluster::start(&[]) else { return };
    let standby = primary.standby("standby1");
    let folder = tempfile::tempdir().unwrap();
    let url = url_of(&[&standby, &primary]);
    assert_eq!(reached(&url, None).unwrap(), "postgres");

    let nobody = format!("{}&connect_timeout=1", url_of(&[&standby]));
    assert!(matches!(attempts(&nobody, None)[..], [Attempt::ReadOnly]));
    let error = reached(&nobody, None).unwrap_err();
    assert!(error.is_temporary(), "a standby can be promoted");

    primary.kill();
    assert!(matches!(attempts(&url, None)[..], [Attempt::ReadOnly, Attempt::Unreachable(_)]));
    standby.sql("postgres", "SELECT pg_promote()");
    assert_eq!(reached(&url, None).unwrap(), "postgres");

    let missing = format!("postgres://{OWNER}@/postgres?host={}", folder.path().display());
    assert!(matches!(attempts(&missing, None)[..], [Attempt::Unreachable(_)]));
}

#[test]
fn primary_that_is_set_to_read_only_is_passed_over() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.sql("postgres", "ALTER SYSTEM SET default_transaction_read_only = on");
    cluster.sql("postgres", "SELECT pg_reload_conf()");
    let url = cluster.url(OWNER, "postgres");
    // The postmaster reads its settings when it has time to.
    while reached(&url, None).is_ok() {}
    assert!(matches!(attempts(&url, None)[..], [Attempt::ReadOnly]));
}

#[test]
fn host_that_does_not_answer_costs_its_timeout_only() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    // The system accepts connections for it, and nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let folder = cluster.socket_folder().display();
    let url = format!(
        "postgres://{OWNER}@/postgres?host=127.0.0.1,{folder}&port={port},5432&connect_timeout=1"
    );
    assert_eq!(reached(&url, None).unwrap(), "postgres");
    let url = format!("postgres://{OWNER}@127.0.0.1:{port}/postgres?connect_timeout=1");
    assert!(matches!(attempts(&url, None)[..], [Attempt::TimedOut(_)]));
}

#[test]
fn password_comes_from_a_file_and_is_checked() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    cluster.sql("postgres", "CREATE ROLE chat LOGIN PASSWORD 's3:cret'");
    cluster.write("pg_hba.conf", "local all owner trust\nlocal all all scram-sha-256\n");
    cluster.sql("postgres", "SELECT pg_reload_conf()");
    let url = cluster.url("chat", "postgres");
    while reached(&url, None).is_ok() {}
    assert!(matches!(attempts(&url, None)[..], [Attempt::NoPassword]));

    let right = secret(folder.path(), "s3:cret\n");
    assert_eq!(reached(&url, Some(&right)).unwrap(), "postgres");
    fs::set_permissions(&right, Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(attempts(&url, Some(&right))[..], [Attempt::Password(_)]));

    let wrong = secret(folder.path(), "wrong\n");
    assert!(matches!(&attempts(&url, Some(&wrong))[..], [Attempt::Login(_)]));
    assert!(!reached(&url, Some(&wrong)).unwrap_err().is_temporary());

    let host = cluster.socket_folder().display();
    let passwords = secret(folder.path(), &format!("{host}:5432:postgres:chat:s3\\:cret\n"));
    let mut by_line = connector(&url, None);
    by_line.password = PasswordSource::PasswordFile { path: passwords, is_named: true };
    by_line.connect().expect("the line matches");
    let other = cluster.url("chat", "template1").parse().unwrap();
    by_line.target = other;
    let error = by_line.connect().err().expect("no line matches");
    assert!(matches!(error.attempts[..], [(_, Attempt::NoPassword)]));
}

#[test]
fn unknown_database_and_unknown_user_are_told_apart() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    assert!(matches!(attempts(&cluster.url(OWNER, "none"), None)[..], [Attempt::NoDatabase]));
    assert!(matches!(attempts(&cluster.url("nobody", "postgres"), None)[..], [Attempt::Login(_)]));
}

#[test]
fn tls_accepts_only_the_certificate_of_the_host() {
    let authority = Authority::new();
    let other = Authority::new();
    let install = |cluster: &Cluster, names: &[&str], kind| {
        let files = authority.issue("server", names, kind);
        cluster.write("server.crt", &fs::read_to_string(files.certificate).unwrap());
        cluster.write("server.key", &fs::read_to_string(files.key).unwrap());
    };
    let names = ["localhost", "127.0.0.1"];
    let started = Cluster::start_on_network(&["ssl=on"], |cluster| {
        install(cluster, &names, Kind::Good);
        // Nobody gets in without TLS.
        cluster.write("pg_hba.conf", "local all owner trust\nhostssl all owner all trust\n");
    });
    let Some(cluster) = started else { return };
    let url = |host: &str, authority: &Authority| {
        let (port, file) = (cluster.port(), authority.file());
        let file = file.display();
        format!("postgres://{OWNER}@{host}:{port}/postgres?sslmode=verify-full&sslrootcert={file}")
    };
    for host in ["localhost", "127.0.0.1"] {
        let mut client = connector(&url(host, &authority), None).connect().expect(host);
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        assert!(client.query_one(sql, &[]).unwrap().get::<_, bool>(0), "{host}");
    }
    assert!(matches!(attempts(&url("127.0.0.1", &other), None)[..], [Attempt::Certificate(_)]));
    let plain = format!("postgres://{OWNER}@127.0.0.1:{}/postgres", cluster.port());
    assert!(matches!(&attempts(&plain, None)[..], [Attempt::Login(_)]));
    let none = format!("{plain}?sslmode=verify-full&sslrootcert=/none");
    assert!(matches!(attempts(&none, None)[..], [Attempt::Encryption(_)]));

    for (names, kind) in [(&["db.example.org"][..], Kind::Good), (&names, Kind::Expired)] {
        install(&cluster, names, kind);
        cluster.sql("postgres", "SELECT pg_reload_conf()");
        while reached(&url("127.0.0.1", &authority), None).is_ok() {}
        let refused = attempts(&url("127.0.0.1", &authority), None);
        assert!(matches!(refused[..], [Attempt::Certificate(_)]), "{refused:?}");
    }
}

#[test]
fn server_without_tls_is_refused_where_tls_is_needed() {
    let Some(cluster) = Cluster::start_on_network(&[], |_| ()) else { return };
    let authority = Authority::new();
    let url = format!(
        "postgres://{OWNER}@127.0.0.1:{}/postgres?sslmode=verify-full&sslrootcert={}",
        cluster.port(),
        authority.file().display(),
    );
    assert!(matches!(attempts(&url, None)[..], [Attempt::NoTls]));
}

fn found(cluster: &Cluster, asked: Durability) -> Result<Promise, Vec<Shortfall>> {
    let mut client = connector(&cluster.url(OWNER, "postgres"), None).connect().unwrap();
    set_session(&mut client, asked).unwrap();
    decide(&look(&mut client).unwrap(), asked)
}

#[test]
fn promise_is_what_the_database_has_been_set_to() {
    let names = "synchronous_standby_names=ANY 1 (standby1, standby2)";
    let Some(primary) = Cluster::start(&[names]) else { return };
    let promise = found(&primary, Durability::Standby).unwrap();
    assert!(promise.is_waiting(), "no standby is connected: {promise:?}");

    let _standby = primary.standby("standby1");
    let connected = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'";
    while primary.sql("postgres", connected) != "1" {}
    let promise = found(&primary, Durability::Standby).unwrap();
    assert_eq!(promise.standbys, Some(vec!["standby1".to_owned()]));
    assert!(!promise.is_waiting());

    // What others set for all sessions is overruled.
    primary.sql("postgres", "ALTER ROLE owner SET synchronous_commit = off");
    for asked in Durability::ALL {
        assert_eq!(found(&primary, asked).map(|promise| promise.durability), Ok(asked));
    }
    let mut client = connector(&primary.url(OWNER, "postgres"), None).connect().unwrap();
    let unset = decide(&look(&mut client).unwrap(), Durability::Local);
    assert_eq!(unset, Err(vec![Shortfall::SynchronousCommit("off".to_owned())]));
}

#[test]
fn database_that_cannot_keep_a_message_is_found() {
    let Some(cluster) = Cluster::start(&["fsync=off", "full_page_writes=off"]) else { return };
    let missing = [Shortfall::Fsync, Shortfall::FullPageWrites, Shortfall::NoStandby];
    assert_eq!(found(&cluster, Durability::Standby), Err(missing.to_vec()));
    assert_eq!(found(&cluster, Durability::Local), Err(missing[..2].to_vec()));
    assert!(found(&cluster, Durability::Storage).is_ok());
}

#[test]
fn standbys_are_unknown_to_a_user_who_may_not_see_them() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.sql("postgres", "CREATE ROLE chat LOGIN; CREATE ROLE seer LOGIN");
    cluster.sql("postgres", "GRANT pg_read_all_stats TO seer");
    for (user, standbys) in [("chat", None), ("seer", Some(Vec::new()))] {
        let mut client = connector(&cluster.url(user, "postgres"), None).connect().unwrap();
        assert_eq!(look(&mut client).unwrap().standbys, standbys, "{user}");
    }
}
