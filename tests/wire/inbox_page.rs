//! The inbox in the browser: what the server gives to a browser, and real browsers that use it.

use std::io::Write;

use serde_json::{Value, json};

use crate::support::http::{Response, connect, get, read_head, send};
use crate::support::relay::Relay;
use crate::support::tab::{Browser, Tab};
use crate::support::{Server, browser, operator};

pub(super) const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];

fn page(server: &Server) -> Response {
    send(server.http(), "GET /", &[("Accept", "text/html,*/*;q=0.8")], "")
}

/// Logs in as a page does: the value of the cookie.
fn cookie(server: &Server, user: &str) -> String {
    let login = json!({"user": user, "password": "cytus"}).to_string();
    let response = send(server.http(), "POST /page/session", &[], login);
    assert_eq!(response.status, 200, "{response:?}");
    let field = response.field("set-cookie").expect("a cookie");
    field.split(';').next().unwrap().to_owned()
}

#[test]
fn page_is_for_browsers_and_its_files_are_kept_for_ever() {
    let server = Server::start_with(HTTP);
    let program = get(server.http(), "/");
    assert_eq!(program.field("content-type"), Some("text/plain; charset=utf-8"));
    let page = page(&server);
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(
        (page.field("cache-control"), page.field("vary")),
        (Some("no-cache"), Some("accept, accept-encoding"))
    );
    let policy = page.field("content-security-policy").expect("a policy");
    for part in ["default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let start = page.body.find("/page/").expect("the name of a file");
    let folder = page.body[start..].rsplit_once("/icon.svg").unwrap().0.to_owned();
    for (file, kind) in
        [("app.js", "text/javascript; charset=utf-8"), ("icon.svg", "image/svg+xml")]
    {
        let found = get(server.http(), &format!("{folder}/{file}"));
        assert_eq!((found.status, found.field("content-type")), (200, Some(kind)));
        let caching = found.field("cache-control").unwrap();
        assert!(caching.contains("immutable"), "{caching}");
    }
    let texts = get(server.http(), &format!("{folder}/texts.js")).body;
    assert!(texts.contains("Log in") && texts.contains("Masuk"), "{texts}");
    for path in ["/page/0000000000000000/app.js", &format!("{folder}/secret"), "/page/x/y/z"] {
        assert_eq!(get(server.http(), path).status, 404, "{path}");
    }
    let worker = get(server.http(), "/service-worker.js");
    assert_eq!(worker.field("cache-control"), Some("no-cache"));
}

/// The head of the answer to a browser that takes these codings. The body may be no text.
pub(super) fn head(server: &Server, request: &str, codings: &str) -> Response {
    let mut stream = connect(server.http());
    let fields = format!("Accept: text/html\r\nAccept-Encoding: {codings}");
    let host = server.http();
    write!(stream, "{request} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n\r\n").expect("a request");
    read_head(&mut stream)
}

#[test]
fn files_are_compressed_for_clients_that_take_it_and_head_has_their_length() {
    let server = Server::start_with(HTTP);
    let page = page(&server);
    let start = page.body.find("/page/").expect("the name of a file");
    let folder = page.body[start..].rsplit_once("/icon.svg").unwrap().0.to_owned();
    for path in [format!("{folder}/style.css"), "/service-worker.js".to_owned(), "/".to_owned()] {
        let length = |response: &Response| -> usize {
            response.field("content-length").expect("a length").parse().unwrap()
        };
        let get = format!("GET {path}");
        let plain = send(server.http(), &get, &[("Accept", "text/html")], "");
        let small = head(&server, &get, "gzip, deflate, br, zstd");
        assert_eq!(plain.field("content-encoding"), None, "{path}");
        assert_eq!(small.field("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(length(&plain), plain.body.len(), "{path}");
        assert!(length(&small) < length(&plain) * 3 / 4, "{path}: {}", length(&small));
        for response in [&plain, &small] {
            assert!(response.field("vary").unwrap().ends_with("accept-encoding"), "{response:?}");
        }
        for (codings, expected) in [("br", &plain), ("gzip", &small)] {
            let head = head(&server, &format!("HEAD {path}"), codings);
            assert_eq!((head.status, length(&head)), (200, length(expected)), "{path}, {codings}");
            assert_eq!(head.field("content-encoding"), expected.field("content-encoding"));
        }
    }
    // An answer with a user's texts never is: its length would tell of them.
    let cookie = cookie(&server, "paff");
    let fields = [("Cookie", cookie.as_str()), ("Accept-Encoding", "gzip")];
    let who = send(server.http(), "GET /page/session", &fields, "");
    assert!(who.body.contains("paff") && who.field("content-encoding").is_none(), "{who:?}");
}

#[test]
fn cookie_is_a_session_for_pages_of_this_site_only() {
    let server = Server::start_with(HTTP);
    let cookie = cookie(&server, "paff");
    let here = format!("http://{}", server.http());
    let call = |fields: &[(&str, &str)]| {
        let fields: Vec<_> = [("Cookie", cookie.as_str())].iter().chain(fields).copied().collect();
        send(server.http(), "POST /api/v1/whoami", &fields, "")
    };
    assert_eq!(call(&[("Origin", &here)]).status, 200);
    assert_eq!(call(&[("Sec-Fetch-Site", "same-origin")]).status, 200);
    // A form of another site, a script of another port, and who does not say where it is.
    for fields in [
        &[("Origin", "https://evil.example")][..],
        &[("Origin", "http://127.0.0.1:1"), ("Sec-Fetch-Site", "same-site")],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[],
    ] {
        assert_eq!(call(fields).status, 403, "{fields:?}");
    }
    let asked = |request: &str| send(server.http(), request, &[("Cookie", &cookie)], "");
    // Reading needs no such word: no page of another site can see the answer.
    let who: Value = serde_json::from_str(&asked("GET /page/session").body).unwrap();
    assert_eq!(who["user"], "paff");
    assert_eq!(asked("GET /inbox/json?poll=1").status, 200);
    // A link must not publish.
    assert_eq!(asked("GET /neko/publish?message=hai").status, 403);
    assert_eq!(asked("POST /neko").status, 403);
    // The cookie of a connection without TLS is none for one with it.
    let twice = format!("{cookie}; {cookie}");
    let none = send(server.http(), "GET /page/session", &[("Cookie", &twice)], "");
    assert_eq!(none.body, "{\"status\": \"OK\"}\n");

    // Without TLS a link on another site looks like this. It logs nobody out.
    let linked = get(server.http(), "/page/session");
    assert_eq!((linked.status, linked.field("set-cookie")), (200, None));

    let out =
        send(server.http(), "DELETE /page/session", &[("Cookie", &cookie), ("Origin", &here)], "");
    assert!(out.field("set-cookie").unwrap().contains("Max-Age=0"), "{out:?}");
    assert_eq!(call(&[("Origin", &here)]).status, 401, "the session has ended");
    let token = cookie.split('=').nth(1).unwrap();
    assert_eq!(server.connect().refused(format!("whoami {token}")), "no_session");
}

#[test]
fn link_on_another_site_leads_to_the_page_and_to_nothing_else() {
    let server = Server::start_with(HTTP);
    let cookie = cookie(&server, "paff");
    for site in ["cross-site", "same-site"] {
        let followed = |request: &str| {
            let fields = [
                ("Accept", "text/html,*/*;q=0.8"),
                ("Sec-Fetch-Site", site),
                ("Sec-Fetch-Mode", "navigate"),
                ("Sec-Fetch-Dest", "document"),
                ("Cookie", cookie.as_str()),
            ];
            send(server.http(), request, &fields, "")
        };
        let page = followed("GET /");
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.body.contains("app.js"), "{page:?}");
        // No other site can show it in a frame, or reach into its window.
        let policy = page.field("content-security-policy").expect("a policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.field("cross-origin-opener-policy"), Some("same-origin"));
        for request in ["POST /", "GET /inbox/json?poll=1", "GET /page/session"] {
            assert_eq!(followed(request).status, 403, "{request}");
        }
    }
}

#[test]
fn log_in_is_refused_as_auth_is_and_a_second_one_ends_the_first() {
    let server = Server::start_with(HTTP);
    let wrong = json!({"user": "paff", "password": "wrong"}).to_string();
    let refused = send(server.http(), "POST /page/session", &[], &wrong);
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("\"wrong_password\""), "{refused:?}");
    // A browser must not ask for a password itself.
    assert!(!refused.head.contains("Basic"), "{refused:?}");
    let foreign = [("Origin", "https://evil.example")];
    let login = json!({"user": "neko", "password": "cytus"}).to_string();
    assert_eq!(send(server.http(), "POST /page/session", &foreign, &login).status, 403);

    let first = cookie(&server, "paff");
    let here = format!("http://{}", server.http());
    let fields = [("Cookie", first.as_str()), ("Origin", here.as_str())];
    let second = send(server.http(), "POST /page/session", &fields, &login);
    assert!(second.body.contains("\"neko\""), "{second:?}");
    // The ending of the first session was asked for before.
    let token = first.split('=').nth(1).unwrap();
    assert_eq!(server.connect().refused(format!("whoami {token}")), "no_session");
}

#[test]
fn cookie_over_tls_is_bound_to_this_host_and_to_tls() {
    let options = [HTTP, &["--proxy-protocol", "127.0.0.1", "--allow-default-passwords"]].concat();
    let server = Server::start_with(&options);
    let login = json!({"user": "paff", "password": "cytus"}).to_string();
    let https = [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.1")];
    let response = send(server.http(), "POST /page/session", &https, login);
    let field = response.field("set-cookie").expect("a cookie");
    assert!(field.starts_with("__Host-chat=") && field.ends_with("; Secure"), "{field}");
    let cookie = field.split(';').next().unwrap();
    let who = |fields: &[(&str, &str)]| {
        let fields: Vec<_> = [("Cookie", cookie)].iter().chain(fields).copied().collect();
        send(server.http(), "GET /page/session", &fields, "").body
    };
    assert!(who(&https).contains("\"paff\""));
    assert!(!who(&[]).contains("\"paff\""), "a cookie of TLS is none without it");
}

pub(super) fn log_in(tab: &Tab<'_>, user: &str) {
    tab.fill("[name=username]", user);
    tab.fill("[name=password]", "cytus");
    tab.press("Enter");
    tab.wait("document.querySelector('.conversations a')");
}

pub(super) fn write(tab: &Tab<'_>, text: &str) {
    tab.fill(".write-box textarea", text);
    tab.press("Enter");
}

/// Holds once the conversation shows this text, exactly once.
pub(super) fn shows(text: &str) -> String {
    let text = json!(text);
    format!(
        "[...document.querySelectorAll('.log .text')].filter(it => it.textContent === {text})\
         .length === 1"
    )
}

/// The texts of the conversation.
pub(super) fn texts(tab: &Tab<'_>) -> Vec<String> {
    let all = "[...document.querySelectorAll('.log .text')].map(it => it.textContent)";
    serde_json::from_value(tab.value(all)).unwrap()
}

#[test]
fn two_browsers_and_the_prompt_talk_and_what_is_read_in_one_place_is_read_everywhere() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let url = format!("http://{}/", server.http());
    let token = server.log_in("neko");
    let chromium = Browser::start();
    let (one, other) = (chromium.profile(), chromium.profile());
    let (paff, neko) = (one.open(&url), other.open(&url));
    log_in(&paff, "paff");
    log_in(&neko, "neko");
    paff.go(&format!("{url}#/with/neko"));
    write(&paff, "hai neko");
    neko.wait("document.title === '(1) Chat'");
    // Another tab of neko counts, too, and is told when the first one has read it.
    let list = other.open(&url);
    list.wait("document.title === '(1) Chat'");
    neko.go(&format!("{url}#/with/paff"));
    neko.wait(&shows("hai neko"));
    neko.wait("document.title === 'Chat'");
    list.wait("document.title === 'Chat'");
    // Not sooner: the server closes a connection that asks for nothing.
    let mut wire = server.connect();
    assert_eq!(wire.done(format!("unread {token}"))["unread"], 0);
    // The same user at the prompt.
    wire.done(format!(r#"post {token} {{"to": ["paff"], "body": "from the prompt"}}"#));
    paff.wait(&shows("from the prompt"));
    neko.wait(&shows("from the prompt"));
    write(&neko, "from the page");
    paff.wait(&shows("from the page"));
    assert_eq!(texts(&paff), ["hai neko", "from the prompt", "from the page"]);
    // A question has buttons.
    let paffs = server.log_in("paff");
    let ask =
        json!({"to": ["neko"], "body": "Deploy?", "tags": ["ask", "choice:yes", "choice:no"]});
    wire.done(format!("post {paffs} {ask}"));
    neko.click(".choices button");
    paff.wait(&shows("yes"));
    neko.wait("document.querySelector('.choices button').disabled");
    assert_eq!(chromium.complaints(), [""; 0]);
}

#[test]
fn question_in_a_room_has_buttons_until_a_member_has_answered() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let [paffs, nekos, ivys] = ["paff", "neko", "ivy"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paffs} {{"room": "#build"}}"##));
    for token in [&nekos, &ivys] {
        wire.done(format!(r##"room_join {token} {{"room": "#build"}}"##));
    }
    let mut post = |token: &str, tags: &[&str], reply_to: Option<i64>, body: &str| {
        let mut post = json!({"to": ["#build"], "body": body, "tags": tags});
        if let Some(id) = reply_to {
            post["reply_to"] = json!(id);
        }
        wire.done(format!("post {token} {post}"))["id"].as_i64().unwrap()
    };
    let offer = ["ask", "choice:yes", "choice:no"];
    let first = post(&paffs, &offer, None, "first?");
    let of_ivy = post(&paffs, &["ask", "choice:yes", "by:ivy"], None, "ivy?");
    let second = post(&paffs, &offer, None, "second?");
    let url = format!("http://{}/#/with/%23build", server.http());
    let chromium = Browser::start();
    let neko = chromium.profile().open(&url);
    log_in(&neko, "neko");
    let buttons =
        |id: i64| format!("[...document.querySelectorAll(\"[data-id='{id}'] .choices button\")]");
    let is_open =
        |id: i64| format!("{}.map(it => !it.disabled).join() === 'true,true'", buttons(id));
    neko.wait(&format!("{} && {}", is_open(first), is_open(second)));
    assert_eq!(neko.value(&format!("{}.length", buttons(of_ivy))), 0);
    // Neither a message that is no reply nor another answer closes it, and one's own does.
    post(&ivys, &[], None, "yes");
    post(&ivys, &[], Some(first), "why?");
    post(&ivys, &[], None, "last");
    neko.wait(&shows("last"));
    neko.wait(&is_open(first));
    let answer = post(&ivys, &[], Some(first), "No");
    let is_closed = |id: i64| format!("{}.every(it => it.disabled)", buttons(id));
    neko.wait(&is_closed(first));
    assert_eq!(neko.value(&is_open(second)), true);
    neko.value(&format!("{}[1].click()", buttons(second)));
    neko.wait(&is_closed(second));
    neko.wait(&shows("no"));
    let fetch = format!(r#"fetch {paffs} {{"thread": {second}}}"#);
    let thread = server.connect().done(fetch)["messages"].take();
    assert_eq!((&thread[1]["from"], &thread[1]["body"]), (&json!("neko"), &json!("no")));
    assert_eq!((&thread[1]["room"], &thread[1]["reply_to"]), (&json!("#build"), &json!(second)));
    // Without the answer it is open again.
    server.connect().done(format!(r#"delete {ivys} {{"id": {answer}}}"#));
    neko.wait(&is_open(first));
    assert_eq!(chromium.complaints(), [""; 0]);
}

#[test]
fn what_is_seen_while_the_server_is_away_is_marked_once_it_is_there_again() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let relay = Relay::to(server.http());
    let chromium = Browser::start();
    let neko = chromium.profile().open(&format!("http://{}/#/with/paff", relay.address()));
    log_in(&neko, "neko");
    neko.wait("document.querySelector('.log .empty')");
    // Nobody looks at the window, and its marks are counted.
    neko.value(
        "document.hasFocus = () => false;
        const send = window.fetch;
        window.marks = { failed: 0, stored: 0 };
        window.fetch = async (path, ...rest) => {
            const isMark = String(path).endsWith('/ack');
            try {
                const response = await send(path, ...rest);
                if (isMark && response.ok) marks.stored += 1;
                return response;
            } catch (error) {
                if (isMark) marks.failed += 1;
                throw error;
            }
        };
        0",
    );
    let (paff, token) = (server.log_in("paff"), server.log_in("neko"));
    let unread = || server.connect().done(format!("unread {token}"))["unread"].as_i64();
    server.connect().done(format!(r#"post {paff} {{"to": ["neko"], "body": "hai neko"}}"#));
    neko.wait(&shows("hai neko"));
    neko.wait("document.title === '(1) Chat'");
    relay.close();
    neko.value("document.hasFocus = () => true; window.dispatchEvent(new Event('focus')); 0");
    neko.wait("marks.failed > 0");
    assert_eq!(unread(), Some(1));
    relay.open();
    neko.wait("marks.stored > 0");
    neko.wait("document.title === 'Chat'");
    assert_eq!(unread(), Some(0));
}

#[test]
fn what_is_written_while_the_server_is_away_is_sent_once_even_if_the_tab_is_killed() {
    if !browser::is_there() {
        return;
    }
    let mut server = Server::start_with(HTTP);
    let relay = Relay::to(server.http());
    let url = format!("http://{}/#/with/paff", relay.address());
    let chromium = Browser::start();
    let profile = chromium.profile();
    let neko = profile.open(&url);
    log_in(&neko, "neko");
    write(&neko, "before");
    neko.wait(&shows("before"));
    neko.wait("!document.querySelector('.waits')");
    server.kill();
    relay.close();
    for text in ["one", "two"] {
        write(&neko, text);
    }
    neko.wait("document.querySelectorAll('.waits').length === 2");
    neko.fill(".write-box textarea", "a draft");
    neko.close();
    server.start_again();
    relay.point_at(server.http());
    relay.open();
    // The cookie is still there, and so is the outbox.
    let neko = profile.open(&url);
    neko.wait(&shows("two"));
    neko.wait("!document.querySelector('.waits')");
    assert_eq!(texts(&neko), ["before", "one", "two"]);
    assert_eq!(neko.value("document.querySelector('.write-box textarea').value"), "a draft");
    let token = server.log_in("paff");
    let page = server.connect().done(format!(r#"fetch {token} {{"with": "neko"}}"#));
    let stored = page["messages"].as_array().unwrap().iter().map(|it| it["body"].as_str().unwrap());
    assert_eq!(stored.collect::<Vec<_>>(), ["before", "one", "two"]);
}

#[test]
fn nothing_is_sent_as_another_user_who_logs_in_in_the_same_browser() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(&["--http", "127.0.0.1:0", "--inbox-unread-max", "1"]);
    let url = format!("http://{}", server.http());
    let invited = operator::objects(&server.database(), &["invite", "--url", &url]);
    let chromium = Browser::start();
    let profile = chromium.profile();
    let neko = profile.open(&format!("{url}/#/with/paff"));
    log_in(&neko, "neko");
    for text in ["one", "two"] {
        write(&neko, text);
    }
    neko.wait(&shows("one"));
    neko.wait("document.querySelectorAll('.waits').length === 1");
    // Both tabs have one cookie.
    let mia = profile.open(invited[0]["link"].as_str().unwrap());
    mia.fill("[name=username]", "mia");
    mia.fill("[name=password]", "own password");
    mia.fill("[name=again]", "own password");
    mia.press("Enter");
    mia.wait("document.querySelector('.conversations a')");
    let paff = server.log_in("paff");
    server.connect().done(format!("inbox {paff}"));
    neko.wait("document.querySelector('.log-in')");
    log_in(&neko, "neko");
    neko.wait(&shows("two"));
    neko.wait("!document.querySelector('.waits')");
    mia.wait("document.querySelector('.log-in')");
    let with = |user: &str| {
        let page = server.connect().done(format!(r#"fetch {paff} {{"with": "{user}"}}"#));
        page["messages"].as_array().unwrap().len()
    };
    assert_eq!((with("neko"), with("mia")), (2, 0));
}

#[test]
fn page_opens_in_a_browser_that_can_keep_no_files() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let url = format!("http://{}", server.http());
    let chromium = Browser::start();
    let tab = chromium.profile().open(&url);
    tab.wait("document.querySelector('.log-in') && navigator.serviceWorker.controller");
    tab.limit_storage(&url, 1);
    tab.value("window.isBefore = true");
    tab.go(&url);
    tab.wait("!window.isBefore && document.querySelector('.log-in')");
}

#[test]
fn text_that_the_browser_cannot_keep_stays_in_the_box() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let url = format!("http://{}", server.http());
    let chromium = Browser::start();
    let neko = chromium.profile().open(&format!("{url}/#/with/paff"));
    log_in(&neko, "neko");
    neko.limit_storage(&url, 1);
    write(&neko, "hai paff");
    neko.wait("document.querySelector('.write-box .problem').textContent.includes('no room')");
    assert_eq!(neko.value("document.querySelector('.write-box textarea').value"), "hai paff");
    let paff = server.log_in("paff");
    assert_eq!(server.connect().done(format!("unread {paff}"))["unread"], 0);
}

#[test]
fn full_inbox_holds_up_only_what_is_for_it() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(&["--http", "127.0.0.1:0", "--inbox-unread-max", "1"]);
    let url = format!("http://{}/", server.http());
    let chromium = Browser::start();
    let neko = chromium.profile().open(&format!("{url}#/with/paff"));
    log_in(&neko, "neko");
    for text in ["one", "two", "three"] {
        write(&neko, text);
    }
    neko.wait("document.querySelectorAll('.waits').length === 2");
    neko.go(&format!("{url}#/with/ivy"));
    write(&neko, "hai ivy");
    neko.wait(&shows("hai ivy"));
    neko.wait("!document.querySelector('.waits')");
    neko.go(&format!("{url}#/with/paff"));
    let paff = server.log_in("paff");
    for text in ["two", "three"] {
        neko.wait("document.querySelector('.waits')");
        server.connect().done(format!("inbox {paff}"));
        // The page tries again by itself.
        neko.wait(&format!(
            "[...document.querySelectorAll('.log article:not(.waits) .text')]\
                            .some(it => it.textContent === '{text}')"
        ));
    }
    assert_eq!(texts(&neko), ["one", "two", "three"]);
}

#[test]
fn message_that_comes_after_a_later_one_is_shown_and_counted_once() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let chromium = Browser::start();
    let tab = chromium.profile().open(&format!("http://{}/", server.http()));
    tab.wait("document.querySelector('.log-in')");
    // The answer to what a page sends may overtake the stream.
    let taken = tab.value(
        "(async () => {
            const address = document.querySelector('script').src.replace('app.js', 'inbox.js');
            const { Inbox } = await import(address);
            const inbox = new Inbox('neko');
            const told = [];
            inbox.addEventListener('message', (event) => told.push(event.detail.id));
            const at = new Date().toISOString();
            const mine = { id: 10, at, from: 'neko', to: 'paff', body: 'mine' };
            const theirs = { id: 9, at, from: 'paff', to: 'neko', body: 'theirs' };
            for (const message of [mine, theirs, mine, theirs]) inbox.take(message);
            return [told, inbox.unread, inbox.conversations.get('paff').newest.id];
        })()",
    );
    assert_eq!(taken, json!([[10, 9], 1, 10]));
}

#[test]
fn list_of_conversations_is_drawn_once_for_all_messages_of_a_moment() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let chromium = Browser::start();
    let tab = chromium.profile().open(&format!("http://{}/", server.http()));
    tab.wait("document.querySelector('.log-in')");
    let drawn = tab.value(
        "(async () => {
            const address = document.querySelector('script').src;
            const load = (name) => import(address.replace('app.js', name));
            const { Inbox } = await load('inbox.js');
            const { ConversationList } = await load('conversation-list.js');
            const { Presence } = await load('presence.js');
            const inbox = new Inbox('neko');
            const presence = new Presence(inbox, new AbortController().signal);
            const { element } = new ConversationList(inbox, presence, {});
            document.body.append(element);
            let drawn = 0;
            const changes = new MutationObserver((records) => { drawn += records.length; });
            changes.observe(element.querySelector('ul'), { childList: true });
            const at = new Date().toISOString();
            for (let id = 1; id <= 500; id += 1)
                inbox.take({ id, at, from: 'paff', to: 'neko', body: `message ${id}` });
            const frame = () => new Promise((done) => requestAnimationFrame(done));
            await frame();
            await frame();
            return [drawn, element.querySelector('.preview').textContent];
        })()",
    );
    assert_eq!(drawn, json!([1, "message 500"]));
}

#[test]
fn page_that_begins_again_has_ended_the_one_before() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let relay = Relay::to(server.http());
    let chromium = Browser::start();
    let neko = chromium.profile().open(&format!("http://{}/", relay.address()));
    log_in(&neko, "neko");
    neko.value(
        "localStorage.setItem('notices', 'yes');
        document.hasFocus = () => false;
        window.shown = [];
        window.Notification = class {
            static permission = 'granted';
            constructor(title, { body }) { shown.push(body); }
            close() {}
        };
        0",
    );
    open_dialog(&neko, ".conversations header button:nth-of-type(3)");
    relay.close();
    neko.click("dialog > .line button");
    neko.wait("document.querySelector('.entrance [role=alert]')");
    relay.open();
    neko.click(".entrance button");
    neko.wait("document.querySelector('.conversations a')");
    let paff = server.log_in("paff");
    for text in ["one", "two"] {
        server.connect().done(format!(r#"post {paff} {{"to": ["neko"], "body": "{text}"}}"#));
        neko.wait(&format!("shown.includes('{text}')"));
    }
    assert_eq!(neko.value("shown"), json!(["one", "two"]));
}

/// Clicks one of the buttons of a message: reply, then edit and delete as far as they are there.
fn act(tab: &Tab<'_>, id: i64, number: usize) {
    tab.click(&format!("[data-id='{id}'] .acts button:nth-of-type({number})"));
}

fn delete_in_page(tab: &Tab<'_>, id: i64) {
    act(tab, id, 3);
    tab.click("dialog .main");
    tab.wait("!document.querySelector('dialog')");
}

/// Loads the page again, and waits until this holds.
fn load_again(tab: &Tab<'_>, holds: &str) {
    tab.value("window.isBefore = true; setTimeout(() => location.reload()); 0");
    tab.wait(&format!("!window.isBefore && ({holds})"));
}

#[test]
fn message_is_edited_and_deleted_and_every_page_shows_it_at_once() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let url = format!("http://{}/", server.http());
    let paffs = server.log_in("paff");
    let post = |body: &str| {
        let post = json!({"to": ["neko"], "body": body});
        server.connect().done(format!("post {paffs} {post}"))["id"].as_i64().unwrap()
    };
    let chromium = Browser::start();
    let (one, other) = (chromium.profile(), chromium.profile());
    let paff = one.open(&format!("{url}#/with/neko"));
    let neko = other.open(&format!("{url}#/with/ivy"));
    log_in(&paff, "paff");
    log_in(&neko, "neko");
    let (kept, gone) = (post("helo neko"), post("a secret"));
    paff.wait(&shows("a secret"));
    neko.wait("document.title === '(2) Chat'");
    let preview = |text: &str| {
        format!("document.querySelector('.conversations .preview').textContent === {}", json!(text))
    };
    neko.wait(&preview("a secret"));
    // What was begun in the box is there again after the edit.
    paff.fill(".write-box textarea", "a draft");
    act(&paff, kept, 2);
    let in_box = "document.querySelector('.write-box textarea').value";
    assert_eq!(paff.value(in_box), "helo neko");
    write(&paff, "hello neko");
    paff.wait(&shows("hello neko"));
    paff.wait(&format!("{in_box} === 'a draft'"));
    // Who does not look at the conversation counts, and sees the list, without the deleted one.
    delete_in_page(&paff, gone);
    paff.wait("document.querySelectorAll('.log .message').length === 1");
    neko.wait("document.title === '(1) Chat'");
    neko.wait(&preview("hello neko"));
    neko.go(&format!("{url}#/with/paff"));
    neko.wait(&shows("hello neko"));
    neko.wait("document.querySelector('.message .edited')");
    assert_eq!(texts(&neko), ["hello neko"]);
    // An edit at the prompt comes to both. An answer loses what it answers.
    let edit = json!({"id": kept, "body": "hello again"});
    server.connect().done(format!("edit {paffs} {edit}"));
    for tab in [&paff, &neko] {
        tab.wait(&shows("hello again"));
    }
    let asked = post("what?");
    neko.wait(&shows("what?"));
    act(&neko, asked, 1);
    write(&neko, "nothing");
    let answered = "document.querySelector('.log .answers')?.textContent";
    for tab in [&paff, &neko] {
        tab.wait(&format!("{answered}.includes('what?')"));
    }
    neko.wait("!document.querySelector('.waits')");
    server.connect().done(format!(r#"delete {paffs} {{"id": {asked}}}"#));
    for tab in [&paff, &neko] {
        tab.wait(&format!("{answered}.includes('earlier')"));
        assert_eq!(texts(tab), ["hello again", "nothing"]);
        load_again(tab, &shows("nothing"));
        assert_eq!(texts(tab), ["hello again", "nothing"]);
        assert_eq!(tab.value("document.querySelectorAll('.message .edited').length"), 1);
    }
    assert_eq!(chromium.complaints(), [""; 0]);
}

#[test]
fn page_that_was_away_shows_what_was_changed_meanwhile() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let relay = Relay::to(server.http());
    let paff = server.log_in("paff");
    let ids = ["one", "two", "three"].map(|body| {
        let post = json!({"to": ["neko"], "body": body});
        server.connect().done(format!("post {paff} {post}"))["id"].as_i64().unwrap()
    });
    let chromium = Browser::start();
    let neko = chromium.profile().open(&format!("http://{}/#/with/paff", relay.address()));
    log_in(&neko, "neko");
    neko.wait(&shows("three"));
    relay.close();
    let edit = json!({"id": ids[1], "body": "two, edited"});
    server.connect().done(format!("edit {paff} {edit}"));
    server.connect().done(format!(r#"delete {paff} {{"id": {}}}"#, ids[0]));
    relay.open();
    neko.wait(&shows("two, edited"));
    neko.wait("document.querySelectorAll('.log .message').length === 2");
    assert_eq!(texts(&neko), ["two, edited", "three"]);
}

#[test]
fn moderator_deletes_and_only_the_author_edits() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let [paffs, nekos] = ["paff", "neko"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!(r##"room_create {paffs} {{"room": "#build"}}"##));
    wire.done(format!(r##"room_join {nekos} {{"room": "#build"}}"##));
    let mut post = |token: &str, body: &str| {
        let post = json!({"to": ["#build"], "body": body});
        wire.done(format!("post {token} {post}"))["id"].as_i64().unwrap()
    };
    let (of_paff, of_neko) = (post(&paffs, "of paff"), post(&nekos, "of neko"));
    let (noise, last) = (post(&nekos, "noise"), post(&nekos, "last"));
    let url = format!("http://{}/#/with/%23build", server.http());
    let chromium = Browser::start();
    let (one, other) = (chromium.profile(), chromium.profile());
    let (paff, neko) = (one.open(&url), other.open(&url));
    log_in(&paff, "paff");
    log_in(&neko, "neko");
    let acts = |tab: &Tab<'_>, id: i64| {
        let found = format!("[...document.querySelectorAll(\"[data-id='{id}'] .acts button\")]");
        tab.wait(&format!("{found}.length > 0"));
        tab.value(&format!("{found}.map(it => it.textContent)"))
    };
    assert_eq!(acts(&paff, of_neko), json!(["Reply", "Delete"]));
    assert_eq!(acts(&paff, of_paff), json!(["Reply", "Edit", "Delete"]));
    assert_eq!(acts(&neko, of_paff), json!(["Reply"]));
    // By the keys. The author is told of it.
    paff.value(&format!("document.querySelector(\"[data-id='{noise}']\").focus()"));
    paff.press("Delete");
    paff.click("dialog .main");
    for tab in [&paff, &neko] {
        tab.wait("document.querySelectorAll('.log .message').length === 3");
        assert_eq!(texts(tab), ["of paff", "of neko", "last"]);
    }
    // What is refused stays in the box.
    server.connect().done(format!(r##"room_archive {paffs} {{"room": "#build"}}"##));
    neko.value(&format!("document.querySelector(\"[data-id='{last}']\").focus()"));
    neko.press("e");
    write(&neko, "last, edited");
    neko.wait("document.querySelector('.write-box .problem').textContent.includes('archived')");
    assert_eq!(neko.value("document.querySelector('.write-box textarea').value"), "last, edited");
    neko.press("Escape");
    neko.wait("document.querySelector('.write-box textarea').value === ''");
    neko.value("localStorage.setItem('language', 'id')");
    load_again(&neko, &shows("last"));
    assert_eq!(acts(&neko, last), json!(["Balas", "Ubah", "Hapus"]));
}

/// Texts that attack a page or a reader.
const ATTACKS: &[&str] = &[
    "<img src=x onerror=\"document.title='attacked'\"><script>document.title='attacked'</script>",
    "javascript:document.title='attacked' data:text/html,<script>1</script>",
    "https://127.0.0.1/\"onmouseover=\"document.title='attacked'",
    "</p></article><style>*{display:none}</style>",
    "{{constructor.constructor('document.title=1')()}} ${7*7}",
];

#[test]
fn what_attacks_a_page_arrives_as_text() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let token = server.log_in("paff");
    let mut wire = server.connect();
    for text in ATTACKS {
        let post = json!({"to": ["neko"], "body": text, "title": text, "tags": ["<b>tag</b>"]});
        wire.done(format!("post {token} {post}"));
    }
    let post = json!({"to": ["neko"], "body": "\u{202e}gnp.exe \u{1b}[31m", "priority": 5});
    wire.done(format!("post {token} {post}"));
    wire.done(format!(r##"room_create {token} {{"room": "#r", "topic": "<i>topic</i>"}}"##));
    let url = format!("http://{}/", server.http());
    let chromium = Browser::start();
    let neko = chromium.profile().open(&format!("{url}#/with/paff"));
    log_in(&neko, "neko");
    neko.wait("document.querySelectorAll('.message').length === 6");
    let shown = texts(&neko);
    assert_eq!(shown[..ATTACKS.len()], *ATTACKS);
    assert_eq!(shown[5], "U+202Egnp.exe U+001B[31m");
    let links = "[...document.querySelectorAll('.place a')]";
    assert_eq!(neko.value(&format!("{links}.length > 0")), true);
    let safe = "it => /^https?:$/.test(it.protocol) && it.rel === 'noopener noreferrer'";
    assert_eq!(neko.value(&format!("{links}.every({safe})")), true);
    let made =
        "document.querySelectorAll('main img, main script, main style, main i, main b').length";
    assert_eq!(neko.value(made), 0);
    // The conversation begins at the first unread message, and the last one is not in sight.
    assert_eq!(neko.value("document.querySelector('.log').scrollTop"), 0);
    neko.value("document.querySelector('.log').scrollTop = 1e6");
    neko.wait("document.title === 'Chat'");
    neko.go(&format!("{url}#/search/attacked"));
    neko.wait("document.querySelectorAll('.results li').length >= 3");
    neko.click(".conversations header button:nth-of-type(2)");
    neko.wait("document.querySelector('dialog .rows li')");
    assert_eq!(neko.value("document.querySelectorAll('dialog i').length"), 0);
    assert_eq!(chromium.complaints(), [""; 0]);
}

#[test]
fn long_conversation_is_scrolled_to_its_beginning_and_stays_small_in_the_page() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let token = server.log_in("paff");
    let mut wire = server.connect();
    let count = 600;
    for number in 0..count {
        wire.done(format!(r#"post {token} {{"to": ["neko"], "body": "message {number}"}}"#));
    }
    let nekos = server.log_in("neko");
    wire.done(format!(r#"ack {nekos} {{"upto": {count}}}"#));
    let chromium = Browser::start();
    let neko = chromium.profile().open(&format!("http://{}/#/with/paff", server.http()));
    log_in(&neko, "neko");
    neko.wait(&shows(&format!("message {}", count - 1)));
    let at_first =
        format!("(document.querySelector('.log').scrollTop = 0, {})", shows("message 0"));
    neko.wait(&at_first);
    let shown = texts(&neko);
    let numbers: Vec<u32> =
        shown.iter().map(|text| text.strip_prefix("message ").unwrap().parse().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    assert!(numbers.len() < 400, "{}", numbers.len());
    neko.click(".down");
    neko.wait(&shows(&format!("message {}", count - 1)));
    assert_eq!(chromium.complaints(), [""; 0]);
}

/// A page of short messages does not fill it, so nobody can scroll.
#[test]
fn high_window_is_filled_with_older_messages() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for number in 0..150 {
        wire.done(format!(r#"post {paff} {{"to": ["neko"], "body": "message {number}"}}"#));
    }
    wire.done(format!(r#"ack {neko} {{"upto": 150}}"#));
    let chromium = Browser::start();
    let tab = chromium.profile().open(&format!("http://{}/#/with/paff", server.http()));
    tab.resize(2160, 6000);
    log_in(&tab, "neko");
    tab.wait(&shows("message 0"));
    assert_eq!(texts(&tab).len(), 150);
}

#[test]
fn page_stays_small_while_its_reader_is_scrolled_up_and_many_messages_come() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let (paff, nekos) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let mut post = |number: usize| {
        wire.done(format!(r#"post {paff} {{"to": ["neko"], "body": "message {number}"}}"#))["id"]
            .as_i64()
            .unwrap()
    };
    let (before, count) = (30, 430);
    let newest = (0..before).map(&mut post).last().unwrap();
    server.connect().done(format!(r#"ack {nekos} {{"upto": {newest}}}"#));
    let chromium = Browser::start();
    let neko = chromium.profile().open(&format!("http://{}/#/with/paff", server.http()));
    log_in(&neko, "neko");
    neko.wait(&shows("message 29"));
    neko.value("document.querySelector('.log').scrollTop = 0");
    for number in before..count {
        post(number);
    }
    neko.wait("document.title === '(400) Chat'");
    let shown = texts(&neko);
    assert!(shown[0] == "message 0" && shown.len() < 400, "{}", shown.len());
    neko.click(".down");
    neko.wait(&shows("message 429"));
    neko.wait("document.title === 'Chat'");
}

#[test]
fn person_opens_the_link_of_an_invitation_and_writes_the_first_message() {
    if !browser::is_there() {
        return;
    }
    let server = Server::start_with(HTTP);
    let token = server.log_in("paff");
    server.connect().done(format!(r##"room_create {token} {{"room": "#build"}}"##));
    let page = format!("http://{}", server.http());
    let words = ["invite", "--rooms", "build", "--url", &page];
    let invited = operator::objects(&server.database(), &words);
    let link = invited[0]["link"].as_str().unwrap();
    let chromium = Browser::start();
    let profile = chromium.profile();
    let mia = profile.open(link);
    mia.fill("[name=username]", "paff");
    assert!(mia.value("document.body.innerText").as_str().unwrap().contains("#build"));
    mia.fill("[name=password]", "own password");
    mia.fill("[name=again]", "another one");
    mia.press("Enter");
    mia.wait("document.querySelector('.problem').textContent.includes('not the same')");
    mia.fill("[name=again]", "own password");
    mia.press("Enter");
    mia.wait("document.querySelector('.problem').textContent.includes('taken')");
    mia.fill("[name=username]", "mia");
    mia.press("Enter");
    mia.wait("document.querySelector('.conversations a')");
    assert_eq!(mia.value("location.hash"), "#/", "the secret is not in the address any more");
    mia.go(&format!("{page}/#/with/%23build"));
    write(&mia, "hai, I am new");
    mia.wait(&shows("hai, I am new"));
    mia.wait("!document.querySelector('.waits')");
    assert_eq!(server.connect().done(format!("unread {token}"))["unread"], 1);
    // Somebody else finds the link.
    let other = chromium.profile().open(link);
    other.wait("document.querySelector('.problem')?.textContent.includes('was used')");
    assert_eq!(other.value("location.hash"), "#/");
    other.fill("[name=username]", "mia");
    other.fill("[name=password]", "own password");
    other.press("Enter");
    other.wait("document.querySelector('.conversations a')");
    let refused = chromium.complaints();
    let refused: Vec<_> = refused.iter().filter(|text| !text.contains("/api/v1/")).collect();
    assert_eq!(refused, [""; 0], "the browser logs refusals, and nothing else");
}

/// Opens a dialog by this button of the list.
pub(super) fn open_dialog(tab: &Tab<'_>, selector: &str) {
    tab.click(selector);
    tab.wait("document.querySelector('dialog .rows li')");
}
