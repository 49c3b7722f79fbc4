//! The inbox in the browser: who is online, what they say they do, whom one
//! blocks, and one's access tokens.

use serde_json::{Value, json};

use super::inbox_page::{HTTP, log_in, open_dialog, shows, texts, write};
use crate::support::http::send;
use crate::support::tab::{Browser, Tab};
use crate::support::{Server, browser};

/// What stands beside the name of a user in the list.
fn beside(user: &str) -> String {
    format!(
        "[...document.querySelectorAll('.conversations li')].find(it => it.querySelector('a')\
        ?.hash === '#/with/{user}').querySelector('.here')?.parentNode.textContent"
    )
}

/// The window gets the focus, as if its reader were back.
fn look_at(tab: &Tab<'_>) {
    tab.value("window.dispatchEvent(new Event('focus'))");
}

#[test]
fn who_is_online_is_shown_with_what_they_do_but_not_who_is_unseen() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    let chromium = Browser::start();
    let neko = chromium.profile().open(&format!("http://{}/", server.http()));
    log_in(&neko, "neko");
    // Neko's own stream.
    neko.wait("document.querySelector('.conversations h1 .here')");
    assert_eq!(neko.value(&format!("{} ?? null", beside("paff"))), Value::Null);

    let mut stream = server.connect();
    stream.done(format!(r#"settings {paff} {{"status_text": "at lunch"}}"#));
    stream.done(format!(r#"watch {paff} {{"from": "new"}}"#));
    // A message shows that its sender is here.
    let mut wire = server.connect();
    wire.done(format!(r#"post {paff} {{"to": ["neko"], "body": "hai"}}"#));
    neko.wait(&format!("/online.*at lunch/.test({})", beside("paff")));
    neko.click(".conversations a[href='#/with/paff']");
    neko.wait("/online.*at lunch/.test(document.querySelector('.presence').textContent)");

    wire.done(format!(r#"settings {paff} {{"invisible": true}}"#));
    look_at(&neko);
    neko.wait(&format!("!({})", beside("paff")));
    neko.wait("document.querySelector('.presence').textContent === ''");
    wire.done(format!(r#"settings {paff} {{"invisible": false, "status_text": ""}}"#));
    look_at(&neko);
    neko.wait(&format!("/online/.test({})", beside("paff")));
    drop((stream, wire));
    look_at(&neko);
    neko.wait(&format!("!({})", beside("paff")));
    assert_eq!(chromium.complaints(), [""; 0]);
}

#[test]
fn reader_says_what_they_do_and_hides_in_the_settings() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    let mut neko_is_seen = |expected: &Value| {
        let users = wire.done(format!("who {paff}"))["users"].clone();
        let neko = users.as_array().unwrap().iter().find(|one| one["user"] == "neko");
        assert_eq!(neko.map_or(&Value::Null, |one| &one["status_text"]), expected, "{users}");
    };
    let chromium = Browser::start();
    let neko = chromium.profile().open(&format!("http://{}/", server.http()));
    log_in(&neko, "neko");
    open_settings(&neko);
    neko.wait("document.querySelectorAll('dialog .check input')[1].checked");
    neko.fill("dialog .field input", "in a meeting");
    neko.press("Tab");
    neko.wait("document.querySelector('dialog > small').textContent === 'Saved.'");
    neko_is_seen(&json!("in a meeting"));
    neko.wait("document.querySelector('.conversations h1').textContent.includes('in a meeting')");
    for (box_number, field) in [(0, "invisible"), (1, "receipts")] {
        neko.value(&format!(
            "document.querySelectorAll('dialog .check input')[{box_number}].click()"
        ));
        let token = server.log_in("neko");
        crate::support::wait_until(field, || {
            let settings = server.connect().done(format!("settings {token}"));
            settings["invisible"] == true && (field == "invisible" || settings["receipts"] == false)
        });
    }
    neko_is_seen(&Value::Null);
    neko.wait("document.querySelector('.conversations h1 .hidden-here')");
    neko.press("Escape");
    neko.wait("!document.querySelector('dialog')");
    // The dialog shows what is so.
    open_settings(&neko);
    neko.wait("document.querySelectorAll('dialog .check input')[0].checked");
    assert_eq!(neko.value("document.querySelectorAll('dialog .check input')[1].checked"), false);
    assert_eq!(neko.value("document.querySelector('dialog .field input').value"), "in a meeting");
    // What the server refuses is said.
    neko.fill("dialog .field input", &"é".repeat(200));
    neko.press("Tab");
    neko.wait("document.querySelector('dialog .problem').textContent !== ''");
}

fn open_settings(tab: &Tab<'_>) {
    open_dialog(tab, ".conversations header button:nth-of-type(3)");
}

#[test]
fn server_that_hides_its_users_serves_the_page() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(&[HTTP, &["--hide-users"]].concat());
    let paff = server.log_in("paff");
    server.connect().done(format!(r#"post {paff} {{"to": ["neko"], "body": "hai"}}"#));
    let chromium = Browser::start();
    let neko = chromium.profile().open(&format!("http://{}/#/with/paff", server.http()));
    log_in(&neko, "neko");
    write(&neko, "hai paff");
    neko.wait("document.querySelectorAll('.log .text').length === 2");
    assert_eq!(neko.value("document.querySelectorAll('.here').length"), 0);
    assert_eq!(neko.value("document.querySelectorAll('.conversations a').length"), 1);
}

/// A room of three, in which paff and robo have written.
fn room(server: &Server) -> [String; 3] {
    let tokens = ["paff", "neko", "robo"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {} {{"room": "#build"}}"##, tokens[0]));
    for token in &tokens[1..] {
        wire.done(format!(r##"room_join {token} {{"room": "#build"}}"##));
    }
    for (token, body) in [(&tokens[0], "of paff"), (&tokens[2], "of robo")] {
        wire.done(format!(r##"post {token} {{"to": ["#build"], "body": "{body}"}}"##));
    }
    tokens
}

#[test]
fn blocked_user_is_refused_and_hidden_until_unblocked() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let [paffs, nekos, robos] = room(&server);
    let mut wire = server.connect();
    wire.done(format!(r#"post {paffs} {{"to": ["neko"], "body": "hai neko"}}"#));
    let chromium = Browser::start();
    let url = format!("http://{}/", server.http());
    let (one, other) = (chromium.profile(), chromium.profile());
    let neko = one.open(&format!("{url}#/with/paff"));
    log_in(&neko, "neko");
    neko.wait(&shows("hai neko"));
    open_user(&neko);
    neko.wait("document.querySelector('dialog').textContent.includes('not told why')");
    neko.click("dialog .line button");
    neko.wait("document.querySelector('dialog').textContent.includes('You block this person')");
    neko.press("Escape");
    neko.wait("document.querySelector('.presence').textContent.includes('blocked')");
    assert_eq!(wire.done(format!("blocks {nekos}"))["blocked"][0]["user"], "paff");

    // What paff writes is refused in words that are true, and hidden in the room.
    let paff = other.open(&format!("{url}#/with/neko"));
    log_in(&paff, "paff");
    write(&paff, "let me in");
    paff.wait("document.querySelector('.waits .problem')");
    let said = paff.value("document.querySelector('.waits .problem').textContent");
    assert!(said.as_str().unwrap().starts_with("You may not send to this user: neko."), "{said}");
    neko.go(&format!("{url}#/with/%23build"));
    neko.wait(&shows("of robo"));
    for (token, body) in [(&paffs, "more of paff"), (&robos, "more of robo")] {
        wire.done(format!(r##"post {token} {{"to": ["#build"], "body": "{body}"}}"##));
    }
    neko.wait(&shows("more of robo"));
    assert_eq!(texts(&neko), ["of robo", "more of robo"]);
    neko.wait("document.title === 'Chat'");

    // The settings list who is blocked, and end it. What was hidden is there at once.
    open_settings(&neko);
    neko.wait("document.querySelector('.blocks .rows').textContent.includes('paff')");
    neko.fill(".blocks form input", "neko");
    neko.press("Enter");
    neko.wait("document.querySelector('.blocks .problem').textContent.includes('yourself')");
    neko.fill(".blocks form input", "Robo vanessa");
    neko.press("Enter");
    neko.wait("document.querySelectorAll('.blocks .rows li').length === 3");
    neko.wait("document.querySelectorAll('.log .message').length === 0");
    for left in [2, 1, 1] {
        neko.click(".blocks .rows button");
        neko.wait(&format!("document.querySelectorAll('.blocks .rows li').length === {left}"));
    }
    neko.wait("document.querySelector('.blocks .rows').textContent.includes('nobody')");
    neko.wait("document.querySelectorAll('.log .message').length === 4");
    assert_eq!(texts(&neko), ["of paff", "of robo", "more of paff", "more of robo"]);
    assert_eq!(wire.done(format!("blocks {nekos}"))["blocked"], json!([]));
    paff.value("document.querySelector('.waits button').click()");
    paff.wait(&shows("let me in"));
    let refused = chromium.complaints();
    let others: Vec<_> = refused.iter().filter(|text| !text.contains("/api/v1/")).collect();
    assert_eq!(others, [""; 0], "the browser logs refusals, and nothing else");
}

#[test]
fn block_speaks_indonesian_and_needs_no_mouse() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let chromium = Browser::start();
    let url = format!("http://{}/", server.http());
    let tab = chromium.profile().open(&url);
    tab.wait("document.querySelector('.log-in')");
    tab.value("localStorage.setItem('language', 'id')");
    tab.go(&format!("{url}#/with/paff"));
    tab.value("location.reload()");
    tab.wait("document.documentElement.lang === 'id'");
    log_in(&tab, "neko");
    let focused = "document.activeElement.textContent";
    let tab_to = |text: &str| {
        for _ in 0..60 {
            if tab.value(focused) == text {
                return;
            }
            tab.press("Tab");
        }
        panic!("the tabulator does not lead to {text}");
    };
    tab.wait("document.querySelector('.conversation h1')");
    tab_to("Rincian");
    tab.press("Enter");
    tab.wait("document.querySelector('dialog')");
    tab_to("Blokir");
    tab.press("Enter");
    // The focus goes on to the button that takes its place.
    tab.wait(&format!("{focused} === 'Buka blokir'"));
    assert!(
        tab.value("document.querySelector('dialog').textContent")
            .as_str()
            .unwrap()
            .contains("Anda memblokir orang ini")
    );
    tab.press("Enter");
    tab.wait(&format!("{focused} === 'Blokir'"));
    tab.press("Escape");
    tab.wait(&format!("{focused} === 'Rincian'"));
}

/// The server leaves what is hidden out of a page, which can be empty then.
#[test]
fn history_goes_on_before_many_hidden_messages() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let [paffs, nekos, robos] = room(&server);
    let mut wire = server.connect();
    for _ in 0..21 {
        let noise = format!("post {paffs} {{\"to\": [\"#build\"], \"body\": \"noise\"}}\n");
        wire.send(noise.repeat(100));
        (0..100).for_each(|_| assert_eq!(wire.reply()["status"], "OK"));
    }
    let last = wire.done(format!(r##"post {robos} {{"to": ["#build"], "body": "the last"}}"##));
    wire.done(format!(r#"block {nekos} {{"user": "paff"}}"#));
    wire.done(format!(r#"ack {nekos} {{"upto": {}}}"#, last["id"]));
    let chromium = Browser::start();
    let neko = chromium.profile().open(&format!("http://{}/#/with/%23build", server.http()));
    log_in(&neko, "neko");
    neko.wait(&shows("the last"));
    neko.wait(&shows("of robo"));
    assert_eq!(texts(&neko), ["of robo", "the last"]);
}

/// Opens what is known about the user whose conversation is shown.
fn open_user(tab: &Tab<'_>) {
    tab.click(".conversation > header button:last-child");
    tab.wait("document.querySelector('dialog .line button')");
}

#[test]
fn access_token_is_shown_once_used_and_revoked() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let chromium = Browser::start();
    let profile = chromium.profile();
    profile.allow("clipboardReadWrite");
    let neko = profile.open(&format!("http://{}/", server.http()));
    log_in(&neko, "neko");
    open_settings(&neko);
    neko.click("section summary");
    neko.fill(".tokens form input", "ci");
    neko.fill(".tokens form .field:nth-of-type(3) input", "paff #no-room");
    neko.click(".tokens form .main");
    neko.wait("document.querySelector('.tokens .problem').textContent.includes('#no-room')");
    neko.fill(".tokens form .field:nth-of-type(3) input", "Paff, robo");
    neko.click(".tokens form .main");
    neko.wait("document.querySelector('.tokens .problem').textContent === ''");
    neko.wait("document.querySelector('input.secret')");
    let token = neko.value("document.querySelector('input.secret').value");
    let token = token.as_str().unwrap();
    neko.click(".tokens div .line button");
    neko.wait("document.querySelector('.tokens div .line small').textContent === 'Copied.'");
    assert_eq!(neko.value("navigator.clipboard.readText()"), token);

    let mut wire = server.connect();
    assert_eq!(wire.refused(format!("whoami {token}")), "token_rights");
    wire.done(format!("send {token} paff built"));
    assert_eq!(wire.refused(format!("send {token} vanessa built")), "unknown_recipient");
    neko.press("Escape");
    neko.wait("!document.querySelector('dialog')");
    open_settings(&neko);
    neko.wait("document.querySelector('.tokens .rows li')");
    let row = neko.value("document.querySelector('.tokens .rows li').textContent");
    let row = row.as_str().unwrap();
    for part in ["ci", "send", "to paff, robo", "made ", "expires ", "Revoke"] {
        assert!(row.contains(part), "{row}");
    }
    let page = neko.value("document.documentElement.outerHTML");
    assert!(!page.as_str().unwrap().contains(token), "the secret is shown this once");

    // Nothing is revoked by a slip.
    neko.value("window.confirm = (text) => { window.asked = text; return false; }; 0");
    neko.click(".tokens .rows button");
    neko.wait("window.asked.startsWith('Revoke ci?')");
    wire.done(format!("send {token} paff built"));
    neko.value("window.confirm = () => true; 0");
    neko.click(".tokens .rows button");
    neko.wait("!document.querySelector('.tokens .rows li')");
    assert_eq!(wire.refused(format!("send {token} paff built")), "no_session");
    assert_eq!(chromium.complaints().len(), 1, "the refusal: {:?}", chromium.complaints());
}

#[test]
fn hook_is_given_as_its_address() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let chromium = Browser::start();
    let neko = chromium.profile().open(&format!("http://{}/", server.http()));
    log_in(&neko, "neko");
    open_settings(&neko);
    neko.click("section summary");
    neko.fill(".tokens form input", "grafana");
    let choose = |number: u32, value: &str| {
        neko.value(&format!(
            "{{ const it = document.querySelectorAll('.tokens form select')[{number}]; \
            it.value = '{value}'; it.dispatchEvent(new Event('change')); }}"
        ));
    };
    // What reads has no targets.
    let targets = ".tokens form .field:nth-of-type(3)";
    choose(0, "read");
    neko.wait(&format!("document.querySelector('{targets}').hidden"));
    choose(0, "hook");
    neko.wait(&format!("!document.querySelector('{targets}').hidden"));
    choose(1, "");
    neko.click(".tokens form .main");
    assert_eq!(neko.value("document.querySelector('.tokens form').checkValidity()"), false);
    neko.fill(&format!("{targets} input"), "paff");
    neko.click(".tokens form .main");
    neko.wait("document.querySelector('input.secret')");
    let address = neko.value("document.querySelector('input.secret').value");
    let path = address.as_str().unwrap().strip_prefix(&format!("http://{}", server.http()));
    let posted =
        send(server.http(), &format!("POST {}", path.unwrap()), &[], r#"{"text": "down"}"#);
    assert_eq!(posted.status, 200, "{posted:?}");
    neko.press("Escape");
    neko.wait("!document.querySelector('dialog')");
    open_settings(&neko);
    neko.wait("document.querySelector('.tokens .rows li')");
    let row = neko.value("document.querySelector('.tokens .rows li').textContent");
    for part in ["grafana", "hook", "to paff", "does not expire", "used"] {
        assert!(row.as_str().unwrap().contains(part), "{row}");
    }
}

#[test]
fn token_says_when_and_from_where_it_was_used() {
    if !browser::is_there() {
        return;
    }
    let mut server = Server::start_with(HTTP);
    let neko = server.log_in("neko");
    let made = server.connect().done(format!(r#"token_create {neko} {{"name": "ci"}}"#));
    let token = made["token"].as_str().unwrap();
    server.connect().done(format!("send {token} paff built"));
    // What it remembers is stored when it stops, if not before.
    server.stop();
    server.start_again();
    let chromium = Browser::start();
    let tab = chromium.profile().open(&format!("http://{}/", server.http()));
    log_in(&tab, "neko");
    open_settings(&tab);
    tab.wait("document.querySelector('.tokens .rows li')");
    let row = tab.value("document.querySelector('.tokens .rows li').textContent");
    for part in ["last used ", " from "] {
        assert!(row.as_str().unwrap().contains(part), "{row}");
    }
}
