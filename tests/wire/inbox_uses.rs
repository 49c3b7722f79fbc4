//! The inbox in the browser: rooms, search, sessions, the language, and the prompt beside it.

use serde_json::{Value, json};

use super::inbox_page::{HTTP, log_in, open_dialog, shows, texts, write};
use crate::support::cli::Home;
use crate::support::relay::Relay;
use crate::support::tab::{Browser, Tab};
use crate::support::{Server, browser, operator, wait_until};

#[test]
fn what_the_prompt_reads_and_sends_shows_in_every_tab() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let (neko, paff) = (Home::of("neko", server.address()), Home::of("paff", server.address()));
    let chromium = Browser::start();
    let profile = chromium.profile();
    let url = format!("http://{}/", server.http());
    let one = profile.open(&url);
    log_in(&one, "neko");
    let other = profile.open(&format!("{url}#/with/vanessa"));
    other.wait("document.querySelector('.conversation')");
    for text in ["hai", "are you there?"] {
        assert_eq!(paff.run(["send", "neko", text]).code, 0);
    }
    for tab in [&one, &other] {
        tab.wait("document.title === '(2) Chat'");
    }
    let read = neko.run(["inbox"]);
    assert!(read.stdout.contains("are you there?"), "{read:?}");
    for tab in [&one, &other] {
        tab.wait("document.title === 'Chat'");
    }
    one.go(&format!("{url}#/with/paff"));
    one.wait(&shows("are you there?"));
    assert_eq!(neko.run(["send", "paff", "from the prompt"]).code, 0);
    one.wait(&shows("from the prompt"));
    write(&one, "from the page");
    one.wait(&shows("from the page"));
    one.wait("!document.querySelector('.waits')");
    let inbox = paff.run(["inbox"]);
    for text in ["from the prompt", "from the page"] {
        assert!(inbox.stdout.contains(text), "{inbox:?}");
    }
    assert_eq!(chromium.complaints(), [""; 0]);
}

