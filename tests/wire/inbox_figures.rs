//! The inbox in the browser: what it costs. The tests check what no clock decides, and print the
//! figures of docs/performance.md:
//!
//! `CHAT_TEST_FULL=1 cargo test --release --test wire inbox_figures:: -- --nocapture --test-threads 1`

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::json;

use super::inbox_page::{HTTP, head, log_in, shows, write};
use crate::support::tab::{Browser, Tab};
use crate::support::{Server, browser, operator, scaled, wait_until};

/// Notes when the page shows the log-in or the inbox, in milliseconds after its beginning.
const NOTE_VIEWS: &str = "window.shown = {};
    new MutationObserver(() => {
        if (document.querySelector('.log-in')) shown.entrance ??= performance.now();
        if (document.querySelector('.conversations a')) shown.inbox ??= performance.now();
    }).observe(document, { childList: true, subtree: true });";

/// The files of this server that the page has asked for before it showed a view.
fn files(tab: &Tab<'_>, view: &str) -> BTreeSet<String> {
    let asked = format!(
        "performance.getEntriesByType('resource').filter(it => it.startTime < shown.{view})\
         .map(it => new URL(it.name).pathname)"
    );
    let mut files: BTreeSet<String> = serde_json::from_value(tab.value(&asked)).unwrap();
    files.insert("/".to_owned());
    files
}

/// The bytes of these files as they go over the network, without the heads of the responses.
fn bytes(server: &Server, files: &BTreeSet<String>) -> usize {
    let length = |path: &String| -> usize {
        let response = head(server, &format!("GET {path}"), "gzip");
        response.field("content-length").expect("a length").parse().unwrap()
    };
    let is_file = |path: &&String| path.starts_with("/page/") && *path != "/page/session";
    files.iter().filter(|path| is_file(path) || *path == "/").map(length).sum()
}

