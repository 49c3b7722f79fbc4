//! `users`: every user to whom one can send, in pages; none if the operator hides them.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::service::Service;
use crate::support::{Server, Wire, operator};

fn names(reply: &Value) -> Vec<&str> {
    let users = reply["users"].as_array().expect("users");
    users.iter().map(|user| user["user"].as_str().expect("a name")).collect()
}

#[test]
fn listed_users_are_exactly_those_who_can_be_written_to() {
    let server = Server::start();
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    operator::done(&server.database(), &["user", "disable", "ivy"]);
    operator::done(&server.database(), &["user", "delete", "robo", "--yes"]);
    operator::done(&server.database(), &["user", "rename", "vanessa", "anna"]);
    let reply = wire.done(format!("users {paff}"));
    assert_eq!(names(&reply), ["anna", "ivy", "neko", "paff"]);
    assert_eq!(reply["users"][0], json!({"user": "anna", "display_name": "Vanessa"}));
    assert_eq!(reply["more"], false);
    for name in names(&reply) {
        wire.done(format!("send {paff} {name} hai"));
    }
    for name in ["robo", "vanessa"] {
        assert_eq!(wire.refused(format!("send {paff} {name} hai")), "unknown_recipient");
    }
    assert_eq!(wire.refused("users 7a592c0e-2cb5-4de6-866b-4e216b0caf15"), "no_session");
}

#[test]
fn thousands_of_users_are_listed_page_by_page_each_once() {
    let server = Server::start_with_users(2_001);
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    for limit in [1000, 7] {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let fields = if after.is_empty() {
                json!({"limit": limit})
            } else {
                json!({"after": after, "limit": limit})
            };
            let reply = wire.done(format!("users {paff} {fields}"));
            let page: Vec<String> = names(&reply).into_iter().map(str::to_owned).collect();
            after.clone_from(page.last().expect("somebody"));
            let is_full = page.len() == limit;
            all.extend(page);
            if reply["more"] == false {
                break;
            }
            assert!(is_full, "a page before the last is full");
        }
        assert_eq!(all.len(), 2_006);
        assert!(all.is_sorted_by(|one, next| one < next), "in order, each once");
    }
}

#[test]
fn hidden_users_are_listed_to_nobody_until_the_next_reload() {
    let service = Service::start("hide_users = true\n");
    let mut wire = Wire::connect(service.address());
    let paff = wire.log_in("paff");
    let reply = wire.ask(format!("users {paff}"));
    assert_eq!(
        reply,
        json!({"status": "ERROR", "code": "users_hidden", "message": "this server does not list its users"})
    );
    assert_eq!(wire.done(format!("list {paff}"))["messages"], "List user: paff");
    service.configure("hide_users = false\n");
    service.signal(Signal::HUP);
    service.wait_for_line("the configuration was read again");
    assert_eq!(names(&wire.done(format!("users {paff}"))).len(), 5);
}