#[test]
fn room_is_made_joined_changed_and_left() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let chromium = Browser::start();
    let url = format!("http://{}/", server.http());
    let (one, other) = (chromium.profile(), chromium.profile());
    let (paff, neko) = (one.open(&url), other.open(&url));
    log_in(&paff, "paff");
    log_in(&neko, "neko");
    paff.click(".conversations header button:nth-of-type(2)");
    paff.fill("dialog form input", "Build");
    paff.fill("dialog form .field:nth-of-type(2) input", "Builds");
    paff.press("Enter");
    paff.wait("document.querySelector('.conversation h1')?.textContent === '#build'");
    write(&paff, "the first");
    paff.wait(&shows("the first"));
    open_dialog(&neko, ".conversations header button:nth-of-type(2)");
    neko.click("dialog .rows button");
    neko.wait(&shows("the first"));
    write(&neko, "hai @paff");
    paff.wait(&shows("hai @paff"));
    // The owner makes neko a moderator, who changes the topic.
    open_dialog(&paff, ".conversation > header button:last-child");
    paff.value(
        "{ const it = document.querySelector('dialog [aria-label=\"Role of neko\"]'); \
         it.value = 'moderator'; it.dispatchEvent(new Event('change')); }",
    );
    let paffs = server.log_in("paff");
    let member = |user: &str| {
        let list = server.connect().done(format!(r##"room_members {paffs} {{"room": "#build"}}"##));
        let members = list["members"].as_array().unwrap().clone();
        members
            .into_iter()
            .find(|one| one["user"] == user)
            .map_or(Value::Null, |one| one["role"].clone())
    };
    wait_until("a moderator", || member("neko") == "moderator");
    open_dialog(&neko, ".conversation > header button:last-child");
    neko.wait("document.querySelector('dialog .field input').value === 'Builds'");
    // What the page asks for after the change comes late, when the room is left already.
    neko.value(
        "{ const ask = fetch; window.late = []; window.fetch = async (...what) => { \
         const answer = await ask(...what); \
         if (!`${what[0]}`.endsWith('/room_members')) return answer; \
         const read = await answer.json(); answer.json = async () => read; \
         await new Promise((go) => window.late.push(go)); return answer; }; }",
    );
    neko.fill("dialog .field input", "Builds and more");
    neko.press("Tab");
    let topic = || {
        server.connect().done(format!(r##"room {paffs} {{"room": "#build"}}"##))["topic"].clone()
    };
    wait_until("a topic", || topic() == "Builds and more");
    neko.wait("window.late.length === 1");
    // It leaves, and the room is gone from the list.
    neko.wait(
        "[...document.querySelectorAll('dialog button')].some(it => it.textContent === \
        'Leave the room')",
    );
    neko.value(
        "[...document.querySelectorAll('dialog button')].find(it => it.textContent === \
         'Leave the room').click()",
    );
    neko.wait("!document.querySelector('dialog')");
    neko.value("window.late.forEach((go) => go())");
    // The list is drawn anew in the frame after.
    neko.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    neko.wait(
        "![...document.querySelectorAll('.conversations a')].some(it => \
        it.textContent.startsWith('#build'))",
    );
    assert_eq!(member("neko"), Value::Null);
    assert_eq!(chromium.complaints(), [""; 0]);
}

#[test]
fn room_of_everybody_has_no_way_out() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let operate = |words: &[&str]| operator::done(&server.database(), words);
    operate(&["room", "everybody"]);
    operate(&["room", "add", "all", "paff", "--role", "owner"]);
    let paff = Home::of("paff", server.address());
    assert_eq!(paff.run(["send", "@all", "maintenance at 17:00"]).code, 0);
    let chromium = Browser::start();
    let profile = chromium.profile();
    let tab = profile.open(&format!("http://{}/", server.http()));
    log_in(&tab, "paff");
    tab.go(&format!("http://{}/#/with/%23all", server.http()));
    tab.wait(&shows("maintenance at 17:00"));
    open_dialog(&tab, ".conversation > header button:last-child");
    // An owner sets roles, and neither leaves, nor removes, hides or archives.
    tab.wait("document.querySelector('dialog [aria-label=\"Role of neko\"]')");
    for text in ["Leave the room", "Archive", "Remove", "Invite"] {
        let found = format!(
            "[...document.querySelectorAll('dialog button')].some(it => \
             it.textContent.startsWith('{text}'))"
        );
        assert_eq!(tab.value(&found), json!(false), "{text}");
    }
    assert_eq!(tab.value("!document.querySelector('dialog input[type=checkbox]')"), json!(true));
    assert_eq!(chromium.complaints(), [""; 0]);
}

#[test]
fn result_of_a_search_leads_to_its_place() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let count = 200;
    for number in 0..count {
        let body =
            if number == 60 { "where is the zeppelin?".to_owned() } else { number.to_string() };
        wire.done(format!("post {paff} {}", json!({"to": ["neko"], "body": body})));
    }
    wire.done(format!(r#"ack {neko} {{"upto": {count}}}"#));
    let chromium = Browser::start();
    let url = format!("http://{}/", server.http());
    let tab = chromium.profile().open(&url);
    log_in(&tab, "neko");
    tab.click(".conversations header button:nth-of-type(1)");
    tab.fill(".search input", "zeppelin");
    tab.press("Enter");
    tab.wait("document.querySelector('.results mark')?.textContent === 'zeppelin'");
    tab.click(".results a");
    tab.wait(
        "document.querySelector('.message.found .text')?.textContent === 'where is the zeppelin?'",
    );
    let is_in_sight = "(() => { const { top, bottom } = document.querySelector('.found')\
        .getBoundingClientRect(); return top >= 0 && bottom <= innerHeight; })()";
    tab.wait(is_in_sight);
    let around = texts(&tab);
    assert!(around.contains(&"59".to_owned()) && around.contains(&"61".to_owned()), "{around:?}");
    // The later ones come as one scrolls.
    let down = "(document.querySelector('.log').scrollTop = 1e6, [...document.querySelectorAll\
        ('.log .text')].some(it => it.textContent === '199'))";
    tab.wait(down);
    assert_eq!(chromium.complaints(), [""; 0]);
}

#[test]
fn session_is_ended_from_another_one_and_the_language_is_changed() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let chromium = Browser::start();
    let url = format!("http://{}/#/with/paff", server.http());
    let (one, other) = (chromium.profile(), chromium.profile());
    let (here, there) = (one.open(&url), other.open(&url));
    log_in(&there, "neko");
    there.fill(".write-box textarea", "half a mess");
    log_in(&here, "neko");
    open_settings(&here);
    here.wait("document.querySelectorAll('dialog > .rows li').length === 2");
    here.click("dialog > .rows button");
    here.wait("document.querySelectorAll('dialog > .rows li').length === 1");
    there.wait("document.querySelector('.log-in .problem').textContent.includes('has ended')");
    log_in(&there, "neko");
    there.wait("document.querySelector('.write-box textarea').value === 'half a mess'");
    // The page begins anew, in the other language.
    here.value(
        "{ const it = document.querySelectorAll('dialog > .field select')[1]; \
         it.value = 'id'; it.dispatchEvent(new Event('change')); }",
    );
    here.wait("document.querySelector('.conversations header').textContent.includes('Pengaturan')");
    assert_eq!(here.value("document.documentElement.lang"), "id");
    here.wait("document.querySelector('.write-box button').textContent === 'Kirim'");
}

fn open_settings(tab: &Tab<'_>) {
    open_dialog(tab, ".conversations header button:nth-of-type(3)");
}

#[test]
fn page_is_installable_and_opens_without_the_server() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let relay = Relay::to(server.http());
    let url = format!("http://{}/", relay.address());
    let chromium = Browser::start();
    let tab = chromium.profile().open(&url);
    log_in(&tab, "neko");
    assert_eq!(tab.bars_to_installation(), [""; 0]);
    // The worker has kept everything once the page is used the second time.
    tab.wait("navigator.serviceWorker.controller");
    tab.go("about:blank");
    tab.go(&url);
    tab.wait("document.querySelector('.conversations a')");
    let page = "caches.open('page').then(it => it.keys()).then(it => it.length)";
    wait_until("the page is kept", || tab.value(page) == 1);
    let kept = "caches.keys().then(async (names) => (await Promise.all(names.map(async (name) => \
        (await (await caches.open(name)).keys()).map(it => it.url)))).flat()\
        .filter(it => /(settings|rooms|search|inbox-view).js/.test(it)).length)";
    wait_until("the files are kept", || tab.value(kept) == 4);
    relay.close();
    tab.go("about:blank");
    tab.go(&url);
    tab.wait("document.querySelector('.entrance [role=alert]')?.textContent.includes('cannot be')");
    relay.open();
    tab.click(".entrance button");
    tab.wait("document.querySelector('.conversations a')");
    // A part that was never used is there without the server, too.
    relay.close();
    tab.click(".conversations header button:nth-of-type(3)");
    tab.wait("document.querySelector('dialog select')");
}

/// The page counts a message until it expires, whether it came while the page was open or before.
#[test]
fn message_that_expires_is_marked_and_counts_no_more() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let (token, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let mut send = |body: &str, expires_in: Option<u64>| {
        let mut fields = json!({"to": ["neko"], "body": body});
        fields
            .as_object_mut()
            .unwrap()
            .extend(expires_in.map(|it| ("expires_in".to_owned(), it.into())));
        wire.done(format!("post {token} {fields}"));
    };
    let mut other = server.connect();
    let mut wait_for_two = || {
        wait_until("it expires", || other.done(format!("unread {neko}"))["unread"] == 2);
    };
    let chromium = Browser::start();
    let profile = chromium.profile();
    let url = format!("http://{}/", server.http());
    let tab = profile.open(&format!("{url}#/with/vanessa"));
    log_in(&tab, "neko");
    send("hai", None);
    send("later", Some(86_400));
    tab.wait("document.title === '(2) Chat'");
    send("cake, while it lasts", Some(4));
    tab.wait("document.body.textContent.includes('cake, while it lasts')");
    wait_for_two();
    tab.wait("document.title === '(2) Chat'");
    // One that was there before the page was.
    send("more cake", Some(6));
    let second = profile.open(&format!("{url}#/with/vanessa"));
    second.wait("document.body.textContent.includes('more cake')");
    wait_for_two();
    second.wait("document.title === '(2) Chat'");
    tab.wait("document.title === '(2) Chat'");
    tab.go(&format!("{url}#/with/paff"));
    tab.wait(&shows("cake, while it lasts"));
    let marks = "[...document.querySelectorAll('.log .expires')].map(it => it.textContent)";
    let marks: Vec<String> = serde_json::from_value(tab.value(marks)).unwrap();
    assert!(marks[0].starts_with("until "), "{marks:?}");
    assert_eq!(marks[1..], ["expired", "expired"]);
    assert_eq!(chromium.complaints(), [""; 0]);
}
