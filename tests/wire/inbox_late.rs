//! The inbox in the browser: answers that come late, when the reader is elsewhere already. The tests
//! hold an answer back until what makes it old has happened.

use serde_json::{Value, json};

use super::inbox_page::{HTTP, log_in, open_dialog, shows, texts, write};
use crate::support::relay::Relay;
use crate::support::tab::{Browser, Tab};
use crate::support::{Server, browser, operator};

/// Holds back the answers to requests whose path ends so, from now on.
fn hold(tab: &Tab<'_>, path: &str) {
    tab.value(&format!(
        "{{ window.heldPath = {}; window.held ??= []; window.ask ??= window.fetch; \
         window.fetch = async (...what) => {{ const answer = await window.ask(...what); \
         if (!window.heldPath || !String(what[0]).endsWith(window.heldPath)) return answer; \
         const read = await answer.json(); answer.json = async () => read; \
         await new Promise((go) => window.held.push(go)); return answer; }}; }}",
        json!(path)
    ));
}

/// Waits until so many answers are held, and holds no others.
fn is_held(tab: &Tab<'_>, count: usize) {
    tab.wait(&format!("window.held.length === {count}"));
    tab.value("window.heldPath = ''; 0");
}

/// Lets the held answers go, and waits until the page has done with them and is drawn.
fn let_go(tab: &Tab<'_>) {
    tab.value("window.held.splice(0).forEach((go) => go()); 0");
    for _ in 0..2 {
        tab.value("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))");
    }
}

/// Loads modules of the page, and runs a script with them: `load(NAME)`.
fn run(tab: &Tab<'_>, script: &str) -> Value {
    tab.value(&format!(
        "(async () => {{ const address = document.querySelector('script').src; \
         const load = (name) => import(address.replace('app.js', name)); {script} }})()"
    ))
}

/// The log-in.
fn entrance<'a>(server: &Server, chromium: &'a Browser) -> Tab<'a> {
    let tab = chromium.profile().open(&format!("http://{}/", server.http()));
    tab.wait("document.querySelector('.log-in')");
    tab
}

/// The page of neko.
fn page<'a>(server: &Server, chromium: &'a Browser) -> Tab<'a> {
    let tab = entrance(server, chromium);
    log_in(&tab, "neko");
    tab
}

/// Goes to a place of the page, which is behind the `#`.
fn go(tab: &Tab<'_>, place: &str) {
    tab.value(&format!("location.hash = {}", json!(place)));
}

/// Presses the button of a dialog that has this text.
fn press_button(tab: &Tab<'_>, text: &str) {
    let found = format!(
        "[...document.querySelectorAll('dialog button')].find(it => it.textContent === '{text}')"
    );
    tab.wait(&found);
    tab.value(&format!("{found}.click()"));
}

#[test]
fn changes_that_come_in_another_order_leave_the_newest_text() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let chromium = Browser::start();
    let tab = entrance(&server, &chromium);
    let found = run(
        &tab,
        "const { Inbox } = await load('inbox.js');
        window.fetch = async () => new Response('{\"status\": \"OK\", \"messages\": [], \
            \"more\": false, \"conversations\": []}');
        const inbox = new Inbox('neko');
        const at = new Date().toISOString();
        const message = (id, body) => ({ id, at, from: 'paff', to: 'neko', body });
        const newest = () => inbox.conversations.get('paff')?.newest?.body ?? null;
        const found = [];
        inbox.take(message(10, 'as it was'));
        // The answer to the reader's own edit comes after a later edit.
        inbox.amend({ id: 10, change: 13, at, body: 'second' });
        inbox.amend({ id: 10, change: 12, at, body: 'first' });
        found.push(newest());
        // What was asked for before its edit has the old text.
        inbox.amend({ id: 11, change: 14, at, body: 'edited' });
        inbox.take(message(11, 'as it was'));
        found.push(newest());
        // An edit that comes after the deletion brings nothing back, nor does the message itself.
        inbox.take(message(15, 'a secret'));
        inbox.amend({ id: 15, change: 17, at });
        inbox.amend({ id: 15, change: 16, at, body: 'a secret, edited' });
        found.push(newest());
        inbox.amend({ id: 18, change: 19, at });
        inbox.take(message(18, 'another secret'));
        found.push(newest());
        return found;",
    );
    assert_eq!(found, json!(["second", "edited", "", ""]));
}

