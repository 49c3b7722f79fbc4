//! What a URL means, and which are refused.

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Target {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn refused(text: &str) -> InvalidTarget {
    text.parse::<Target>().map_or_else(|error| error, |target| panic!("{text}: {target:?}"))
}

fn shown(target: &Target) -> Vec<String> {
    target.hosts.iter().map(ToString::to_string).collect()
}

#[test]
fn url_names_user_hosts_in_order_and_database() {
    let target = parsed("postgres://chat@db1:5433,db2,[2001:db8::1]:7,[::1]/service");
    assert_eq!(shown(&target), ["db1:5433", "db2:5432", "[2001:db8::1]:7", "[::1]:5432"]);
    assert_eq!((target.user.as_str(), target.database.as_str()), ("chat", "service"));
    assert_eq!(target.connect_timeout, Duration::from_secs(5));
    assert_eq!(target.application_name, "chat-server");
    let text = "postgres://chat@db1:5433,db2:5432,[2001:db8::1]:7,[::1]:5432/service";
    assert_eq!(target.to_string(), text);
    assert_eq!(parsed(text), target);
}

#[test]
fn database_is_named_as_the_user_where_the_url_names_none() {
    for text in ["postgresql://chat@db", "postgres://chat@db/", "postgres://db?user=chat"] {
        assert_eq!(parsed(text).database, "chat", "{text}");
    }
    assert_eq!(parsed("postgres://u@db/a?dbname=b&user=c").database, "b");
}

#[test]
fn socket_is_a_folder_escaped_or_as_parameter() {
    for text in [
        "postgres://chat@%2Frun%2Fpostgresql:5433/chat",
        "postgres://chat@/chat?host=/run/postgresql&port=5433",
        "postgres:///chat?user=chat&host=%2Frun%2Fpostgresql&port=5433",
    ] {
        let target = parsed(text);
        assert_eq!(shown(&target), ["/run/postgresql/.s.PGSQL.5433"], "{text}");
        assert_eq!(target.to_string(), "postgres://chat@%2Frun%2Fpostgresql:5433/chat");
        assert_eq!(target.encryption_of(&target.hosts[0]), Encryption::Disable);
    }
}

#[test]
fn ports_of_the_parameter_are_for_all_hosts_or_for_each() {
    assert_eq!(shown(&parsed("postgres://u@/?host=a,b&port=7")), ["a:7", "b:7"]);
    assert_eq!(shown(&parsed("postgres://u@/?host=a,b&port=7,8")), ["a:7", "b:8"]);
    assert_eq!(shown(&parsed("postgres://u@/?host=a,b&port=,8")), ["a:5432", "b:8"]);
    let error = refused("postgres://u@/?host=a,b,c&port=7,8");
    assert_eq!(error, InvalidTarget::PortCount { hosts: 3, ports: 2 });
}

#[test]
fn tls_is_required_except_on_this_machine() {
    let target = parsed("postgres://u@localhost,127.0.0.1,[::1],db,10.0.0.1,%2Ftmp/d");
    let modes: Vec<_> = target.hosts.iter().map(|host| target.encryption_of(host)).collect();
    let (off, on) = (Encryption::Disable, Encryption::VerifyFull);
    assert_eq!(modes, [off, off, off, on, on, off]);
    assert_eq!(target.exposed(), None);

    let target = parsed("postgres://u@localhost,db/d?sslmode=disable");
    assert_eq!(target.exposed().map(ToString::to_string).as_deref(), Some("db:5432"));
    let target = parsed("postgres://u@localhost,%2Ftmp/d?sslmode=verify-full&sslrootcert=/ca.crt");
    assert_eq!(target.encryption_of(&target.hosts[0]), on);
    assert_eq!(target.encryption_of(&target.hosts[1]), off);
    assert_eq!(target.authorities.as_deref(), Some(Path::new("/ca.crt")));
    assert_eq!(parsed("postgres://u@db?sslrootcert=system").authorities, None);
}

#[test]
fn password_in_the_url_is_refused_and_not_repeated() {
    for text in [
        "postgres://chat:s3cret@db/chat",
        "postgres://chat:@db/chat",
        "postgres://chat@db/chat?password=s3cret",
    ] {
        assert_eq!(refused(text), InvalidTarget::Password, "{text}");
        assert!(!format!("{:?}", refused(text)).contains("s3cret"));
    }
}

#[test]
fn what_cannot_be_kept_is_refused_by_name() {
    let unknown = |name: &str| InvalidTarget::UnknownParameter(name.to_owned());
    assert_eq!(refused("postgres://u@db?sslmod=disable"), unknown("sslmod"));
    assert_eq!(refused("postgres://u@db?options=-c%20fsync%3Doff"), unknown("options"));
    for mode in ["allow", "prefer", "require", "verify-ca"] {
        let error = refused(&format!("postgres://u@db?sslmode={mode}"));
        assert_eq!(error, InvalidTarget::Unverified(mode.to_owned()));
    }
    for (parameter, values) in [
        ("sslmode", &["", "no"][..]),
        ("target_session_attrs", &["any", "standby", "prefer-standby", "read-only", ""]),
        ("connect_timeout", &["", "0", "-1", "601", "2s"]),
        ("application_name", &["", "a%0Ab"]),
        ("sslrootcert", &[""]),
    ] {
        for value in values {
            let error = refused(&format!("postgres://u@db?{parameter}={value}"));
            let named = matches!(&error, InvalidTarget::Value { parameter: found, .. }
                if *found == parameter);
            assert!(named, "{parameter}={value}: {error:?}");
        }
    }
    let parameter = |text: &str| InvalidTarget::Parameter(text.to_owned());
    assert_eq!(refused("postgres://u@db?sslmode"), parameter("sslmode"));
    assert_eq!(refused("postgres://u@db?host=a&host=b"), parameter("host"));
}

#[test]
fn wrong_parts_are_named() {
    assert_eq!(refused("chat.sqlite"), InvalidTarget::Scheme);
    assert_eq!(refused("postgres://db/chat"), InvalidTarget::NoUser);
    assert_eq!(refused("postgres://@db/chat"), InvalidTarget::NoUser);
    assert_eq!(refused("postgres://u@/chat"), InvalidTarget::NoHost);
    assert_eq!(refused("postgres://u@a,,b/chat"), InvalidTarget::NoHost);
    for port in ["0", "65536", "x", "-1"] {
        assert_eq!(refused(&format!("postgres://u@db:{port}")), InvalidTarget::Port(port.into()));
    }
    for host in ["[::1", "[::1]5432", "a b", "db;x"] {
        assert_eq!(refused(&format!("postgres://u@{host}")), InvalidTarget::Host(host.into()));
    }
    for text in ["%", "%4", "%zz", "%00", "%ff"] {
        let error = refused(&format!("postgres://u@db/{text}"));
        assert_eq!(error, InvalidTarget::Escape(text.to_owned()));
    }
    let many = vec!["h"; HOSTS_MAX + 1].join(",");
    assert_eq!(refused(&format!("postgres://u@{many}")), InvalidTarget::TooManyHosts);
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text: String) {
        let _ = text.parse::<Target>();
        let _ = format!("postgres://{text}").parse::<Target>();
    }

    /// The password is the only part that a URL may not have, so none can be printed.
    #[test]
    fn shown_url_means_the_same(user in "[ -~]{1,12}", database in "[ -~]{1,12}", port in 1..9u16) {
        let text = format!(
            "postgres://{}@db:{port},%2Frun%2Fx:{port}/{}",
            url::escape(&user),
            url::escape(&database),
        );
        let target = parsed(&text);
        prop_assert_eq!((&target.user, &target.database), (&user, &database));
        prop_assert_eq!(parsed(&target.to_string()), target);
    }
}