#[test]
fn first_view_is_small_and_the_rest_comes_later() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    server.connect().done(format!(r#"post {paff} {{"to": ["neko"], "body": "hai"}}"#));
    let chromium = Browser::start();
    let url = format!("http://{}/", server.http());
    let tab = chromium.profile().open("about:blank");
    tab.run_first(NOTE_VIEWS);
    tab.go(&url);
    tab.wait("shown.entrance");
    let entrance = files(&tab, "entrance");
    let entrance_bytes = bytes(&server, &entrance);
    let entrance_after = tab.value("Math.round(shown.entrance)");
    log_in(&tab, "neko");
    let later = ["rooms.js", "search.js", "settings.js", "access-tokens.js", "blocks.js"];
    let inbox = files(&tab, "inbox");
    for name in later {
        assert!(!inbox.iter().any(|path| path.ends_with(name)), "{name}: {inbox:?}");
    }
    let inbox_bytes = bytes(&server, &inbox);
    for name in later {
        tab.wait(&format!(
            "performance.getEntriesByType('resource').some(it => it.name.endsWith('{name}'))"
        ));
    }
    tab.value("shown.inbox = Infinity");
    let all = files(&tab, "inbox");
    let all_bytes = bytes(&server, &all);
    // Again, with the files kept and a session.
    tab.go("about:blank");
    tab.go(&url);
    tab.wait("shown.inbox");
    let again = tab.value("Math.round(shown.inbox)");
    println!(
        "log-in: {} requests, {entrance_bytes} bytes, after {entrance_after} ms\n\
         inbox: {} requests, {inbox_bytes} bytes; with a session and kept files after {again} ms\n\
         everything: {} requests, {all_bytes} bytes",
        entrance.len(),
        inbox.len(),
        all.len(),
    );
    assert!(entrance.len() <= 14 && entrance_bytes < 24 * 1024, "{entrance:?} {entrance_bytes}");
    assert!(inbox_bytes < 50 * 1024, "{inbox:?} {inbox_bytes}");
    assert!(all_bytes < 60 * 1024, "{all:?} {all_bytes}");
    assert!(inbox.len() <= 40, "{inbox:?}");
}

#[test]
fn long_history_costs_the_page_little() {
    if !browser::is_there() {
        return;
    }
    let count = scaled(1_000, 10_000);
    let server = Server::start_with(HTTP);
    let (paff, nekos) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for number in 0..count {
        let body = format!("message {number}: the build is done, see https://ci.example/{number}");
        wire.done(format!("post {paff} {}", json!({"to": ["neko"], "body": body})));
    }
    wire.done(format!(r#"ack {nekos} {{"upto": {count}}}"#));
    let chromium = Browser::start();
    let tab = chromium.profile().open(&format!("http://{}/#/with/paff", server.http()));
    log_in(&tab, "neko");
    let newest =
        format!("message {}: the build is done, see https://ci.example/{}", count - 1, count - 1);
    tab.wait(&shows(&newest));
    let cost = |tab: &Tab<'_>| {
        tab.collect_garbage();
        (tab.metric("JSHeapUsedSize") / 1e6, tab.metric("Nodes"))
    };
    let before = cost(&tab);
    // A step of a wheel each frame, up to the first message.
    tab.value(
        "window.frames = [];
        const log = document.querySelector('.log');
        let last = performance.now();
        const step = (now) => {
            frames.push(now - last);
            last = now;
            log.scrollTop -= 400;
            const first = log.querySelector('.text')?.textContent ?? '';
            if (log.scrollTop > 0 || !first.startsWith('message 0:')) requestAnimationFrame(step);
            else window.isAtTheTop = true;
        };
        requestAnimationFrame(step);
        0",
    );
    tab.wait("window.isAtTheTop");
    let after = cost(&tab);
    let mut frames: Vec<f64> = serde_json::from_value(tab.value("frames")).unwrap();
    frames.sort_by(f64::total_cmp);
    let part = |share: f64| frames[((frames.len() - 1) as f64 * share) as usize];
    println!(
        "{count} messages scrolled: {:.1} MB, {} nodes; before {:.1} MB, {} nodes\n\
         frames: {}, median {:.1} ms, 99 % within {:.1} ms, longest {:.1} ms",
        after.0,
        after.1,
        before.0,
        before.1,
        frames.len(),
        part(0.5),
        part(0.99),
        part(1.0),
    );
    let shown = tab.value("document.querySelectorAll('.message').length").as_u64().unwrap();
    assert!(shown <= 420, "{shown} messages in the page");
    assert!(after.0 < before.0 + 20.0, "{after:?}, before {before:?}");
}

/// A page for whose timers a minute is a fifth of a second.
const HURRY: &str = "for (const name of ['setTimeout', 'setInterval']) {
        const real = window[name].bind(window);
        window[name] = (act, wait, ...rest) => real(act, wait / 300, ...rest);
    }";

#[test]
fn idle_tab_draws_nothing_and_asks_once_a_minute() {
    if !browser::is_there() {
        return;
    }
    let seconds = scaled(0, 120);
    let server = Server::start_with(HTTP);
    let (paff, nekos) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!(r#"post {paff} {{"to": ["neko"], "body": "hai"}}"#));
    // From here on nobody comes or goes: this connection stays neko's.
    wait_until("only neko is here", || {
        let users = wire.done(format!("who {nekos}"))["users"].clone();
        users.as_array().unwrap().iter().all(|one| one["user"] == "neko")
    });
    let chromium = Browser::start();
    let tab = chromium.profile().open("about:blank");
    if seconds == 0 {
        tab.run_first(HURRY);
    }
    tab.go(&format!("http://{}/#/with/paff", server.http()));
    log_in(&tab, "neko");
    tab.wait("document.querySelector('.conversations h1 .here')");
    tab.wait(&shows("hai"));
    tab.wait("document.title === 'Chat'");
    wait_until("the mark", || wire.done(format!("unread {nekos}"))["unread"] == 0);
    // Counts how often it asks who is here. Whatever else it asks for, and whatever it draws, begins
    // the count again: the news of the mark may come late.
    tab.value(
        "window.asked = 0;
        const send = window.fetch;
        window.fetch = (path, ...rest) => {
            asked = path === '/api/v1/who' ? asked + 1 : 0;
            return send(path, ...rest);
        };
        new MutationObserver(() => { asked = 0; })
            .observe(document, { childList: true, subtree: true, attributes: true });
        0",
    );
    let (cpu, begun) = (tab.metric("TaskDuration"), Instant::now());
    for _ in 0..seconds {
        tab.value("new Promise((done) => setTimeout(done, 1000))");
    }
    let used = tab.metric("TaskDuration") - cpu;
    let passed = begun.elapsed().as_secs_f64();
    tab.wait(if seconds == 0 { "asked >= 3" } else { "asked >= 1" });
    println!("idle for {passed:.0} s: {:.1} ms of a processor", used * 1000.0);
}

#[test]
fn invited_person_has_written_a_first_message_within_a_minute() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    let url = format!("http://{}", server.http());
    let chromium = Browser::start();
    let tab = chromium.profile().open("about:blank");
    let begun = Instant::now();
    let invited =
        operator::objects(&server.database(), &["invite", "--name", "mia", "--url", &url]);
    tab.go(invited[0]["link"].as_str().unwrap());
    for field in ["password", "again"] {
        tab.fill(&format!("[name={field}]"), "own password");
    }
    tab.press("Enter");
    tab.click(".conversations a[href='#/with/paff']");
    write(&tab, "hai, I am new");
    wait_until("the message", || server.connect().done(format!("unread {paff}"))["unread"] == 1);
    let passed = begun.elapsed();
    println!("from the invitation to the first message: {:.1} s", passed.as_secs_f64());
    // A busy machine decides nothing.
    if scaled(0, 1) == 1 {
        assert!(passed.as_secs() < 60, "{passed:?}");
    }
}