/// What is deleted is not shown, also if nobody says what is the newest message then.
#[test]
fn deletion_after_the_list_and_before_the_stream_is_seen() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    let mut post = |body: &str| {
        let post = json!({"to": ["neko"], "body": body});
        wire.done(format!("post {paff} {post}"))["id"].clone()
    };
    post("hai");
    let secret = post("a secret");
    let chromium = Browser::start();
    let neko = entrance(&server, &chromium);
    hold(&neko, "/conversations");
    neko.fill("[name=username]", "neko");
    neko.fill("[name=password]", "cytus");
    neko.press("Enter");
    is_held(&neko, 1);
    server.connect().done(format!(r#"delete {paff} {{"id": {secret}}}"#));
    let_go(&neko);
    neko.wait("document.querySelector('.preview').textContent === 'hai'");
}

#[test]
fn preview_of_a_deleted_message_is_gone_also_while_the_server_is_away() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    let mut post = |body: &str| {
        let post = json!({"to": ["neko"], "body": body, "title": body});
        wire.done(format!("post {paff} {post}"))["id"].clone()
    };
    post("hai");
    let chromium = Browser::start();
    let neko = page(&server, &chromium);
    neko.wait("document.querySelector('.preview').textContent === 'hai'");
    // It arrives by the stream, which is there then.
    let secret = post("a secret");
    neko.wait("document.querySelector('.preview').textContent === 'a secret'");
    neko.value(
        "window.ask = fetch; window.fetch = () => Promise.reject(new TypeError('no network')); 0",
    );
    server.connect().done(format!(r#"delete {paff} {{"id": {secret}}}"#));
    neko.wait("document.querySelector('.preview').textContent === ''");
    // The stream was not away. The page asks again all the same.
    neko.value("window.fetch = window.ask; 0");
    neko.wait("document.querySelector('.preview').textContent === 'hai'");
}

#[test]
fn own_messages_are_not_unread_and_what_is_unread_may_be_deleted_behind_them() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let (paff, nekos) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let mut post = |token: &str, to: &str, body: &str| {
        let post = json!({"to": [to], "body": body});
        wire.done(format!("post {token} {post}"))["id"].clone()
    };
    let chromium = Browser::start();
    let neko = page(&server, &chromium);
    neko.value("document.hasFocus = () => false; 0");
    // Only rooms have mentions, and only a message to oneself is unread.
    let first = post(&paff, "neko", "hai @neko");
    let second = post(&paff, "neko", "are you there?");
    neko.wait("document.title === '(2) Chat'");
    post(&nekos, "paff", "sent elsewhere");
    neko.wait("document.querySelector('.preview').textContent === 'sent elsewhere'");
    assert_eq!(neko.value("document.title"), "(2) Chat");
    assert_eq!(neko.value("document.querySelectorAll('.mention').length"), 0);
    for (gone, left) in [(second, "(1) Chat"), (first, "Chat")] {
        server.connect().done(format!(r#"delete {paff} {{"id": {gone}}}"#));
        neko.wait(&format!("document.title === '{left}'"));
    }
    post(&nekos, "neko", "a note");
    neko.wait("document.title === '(1) Chat'");
}

#[test]
fn numbers_that_were_counted_before_the_reader_has_read_count_no_more() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let chromium = Browser::start();
    let tab = entrance(&server, &chromium);
    let found = run(
        &tab,
        "const { Inbox } = await load('inbox.js');
        const at = new Date().toISOString();
        const last = { id: 10, at, from: 'paff', to: 'neko', body: 'hai' };
        const answers = [];
        let unread = 1;
        window.fetch = (path) => new Promise((done) => {
            const conversations = [{ with: 'paff', last, unread, mentions: 0, upto: 10 - unread }];
            const reply = { status: 'OK', conversations, more: false, upto: 10 };
            answers.push(() => done(new Response(JSON.stringify(reply))));
        });
        const pause = () => new Promise((done) => setTimeout(done, 20));
        const inbox = new Inbox('neko');
        inbox.take(last);
        // It was asked for, then the message is read elsewhere, then the answer comes.
        const asked = inbox.back();
        await pause();
        unread = 0;
        await inbox.readElsewhere('paff', 10);
        const found = [inbox.unread];
        answers.splice(0).forEach((go) => go());
        await pause();
        answers.splice(0).forEach((go) => go());
        await asked;
        found.push(inbox.unread);
        // Two questions whose answers come in another order.
        unread = 1;
        const first = inbox.back();
        await pause();
        unread = 0;
        const second = inbox.back();
        await pause();
        answers.splice(0).reverse().forEach((go) => go());
        await Promise.all([first, second]);
        found.push(inbox.unread);
        return found;",
    );
    assert_eq!(found, json!([0, 0, 0]));
}

#[test]
fn page_that_comes_late_has_what_was_changed_meanwhile() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    let ids = ["one", "two", "three"].map(|body| {
        let post = json!({"to": ["neko"], "body": body});
        server.connect().done(format!("post {paff} {post}"))["id"].as_i64().unwrap()
    });
    let chromium = Browser::start();
    let neko = page(&server, &chromium);
    hold(&neko, "/fetch");
    go(&neko, "#/with/paff");
    is_held(&neko, 1);
    let edit = json!({"id": ids[2], "body": "three, edited"});
    server.connect().done(format!(r#"delete {paff} {{"id": {}}}"#, ids[0]));
    server.connect().done(format!("edit {paff} {edit}"));
    neko.wait("document.querySelector('.preview').textContent === 'three, edited'");
    let_go(&neko);
    neko.wait(&shows("three, edited"));
    assert_eq!(texts(&neko), ["two", "three, edited"]);
    assert_eq!(chromium.complaints(), [""; 0]);
}

#[test]
fn edit_of_a_message_that_is_deleted_meanwhile_ends_and_leaves_the_draft() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let token = server.log_in("neko");
    let post = r#"{"to": ["paff"], "body": "a secret"}"#;
    let id = server.connect().done(format!("post {token} {post}"))["id"].clone();
    let chromium = Browser::start();
    let neko = page(&server, &chromium);
    go(&neko, "#/with/paff");
    neko.wait(&shows("a secret"));
    neko.fill(".write-box textarea", "a draft");
    neko.click(".message .acts button:nth-of-type(2)");
    let in_box = "document.querySelector('.write-box textarea').value";
    assert_eq!(neko.value(in_box), "a secret");
    hold(&neko, "/edit");
    write(&neko, "an edited secret");
    is_held(&neko, 1);
    server.connect().done(format!(r#"delete {token} {{"id": {id}}}"#));
    neko.wait(&format!("{in_box} === 'a draft'"));
    neko.wait("document.querySelector('.write-box .problem').textContent.includes('deleted')");
    // The answer to the edit brings nothing back.
    let_go(&neko);
    assert_eq!(neko.value("document.body.textContent.includes('secret')"), false);
    assert_eq!(neko.value(in_box), "a draft");
}

/// The stream tells the author of changes only while it is there.
#[test]
fn author_who_was_away_sees_what_became_of_their_own_messages() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let relay = Relay::to(server.http());
    let paff = server.log_in("paff");
    let url = format!("http://{}/", relay.address());
    let chromium = Browser::start();
    let profile = chromium.profile();
    let tab = profile.open(&format!("{url}#/with/neko"));
    log_in(&tab, "paff");
    for text in ["one", "two", "three"] {
        write(&tab, text);
        tab.wait(&shows(text));
    }
    tab.wait("!document.querySelector('.waits')");
    let list = profile.open(&url);
    list.wait("document.querySelector('.conversations a')");
    let fetched = server.connect().done(format!(r#"fetch {paff} {{"with": "neko"}}"#));
    let id = |number: usize| fetched["messages"][number]["id"].clone();
    relay.close();
    tab.wait("document.querySelector('.offline').textContent !== ''");
    let edit = json!({"id": id(0), "body": "one, edited"});
    server.connect().done(format!("edit {paff} {edit}"));
    for gone in [1, 2] {
        server.connect().done(format!(r#"delete {paff} {{"id": {}}}"#, id(gone)));
    }
    relay.open();
    tab.wait(&shows("one, edited"));
    tab.wait("document.querySelectorAll('.log .message').length === 1");
    tab.wait("document.querySelector('.conversations .preview').textContent === 'one, edited'");
}

#[test]
fn deleted_text_stays_in_no_search_notification_or_box() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    let post = |body: &str| {
        let post = json!({"to": ["neko"], "body": body});
        server.connect().done(format!("post {paff} {post}"))["id"].as_i64().unwrap()
    };
    let delete = |id: i64| {
        server.connect().done(format!(r#"delete {paff} {{"id": {id}}}"#));
    };
    let secret = post("a zeppelin");
    let chromium = Browser::start();
    let neko = page(&server, &chromium);
    // It arrives by the stream, which is there then.
    let kept = post("the zeppelin lands");
    let newest = "document.querySelector('.conversations .preview').textContent";
    neko.wait(&format!("{newest} === 'the zeppelin lands'"));
    go(&neko, "#/search/zeppelin");
    neko.wait("document.querySelectorAll('.results a').length === 2");
    let edit = json!({"id": kept, "body": "it lands"});
    server.connect().done(format!("edit {paff} {edit}"));
    delete(secret);
    let results = "[...document.querySelectorAll('.results .preview')].map(it => it.textContent)";
    neko.wait(&format!("JSON.stringify({results}) === '[\"it lands\"]'"));
    // An answer that was on its way.
    let late = post("a late zeppelin");
    hold(&neko, "/search");
    neko.fill(".search input", "late");
    neko.press("Enter");
    is_held(&neko, 1);
    delete(late);
    neko.wait("document.querySelector('.conversations .preview').textContent === 'it lands'");
    let_go(&neko);
    neko.wait("document.querySelector('.search [role=status]').textContent.includes('Nothing')");

    // The message that is answered, what a screen reader has heard, and what the desktop shows.
    neko.value(
        "localStorage.setItem('notices', 'yes');
        document.hasFocus = () => false;
        window.notices = new Map();
        window.Notification = class {
            static permission = 'granted';
            constructor(title, { body }) { notices.set(this, body); }
            close() { notices.delete(this); }
        };
        0",
    );
    go(&neko, "#/with/paff");
    neko.wait(&shows("it lands"));
    let gone = post("another secret");
    neko.wait(&shows("another secret"));
    neko.wait("[...notices.values()].join() === 'another secret'");
    neko.click(&format!("[data-id='{gone}'] .acts button"));
    neko.wait("document.querySelector('.answered').textContent.includes('secret')");
    delete(gone);
    neko.wait("document.querySelector('.answered').hidden");
    neko.wait("notices.size === 0");
    neko.wait("document.querySelector('.write-box .problem').textContent.includes('deleted')");
    assert_eq!(neko.value("document.body.textContent.includes('secret')"), false);
    assert_eq!(chromium.complaints(), [""; 0]);
}

#[test]
fn older_results_are_those_of_the_query_that_was_asked() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    for number in 0..60 {
        wire.done(format!(r#"post {paff} {{"to": ["neko"], "body": "apple {number}"}}"#));
        wire.done(format!(r#"post {paff} {{"to": ["neko"], "body": "pear {number}"}}"#));
    }
    let chromium = Browser::start();
    let neko = page(&server, &chromium);
    go(&neko, "#/search/apple");
    neko.wait("document.querySelector('.results .more')");
    neko.fill(".search input", "pear");
    neko.click(".results .more button");
    neko.wait("document.querySelectorAll('.results a').length === 60");
    let pears = "[...document.querySelectorAll('.results .preview')].filter(it => \
        it.textContent.startsWith('pear')).length";
    assert_eq!(neko.value(pears), 0);
}

#[test]
fn answer_for_a_dialog_that_was_closed_leads_nowhere() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let [paffs, nekos] = ["paff", "neko"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    for room in ["#build", "#lunch"] {
        wire.done(format!(r#"room_create {paffs} {{"room": "{room}"}}"#));
    }
    wire.done(format!(r##"room_join {nekos} {{"room": "#lunch"}}"##));
    let chromium = Browser::start();
    let neko = page(&server, &chromium);
    let is_there = |room: &str| {
        format!(
            "[...document.querySelectorAll('.conversations a')].some(it => \
             it.textContent.startsWith('{room}'))"
        )
    };
    // The reader joins a room, and looks at something else before the answer comes.
    open_dialog(&neko, ".conversations header button:nth-of-type(2)");
    hold(&neko, "/room_join");
    press_button(&neko, "Join");
    is_held(&neko, 1);
    neko.press("Escape");
    neko.wait("!document.querySelector('dialog')");
    go(&neko, "#/with/paff");
    neko.wait("document.querySelector('.conversation h1')?.textContent === 'paff'");
    let_go(&neko);
    neko.wait(&is_there("#build"));
    assert_eq!(neko.value("location.hash"), "#/with/paff");
    // The same with leaving one.
    go(&neko, "#/with/%23lunch");
    neko.wait("document.querySelector('.conversation h1')?.textContent === '#lunch'");
    open_dialog(&neko, ".conversation > header button:last-child");
    hold(&neko, "/room_leave");
    press_button(&neko, "Leave the room");
    is_held(&neko, 1);
    neko.press("Escape");
    neko.wait("!document.querySelector('dialog')");
    go(&neko, "#/with/paff");
    neko.wait("document.querySelector('.conversation h1')?.textContent === 'paff'");
    let_go(&neko);
    neko.wait(&format!("!{}", is_there("#lunch")));
    assert_eq!(neko.value("location.hash"), "#/with/paff");
    assert_eq!(chromium.complaints(), [""; 0]);
}

#[test]
fn room_that_is_joined_again_elsewhere_comes_back() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let [paffs, nekos] = ["paff", "neko"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paffs} {{"room": "#build"}}"##));
    wire.done(format!(r##"room_join {nekos} {{"room": "#build"}}"##));
    let chromium = Browser::start();
    let neko = page(&server, &chromium);
    go(&neko, "#/with/%23build");
    open_dialog(&neko, ".conversation > header button:last-child");
    press_button(&neko, "Leave the room");
    let is_there = "[...document.querySelectorAll('.conversations a')].some(it => \
        it.textContent.startsWith('#build'))";
    neko.wait(&format!("!({is_there})"));
    wire.done(format!(r##"room_join {nekos} {{"room": "#build"}}"##));
    wire.done(format!(r##"post {paffs} {{"to": ["#build"], "body": "hai again"}}"##));
    neko.wait(is_there);
    neko.wait("document.querySelector('.conversations .preview').textContent === 'hai again'");
}

#[test]
fn late_refusal_of_an_ended_session_does_not_end_the_next_one() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let chromium = Browser::start();
    let neko = page(&server, &chromium);
    let other = server.log_in("neko");
    let sessions = server.connect().done(format!("sessions {other}"))["sessions"].clone();
    let of_the_page = sessions.as_array().unwrap().iter().find(|one| one["current"] != true);
    // The page asks for nothing else before the search. Its stream ends, and it would learn why.
    neko.value(
        "{ const ask = window.fetch; window.fetch = async (...what) => { \
         while (!window.isFree && !String(what[0]).endsWith('/search')) \
         await new Promise((done) => setTimeout(done, 20)); return ask(...what); }; }",
    );
    hold(&neko, "/search");
    let revoke = format!(r#"revoke {other} {{"session": {}}}"#, of_the_page.unwrap()["id"]);
    server.connect().done(revoke);
    go(&neko, "#/search/hai");
    is_held(&neko, 1);
    neko.value("window.isFree = true; 0");
    neko.wait("document.querySelector('.log-in .problem')?.textContent.includes('has ended')");
    log_in(&neko, "neko");
    let_go(&neko);
    assert_eq!(neko.value("Boolean(document.querySelector('.log-in'))"), false);
    neko.wait("document.querySelector('.conversations a')");
}

#[test]
fn log_out_that_is_asked_for_twice_does_not_end_the_next_session() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let chromium = Browser::start();
    let neko = page(&server, &chromium);
    go(&neko, "#/with/paff");
    neko.wait("document.querySelector('.conversation h1')");
    open_dialog(&neko, ".conversations header button:nth-of-type(3)");
    hold(&neko, "/page/session");
    neko.click("dialog > .line button");
    is_held(&neko, 1);
    neko.click("dialog > .line button");
    neko.wait("document.querySelector('.log-in')");
    // The next user does not see which conversation was open.
    assert_eq!(neko.value("location.hash"), "#/");
    log_in(&neko, "neko");
    let_go(&neko);
    assert_eq!(neko.value("Boolean(document.querySelector('.log-in'))"), false);
}

#[test]
fn stream_of_a_page_that_has_ended_does_not_begin_again() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let chromium = Browser::start();
    let tab = entrance(&server, &chromium);
    let begun = run(
        &tab,
        "const { Live } = await load('live.js');
        const sources = [];
        window.EventSource = class extends EventTarget {
            static CLOSED = 2;
            readyState = 2;
            constructor() { super(); sources.push(this); }
            close() {}
        };
        let answer;
        const asked = new Promise((go) => {
            window.fetch = () => { go(); return new Promise((done) => { answer = done; }); };
        });
        const live = new Live({ place: 0 }, () => {});
        live.start();
        sources[0].dispatchEvent(new Event('error'));
        document.dispatchEvent(new Event('visibilitychange'));
        await asked;
        live.end();
        answer(new Response('{\"status\": \"OK\"}'));
        await new Promise((done) => setTimeout(done, 50));
        return sources.length;",
    );
    assert_eq!(begun, 1);
}

#[test]
fn form_is_that_of_the_invitation_that_was_opened_last() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let url = format!("http://{}", server.http());
    let invite = |name: &str| {
        let words = ["invite", "--name", name, "--url", &url];
        let invited = operator::objects(&server.database(), &words);
        invited[0]["link"].as_str().unwrap().to_owned()
    };
    let (first, second) = (invite("mia"), invite("leo"));
    let chromium = Browser::start();
    let tab = chromium.profile().open(&url);
    tab.wait("document.querySelector('.log-in')");
    hold(&tab, "/invitation");
    tab.go(&first);
    is_held(&tab, 1);
    tab.go(&second);
    let name = "document.querySelector('[name=again]') && \
        document.querySelector('[name=username]').value";
    tab.wait(&format!("{name} === 'leo'"));
    let_go(&tab);
    assert_eq!(tab.value(name), "leo");
}

#[test]
fn settings_are_changed_only_once_they_are_known() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let neko = server.log_in("neko");
    server.connect().done(format!(r#"settings {neko} {{"status_text": "at lunch"}}"#));
    let chromium = Browser::start();
    let tab = page(&server, &chromium);
    hold(&tab, "/settings");
    open_dialog(&tab, ".conversations header button:nth-of-type(3)");
    is_held(&tab, 1);
    assert_eq!(tab.value("document.querySelector('dialog .field input').disabled"), true);
    let_go(&tab);
    tab.wait("document.querySelector('dialog .field input').value === 'at lunch'");
    assert_eq!(tab.value("document.querySelector('dialog .field input').disabled"), false);
}
