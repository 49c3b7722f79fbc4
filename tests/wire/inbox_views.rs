//! The inbox in the browser: every view, in every size and look, and for every reader.
//!
//! `CHAT_SCREENSHOTS=FOLDER cargo test --test wire inbox_views::` writes a picture of every view.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::inbox_page::{HTTP, log_in, open_dialog, shows, write};
use crate::support::skip::{NPM_PACKAGES, skip};
use crate::support::tab::{Browser, Tab};
use crate::support::{Server, Wire, browser, operator};

/// The folder for pictures, if any are wanted.
const PICTURES: &str = "CHAT_SCREENSHOTS";
const WIDE: (u32, u32) = (1080, 640);
/// The narrowest screen.
const NARROW: (u32, u32) = (320, 640);

/// A server on which some people talk. One of them is online while this lives.
struct Demo {
    server: Server,
    _stream: Wire<TcpStream>,
}

impl Demo {
    fn start() -> Self {
        let server = Server::start_with(HTTP);
        let mut wire = server.connect();
        let user = ["paff", "neko", "vanessa", "robo", "ivy"];
        let [paff, neko, vanessa, robo, ivy] = user.map(|name| server.log_in(name));
        let mut post = |token: &str, fields: Value| wire.done(format!("post {token} {fields}"));
        post(&ivy, json!({"to": ["neko"], "body": "هل وصل الملف؟ report-7.pdf جاهز"}));
        post(&neko, json!({"to": ["ivy"], "body": "Got it, thank you!"}));
        post(
            &vanessa,
            json!({"to": ["neko"],
            "body": "The notes for 2.4 are ready for a look: https://docs.example/notes"}),
        );
        let failed = post(
            &robo,
            json!({"to": ["neko"], "title": "Build 417 failed", "priority": 5,
            "body": "2 tests failed on main:\nlogin_throttle::, room_races::",
            "tags": ["ci", "main"], "click": "https://ci.example/417"}),
        );
        post(&neko, json!({"to": ["robo"], "body": "On it.", "reply_to": failed["id"]}));
        post(&robo, json!({"to": ["neko"], "body": "Build 418 is green again."}));
        post(
            &robo,
            json!({"to": ["neko"], "body": "Deploy 2.4 to production?",
            "tags": ["ask", "choice:now", "choice:tonight", "choice:no"]}),
        );
        let mut wire = server.connect();
        wire.done(format!(
            r##"room_create {paff} {{"room": "#build", "topic": "Builds and deployments"}}"##
        ));
        wire.done(format!(r##"room_create {paff} {{"room": "#lunch", "private": true}}"##));
        for token in [&neko, &vanessa] {
            wire.done(format!(r##"room_join {token} {{"room": "#build"}}"##));
        }
        let mut post = |token: &str, body: &str| {
            let post = json!({"to": ["#build"], "body": body});
            wire.done(format!("post {token} {post}"))["id"].clone()
        };
        post(&vanessa, "The build of 2.4 takes nine minutes. It took six last week.");
        post(&paff, "The cache is empty: somebody updated the compiler.");
        let own = post(&neko, "That was me. Tomorow it is quick again.");
        post(
            &paff,
            "@neko please announce it here next time, with *when* and *why*:\n\
             https://wiki.example/announcements",
        );
        let edit = json!({"id": own, "body": "That was me. Tomorrow it is quick again."});
        wire.done(format!("edit {neko} {edit}"));
        // Somebody who has written nothing in a room.
        wire.done(format!(r#"block {neko} {{"user": "ivy"}}"#));
        wire.done(format!(r#"settings {paff} {{"status_text": "at lunch until two"}}"#));
        wire.done(format!(r#"settings {vanessa} {{"status_text": "reviewing"}}"#));
        let can = json!({"name": "ci", "to": ["#build", "robo"], "expires_in": 7_776_000});
        wire.done(format!("token_create {neko} {can}"));
        let mut stream = server.connect();
        stream.done(format!(r#"watch {paff} {{"from": "new"}}"#));
        Self { server, _stream: stream }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.server.http())
    }

    /// Opens the conversation of neko with a user, which has so many messages.
    fn open<'a>(&self, chromium: &'a Browser, user: &str, messages: usize) -> Tab<'a> {
        let tab = chromium.profile().open(&format!("{}#/with/{user}", self.url()));
        log_in(&tab, "neko");
        tab.wait(&format!("document.querySelectorAll('.log .message').length === {messages}"));
        tab
    }

    /// Opens every view in a tab in which nobody is logged in, and calls `visit` with its name.
    fn each_view(&self, tab: &Tab<'_>, visit: impl Fn(&str)) {
        let url = self.url();
        tab.go(&url);
        tab.wait("document.querySelector('.log-in')");
        visit("log-in");
        let words = ["invite", "--rooms", "build", "--url", url.trim_end_matches('/')];
        let invited = operator::objects(&self.server.database(), &words);
        tab.go(invited[0]["link"].as_str().unwrap());
        tab.wait("document.querySelector('[name=again]')");
        visit("join");
        // Another address after the `#` alone begins no new page.
        tab.go("about:blank");
        tab.go(&url);
        tab.wait("document.querySelector('.log-in') && !document.querySelector('[name=again]')");
        log_in(tab, "neko");
        tab.wait("document.querySelector('.conversations li .here')");
        visit("list");
        for (name, path, message) in [
            ("conversation", "with/robo", 4),
            ("room", "with/%23build", 4),
            ("right-to-left", "with/ivy", 2),
        ] {
            tab.go(&format!("{url}#/{path}"));
            let all = format!("document.querySelectorAll('.log .message').length === {message}");
            tab.wait(&all);
            visit(name);
        }
        tab.go(&format!("{url}#/with/%23build"));
        tab.wait("document.querySelector('.conversation h1')?.textContent === '#build'");
        tab.wait("document.querySelector('.message .edited')");
        tab.click(".message.mine .acts button:nth-of-type(2)");
        visit("edit");
        tab.press("Escape");
        tab.wait("document.querySelector('.answered').hidden");
        tab.click(".message.mine .acts button:nth-of-type(3)");
        tab.wait("document.querySelector('dialog')");
        visit("delete");
        tab.press("Escape");
        tab.wait("!document.querySelector('dialog')");
        self.dialog(tab, ".conversation > header button:last-child", || visit("room-details"));
        tab.go(&format!("{url}#/with/paff"));
        tab.wait("document.querySelector('.conversation h1')?.textContent === 'paff'");
        tab.click(".conversation > header button:last-child");
        tab.wait("document.querySelector('dialog .line button')");
        visit("person");
        tab.press("Escape");
        tab.wait("!document.querySelector('dialog')");
        for (number, name) in [(2, "rooms"), (3, "settings")] {
            // On a phone the list is a view of its own.
            tab.go(&format!("{url}#/"));
            tab.wait("document.querySelector('.conversations').checkVisibility()");
            let button = format!(".conversations header button:nth-of-type({number})");
            self.dialog(tab, &button, || {
                tab.value(
                    "document.querySelectorAll('dialog details').forEach(it => it.open = true)",
                );
                visit(name);
                if name == "settings" {
                    tab.value("document.querySelector('dialog .blocks').scrollIntoView()");
                    visit("blocked");
                    tab.value("document.querySelector('dialog .tokens').scrollIntoView()");
                    visit("access-tokens");
                }
            });
        }
        tab.go(&format!("{url}#/search/build"));
        tab.wait("document.querySelectorAll('.results a').length >= 3");
        visit("search");
        tab.go(&format!("{url}#/"));
        tab.wait("document.body.dataset.place === 'list'");
        self.dialog(tab, ".conversations header button:nth-of-type(3)", || {});
        self.log_out(tab);
    }

    fn dialog(&self, tab: &Tab<'_>, button: &str, act: impl Fn()) {
        open_dialog(tab, button);
        act();
        tab.press("Escape");
        tab.wait("!document.querySelector('dialog')");
    }

    fn log_out(&self, tab: &Tab<'_>) {
        open_dialog(tab, ".conversations header button:nth-of-type(3)");
        tab.click("dialog > .line button");
        tab.wait("document.querySelector('.log-in')");
    }
}

/// Sets the look for the views to come, and for this one.
fn look(tab: &Tab<'_>, look: &str) {
    tab.value(&format!(
        "localStorage.setItem('look', '{look}'); document.documentElement.dataset.look = '{look}'"
    ));
}

#[test]
fn nothing_bars_anybody_from_any_view() {
    let axe = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/node/node_modules/axe-core");
    let Ok(axe) = fs::read_to_string(axe.join("axe.min.js")) else {
        return skip("axe-core", &format!("npm install --prefix target/node {}", NPM_PACKAGES[0]));
    };
    if !browser::is_there() {
        return;
    }
    let demo = Demo::start();
    let chromium = Browser::start();
    let tab = chromium.profile().open(&demo.url());
    // The checker is no file of the page.
    tab.allow_any_script();
    for size in [WIDE, NARROW] {
        tab.resize(size.0, size.1);
        demo.each_view(&tab, |view| {
            tab.value(&format!("{axe}; 0"));
            for name in ["light", "dark"] {
                look(&tab, name);
                let found = tab.value(
                    "axe.run().then(it => it.violations.map(it => it.id + ': ' + \
                    it.nodes.map(it => it.html).join(' ')))",
                );
                assert_eq!(found, json!([]), "{view}, {size:?}, {name}");
            }
        });
    }
}

/// Collects what breaks the policy of the page, from its first script on.
const COLLECT_BREACHES: &str = "window.breaches = []; addEventListener('securitypolicyviolation', \
    (event) => breaches.push(event.violatedDirective + ' ' + event.blockedURI + event.sample))";

#[test]
fn every_view_keeps_the_policy_and_fits_the_narrowest_screen() {
    if !browser::is_there() {
        return;
    }
    let folder = std::env::var_os(PICTURES).map(PathBuf::from);
    let demo = Demo::start();
    let chromium = Browser::start();
    let tab = chromium.profile().open(&demo.url());
    tab.run_first(COLLECT_BREACHES);
    for (size, name) in [(WIDE, "wide"), (NARROW, "narrow")] {
        // Phones have fine screens.
        tab.resize_for(size.0, size.1, if size == NARROW { 2 } else { 1 });
        for theme in ["light", "dark"] {
            demo.each_view(&tab, |view| {
                look(&tab, theme);
                assert_eq!(tab.value("breaches"), json!([]), "{view}, {name}, {theme}");
                let width = tab.value("document.documentElement.scrollWidth");
                assert_eq!(width, size.0, "{view} is scrolled sideways");
                let is_inbox = tab.value("Boolean(document.querySelector('.inbox'))") == true;
                if name == "narrow" && is_inbox {
                    let panes = "['.conversations', '.place'].filter(it => \
                        document.querySelector(it).checkVisibility()).length";
                    assert_eq!(tab.value(panes), 1, "{view}: one of the two at a time");
                }
                if let Some(folder) = &folder {
                    let picture = folder.join(format!("{view}-{name}-{theme}.webp"));
                    fs::write(picture, tab.picture()).expect("a picture");
                }
            });
        }
    }
    assert_eq!(chromium.complaints(), [""; 0]);
    // The collection works.
    tab.value(
        "document.head.append(Object.assign(document.createElement('style'), \
        { textContent: 'p { color: red }' })); 0",
    );
    tab.wait("breaches.length > 0");
    assert_eq!(
        tab.value("breaches[0]").as_str().unwrap().split(' ').next(),
        Some("style-src-elem")
    );
}

#[test]
fn page_is_used_at_twice_the_size() {
    if !browser::is_there() {
        return;
    }
    let demo = Demo::start();
    let chromium = Browser::start();
    let tab = chromium.profile().open(&format!("{}#/with/%23build", demo.url()));
    log_in(&tab, "neko");
    // A window of 1280 by 1024, zoomed; then larger letters only; then a screen of 4K.
    tab.resize_for(640, 512, 2);
    is_usable(&tab, "zoomed");
    tab.resize(1280, 800);
    tab.value("document.documentElement.style.fontSize = '200%'");
    is_usable(&tab, "large letters");
    tab.value("document.documentElement.style.fontSize = ''");
    tab.resize(3840, 2160);
    is_usable(&tab, "4K");
    // Lines stay short enough to read.
    let widest =
        "Math.max(...[...document.querySelectorAll('.message')].map(it => it.offsetWidth))";
    assert!(tab.value(widest).as_f64().unwrap() < 800.0);
}

/// The conversation is seen, and the box and its button are inside of the window.
fn is_usable(tab: &Tab<'_>, how: &str) {
    tab.wait("document.querySelectorAll('.log .message').length >= 4");
    let size = "[document.documentElement.scrollWidth <= innerWidth, \
        document.querySelector('.log').clientHeight > 60]";
    assert_eq!(tab.value(size), json!([true, true]), "{how}");
    let outside = "['.write-box textarea', '.write-box .main', '.conversation > header button:last-child']\
        .filter(it => { const { left, top, right, bottom } = document.querySelector(it)\
        .getBoundingClientRect(); return left < 0 || top < 0 || right > innerWidth || \
        bottom > innerHeight || right - left < 24; })";
    assert_eq!(tab.value(outside), json!([]), "{how}");
    write(tab, how);
    tab.wait(&shows(how));
}

#[test]
fn page_is_used_by_the_keyboard_alone() {
    if !browser::is_there() {
        return;
    }
    let demo = Demo::start();
    let chromium = Browser::start();
    let tab = chromium.profile().open(&demo.url());
    tab.wait("document.activeElement.name === 'username'");
    tab.type_in("neko");
    tab.press("Tab");
    tab.type_in("cytus");
    tab.press("Enter");
    tab.wait("document.querySelector('.conversations a')");
    // To a conversation: the key, a few letters, an arrow.
    tab.press("/");
    tab.wait("document.activeElement.type === 'search'");
    tab.type_in("robo");
    tab.wait("document.querySelectorAll('.conversations a').length === 1");
    tab.press("Tab");
    tab.press("Enter");
    tab.wait("document.querySelectorAll('.log .message').length === 4");
    // What has the focus is seen to have it.
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(tab.value(outline), "solid");
    tab_to(&tab, "document.activeElement.tagName === 'TEXTAREA'");
    assert_eq!(tab.value(outline), "solid");
    // Back through the log, from the newest message: a reply.
    tab.value("document.querySelector('.log').focus()");
    tab.press("ArrowUp");
    tab.press("ArrowUp");
    let text = "document.activeElement.querySelector('.text').textContent";
    tab.wait(&format!("{text} === 'Build 418 is green again.'"));
    assert_eq!(tab.value(outline), "solid");
    tab.press("r");
    tab.wait("document.activeElement.tagName === 'TEXTAREA'");
    tab.type_in("thanks");
    tab.press("Enter");
    tab.wait(&shows("thanks"));
    let replied = "[...document.querySelectorAll('.answers')].pop().textContent";
    tab.wait(&format!("{replied}.includes('Build 418 is green')"));
    // A line break.
    tab.type_in("one");
    tab.press_with("Enter", SHIFT);
    tab.type_in("two");
    assert_eq!(tab.value("document.activeElement.value"), "one\ntwo");
    tab.press("Enter");
    tab.wait(&shows("one\ntwo"));
    // An answer of a question, by its button.
    tab.value("document.querySelector('.log').focus()");
    tab_to(&tab, "document.activeElement.textContent === 'tonight'");
    tab.press("Enter");
    tab.wait(&shows("tonight"));
    // A dialog keeps the focus and gives it back.
    tab.value("document.querySelector('.conversations header button:nth-of-type(3)').focus()");
    tab.press("Enter");
    tab.wait("document.querySelector('dialog .rows li')");
    for _ in 0..40 {
        tab.press("Tab");
        let inside = "document.activeElement === document.body || \
            Boolean(document.activeElement.closest('dialog'))";
        assert_eq!(tab.value(inside), true);
    }
    tab.press("Escape");
    tab.wait("document.activeElement.textContent === 'Settings'");
    // Every key is in the list of keys, in the page and in its documentation.
    let documented = include_str!("../../docs/browser.md");
    for key in ["`Enter`", "`Shift`", "`/`", "`↑`", "`R`", "`End`", "`Esc`"] {
        assert!(documented.contains(key), "{key}");
    }
}

const SHIFT: u32 = 8;

/// Presses the tabulator until this holds.
fn tab_to(tab: &Tab<'_>, expression: &str) {
    for _ in 0..60 {
        if tab.value(expression) == true {
            return;
        }
        tab.press("Tab");
    }
    panic!("the tabulator does not lead there: {expression}");
}

#[test]
fn right_to_left_text_begins_at_the_right_and_turns_nothing_around_it() {
    if !browser::is_there() {
        return;
    }
    let (demo, chromium) = (Demo::start(), Browser::start());
    let tab = demo.open(&chromium, "ivy", 2);
    let side = |text: &str| {
        let range = format!(
            "(() => {{ const it = [...document.querySelectorAll('.log .text')].find(it => \
             it.textContent.includes('{text}')); const range = document.createRange(); \
             range.selectNodeContents(it); const found = range.getBoundingClientRect(); \
             const around = it.getBoundingClientRect(); \
             return found.left - around.left < around.right - found.right ? 'left' : 'right'; }})()"
        );
        tab.value(&range)
    };
    assert_eq!(side("جاهز"), "right");
    assert_eq!(side("Got it"), "left");
    // The preview in the list is isolated, and so is every name.
    let isolated = "[...document.querySelectorAll('bdi, .text')].every(it => \
        getComputedStyle(it).unicodeBidi.includes('isolate'))";
    assert_eq!(tab.value(isolated), true);
    // A page that is read from the right has its parts the other way round.
    tab.value("document.documentElement.dir = 'rtl'");
    let list_is_right = "document.querySelector('.conversations').getBoundingClientRect().left > \
        document.querySelector('.place').getBoundingClientRect().left";
    tab.wait(list_is_right);
    assert_eq!(tab.value("document.documentElement.scrollWidth <= innerWidth"), true);
}

#[test]
fn nothing_moves_for_readers_who_want_no_motion() {
    if !browser::is_there() {
        return;
    }
    let (demo, chromium) = (Demo::start(), Browser::start());
    let tab = demo.open(&chromium, "robo", 4);
    let moving = "[...document.querySelectorAll('*')].filter(it => { const style = \
        getComputedStyle(it); return style.transitionDuration !== '0s' || \
        style.animationName !== 'none' || style.scrollBehavior === 'smooth'; }).length";
    // The measure finds what moves for others.
    tab.prefer("prefers-reduced-motion", "no-preference");
    assert_ne!(tab.value(moving), 0);
    tab.prefer("prefers-reduced-motion", "reduce");
    assert_eq!(tab.value(moving), 0);
}

#[test]
fn screen_reader_hears_a_message_that_arrives_once_and_no_history() {
    if !browser::is_there() {
        return;
    }
    let (demo, chromium) = (Demo::start(), Browser::start());
    let tab = demo.open(&chromium, "robo", 4);
    // The log says what it is, and does not speak by itself.
    let log = "['role', 'aria-live', 'aria-label'].map(it => \
        document.querySelector('.log').getAttribute(it))";
    assert_eq!(tab.value(log), json!(["log", "off", "Messages with robo"]));
    tab.value(
        "window.spoken = [];
        const live = document.querySelector('.conversation > [aria-live=polite]');
        new MutationObserver(() => spoken.push(live.textContent))
            .observe(live, { childList: true, characterData: true, subtree: true });
        0",
    );
    let robo = demo.server.log_in("robo");
    let post = |token: &str, to: &str, body: &str| {
        let fields = json!({"to": [to], "body": body});
        demo.server.connect().done(format!("post {token} {fields}"));
    };
    // Of another conversation only the number is said, in the list.
    post(&demo.server.log_in("vanessa"), "neko", "elsewhere");
    post(&robo, "neko", "Deployed.");
    tab.wait(&shows("Deployed."));
    write(&tab, "my own");
    tab.wait(&shows("my own"));
    tab.wait("!document.querySelector('.waits')");
    post(&robo, "neko", &"long ".repeat(100));
    tab.wait("spoken.length === 2");
    let spoken: Vec<String> = serde_json::from_value(tab.value("spoken")).unwrap();
    assert_eq!(spoken[0], "robo: Deployed.");
    assert!(spoken[1].starts_with("robo: long") && spoken[1].len() < 320, "{}", spoken[1]);
    let said = "document.querySelector('.conversations .unseen').textContent";
    assert!(tab.value(said).as_str().is_some());
}
