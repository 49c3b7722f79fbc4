//! The recipes of docs/cookbook.md, followed to the letter: scripts and output are those of the
//! page. Where a recipe waits for something, the test provides it.

use std::collections::BTreeSet;
use std::path::Path;

#[cfg(feature = "postgres")]
use crate::support::new_on_postgres;
use crate::support::page::{Names, blocks, fits};
use crate::support::recipe::{OPERATOR, Recipe, SUCCESSOR, assert_all_are_tested};
use crate::support::{Server, Wire, is_on_postgres, wait_until};

const PAGE: &str = include_str!("../../docs/cookbook.md");

recipes! {
    login []
    token []
    local []
    cron []
    expected ["curl"]
    build []
    disk []
    tail []
    push ["git"]
    once ["jq"]
    later []
    queue ["jq"]
    workers []
    keep []
    bot ["jq"]
    desktop ["jq"]
    wait []
    gate []
    agent ["jq"]
    room []
    status []
    digest ["jq"]
    archive ["jq"]
    curl ["curl"]
    python ["python3"]
    nc ["nc"]
    bash ["bash"]
    everybody []
    reports ["sqlite3"]
    backup []
    moving []
    postgres []
}

/// The sections of the page that are not recipes.
const PROSE: [&str; 1] = ["Before you begin"];

/// The sections of the page: title and text.
fn sections() -> Vec<(&'static str, &'static str)> {
    let sections = PAGE.split("\n## ").skip(1);
    let mut sections: Vec<_> =
        sections.map(|section| section.split_once('\n').expect("a title and a text")).collect();
    sections.retain(|(title, _)| !PROSE.contains(title));
    sections
}

#[test]
fn every_recipe_has_a_test_and_every_test_a_recipe() {
    assert_all_are_tested(PAGE, TESTED);
    assert!(TESTED.len() >= 18, "there are so many");
    for (title, text) in sections() {
        let blocks = blocks(text);
        let names: BTreeSet<_> =
            blocks.iter().filter_map(|block| block.attribute("recipe")).collect();
        assert_eq!(names.len(), 1, "the section {title:?} is one recipe, not {names:?}");
    }
}

#[test]
fn every_recipe_says_what_it_needs_and_stands_in_the_list_at_the_top() {
    let (list, _) = PAGE.split_once("\n## ").expect("a list");
    for (title, text) in sections() {
        let link = format!("(#{})", title.to_lowercase().replace(' ', "-"));
        assert!(list.contains(&link), "the list has no {link}");
        let blocks = blocks(text);
        let name = blocks.iter().find_map(|block| block.attribute("recipe")).expect(title);
        let (_, programs) = TESTED.iter().find(|(tested, _)| *tested == name).expect(name);
        let needs = text.lines().find(|line| line.starts_with("Needs: ")).unwrap_or_default();
        for program in *programs {
            assert!(needs.contains(&format!("`{program}`")), "{title:?} needs {program}: {needs}");
        }
    }
}

/// A script for this, written to a file in a home.
fn script(text: &str) -> String {
    format!("#!/bin/sh\n{text}\n")
}

fn login(recipe: &mut Recipe) {
    recipe.done("robo", "chat-cli logout");
    recipe.run();
    recipe.run_again(0);
    let sessions = "select count(*) from v1_sessions where user = 'robo'";
    assert_eq!(recipe.server.query(sessions), ["1"], "a good session is kept");
    // The operator, or time, ends the session.
    let other = recipe.server.log_in("robo");
    recipe.server.connect().done(format!("revoke {other} {{\"others\": true}}"));
    recipe.run_again(0);
    assert_eq!(recipe.count("neko"), 3);
    let apart = "export CHAT_USER=neko; echo cytus | chat-cli auth
        CHAT_USER=robo chat-login robo && chat-cli whoami && CHAT_USER=robo chat-cli whoami";
    let printed = recipe.done("robo", apart);
    assert!(printed.contains("neko (Neko UwU)\nrobo (Robo Head)\n"), "{printed}");
    recipe.done("robo", "chat-cli logout; echo wrong >~/.config/chat-password");
    assert_eq!(recipe.sh("robo", "chat-login robo").code, 77);
    recipe.server.stop();
    let outcome = recipe.sh("robo", "chat-login robo");
    // Without a session, no server needs to be asked.
    assert_eq!(outcome.code, 69, "{outcome:?}");
    assert!(outcome.stderr.contains("cannot"), "{outcome:?}");
}

fn local(recipe: &mut Recipe) {
    // The kernel takes the test for robo, on a socket that is not the machine's.
    recipe.done("robo", "chat-cli logout");
    let listen = format!("unix:{}", recipe.home("robo").path().join("chat.sock").display());
    let entry = format!("uid {}=robo", rustix::process::geteuid().as_raw());
    recipe.server = Server::start_with(&["--listen", &listen, "--unix-user-map", &entry]);
    recipe.set("CHAT_SERVER", &listen);
    recipe.run();
    assert_eq!(recipe.count("neko"), 1);
    recipe.run();
    assert!(recipe.server.query("select * from v1_sessions").is_empty(), "a session is left");
    recipe.server.stop();
    assert_eq!(recipe.sh("robo", "chat-cli send neko 'is it there?'").code, 69);
}

fn token(recipe: &mut Recipe) {
    recipe.run();
    recipe.run();
    let outside = "env -u XDG_STATE_HOME HOME=/nowhere CHAT_TOKEN=\"$(cat ci-token)\"";
    recipe.done("robo", &format!("{outside} chat-cli send neko it works"));
    assert_eq!(recipe.sh("robo", &format!("{outside} chat-cli inbox")).code, 1);
    recipe.run();
    let outcome = recipe.sh("robo", &format!("{outside} chat-cli send neko it works"));
    assert_eq!(outcome.code, 77, "{outcome:?}");
    recipe.done("robo", "chat-cli whoami");
}

fn cron(recipe: &mut Recipe) {
    recipe.put("robo", "bin/nightly-report", &script("exit 0"));
    recipe.run();
    assert_eq!(recipe.count("neko"), 0, "nothing to say");
    recipe.put("robo", "bin/nightly-report", &script("echo orders.csv: no such file >&2; exit 3"));
    assert_eq!(recipe.run_again(3), "");
    let outcome = "chat-cli inbox --peek --raw";
    assert!(recipe.done("neko", outcome).contains("exit code 3"));
    recipe.server.stop();
    let printed = recipe.run_again(3);
    assert!(printed.contains("orders.csv: no such file\n"), "{printed}");
    recipe.server.start_again_at_its_address();
    // Longer than a message may be, cut within a letter, and not UTF-8 besides.
    let long = "printf '\\377'; i=0; while [ $i -lt 12000 ]; do echo ☃ææ; i=$((i+1)); done";
    recipe.put("robo", "bin/nightly-report", &script(long));
    recipe.done("robo", "chat-cron paff long nightly-report");
    recipe.put("robo", "bin/nightly-report", &script("echo x"));
    recipe.done("robo", "chat-cron paff short nightly-report");
    assert_eq!(recipe.count("paff"), 2);
    recipe.run();
}

fn expected(recipe: &mut Recipe) {
    let address = recipe.server.address().to_string();
    recipe.server.stop();
    recipe.server.start_again_with(&["--http", "127.0.0.1:0"]);
    recipe.server.stop();
    // The sessions of the users belong to this address.
    recipe.server.start_again_listening(&address);
    recipe.set("CHAT_HTTP", &format!("http://{}", recipe.server.http()));
    recipe.run();
    let failing = "echo tar: /srv: No space left on device >&2; exit 3";
    recipe.put("robo", "bin/backup", &script(failing));
    recipe.run_failing(3);
    wait_until("the failure is told of", || recipe.count("neko") == 1);
    recipe.run();
    recipe.put("robo", "bin/backup", &script("exit 0"));
    recipe.done("robo", "chat-expected backup backup");
    wait_until("the return is told of", || recipe.count("neko") == 2);
}

fn build(recipe: &mut Recipe) {
    recipe.put("robo", "bin/make", &script("echo testing; exit 2"));
    recipe.run_failing(2);
    recipe.run();
    recipe.server.stop();
    let outcome = recipe.sh("robo", "chat-cli send --done neko -- make test");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, "testing\n"));
    assert!(
        outcome.stderr.starts_with("note: the result of the command was not sent to neko"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("\nerror: cannot reach"), "{outcome:?}");
}

fn disk(recipe: &mut Recipe) {
    let df = "cat <<END
Filesystem     1024-blocks      Used Available Capacity Mounted on
/dev/sda1         10218772   9710000    500000      95% /
/dev/sdb1         10218772   1710000   8500000      17% /home
none                     0         0         0       -  /proc
END";
    recipe.put("robo", "bin/df", &script(df));
    recipe.server.stop();
    recipe.run();
    recipe.server.start_again_at_its_address();
    recipe.run_again(0);
    recipe.run_again(0);
    assert_eq!(recipe.count("neko"), 1);
    recipe.run();
    recipe.done("robo", "rm ~/bin/df; chat-disk paff 0");
    let disks = recipe.done("robo", "df -P -l | tail -n +2 | grep -c '[0-9]%'");
    assert_eq!(recipe.count("paff").to_string(), disks.trim(), "the real df is understood");
}

fn tail(recipe: &mut Recipe) {
    recipe.log_in("paff");
    let log = |recipe: &Recipe, line: &str| {
        recipe.done("robo", &format!("echo '{line}' >>~/app-2026-11-24.log"));
    };
    log(recipe, "one");
    let running = recipe.start();
    assert_eq!(recipe.next_message("paff"), "one");
    log(recipe, "two");
    assert_eq!(recipe.next_message("paff"), "two");
    running.stop();
    log(recipe, "three");
    let running = recipe.start_again();
    assert_eq!(recipe.next_message("paff"), "three");
    log(recipe, "four");
    assert_eq!(recipe.next_message("paff"), "four");
    running.stop();
    log(recipe, "five");
    recipe.run();
    assert_eq!(recipe.next_message("paff"), "five");
    recipe.run_again(0);
    assert_eq!(recipe.count("paff"), 5);
    recipe.done("robo", "echo anew >~/app-2026-11-24.log");
    assert!(recipe.run_again(65).contains("key was used before"));
}

fn push(recipe: &mut Recipe) {
    let begin = "git init -q --bare -b main project.git && git clone -q project.git work 2>&1 &&
        cd work && git config user.name Vanessa && git config user.email vanessa@example.org &&
        git checkout -q -b main && echo >a && git add a && git commit -q -m 'the parser takes tabs'";
    recipe.done("robo", begin);
    recipe.run();
    recipe.run();
    assert_eq!(recipe.count("paff"), 1);
    recipe
        .done("robo", "cd work && git commit -q --allow-empty -m again && git push -q origin main");
    let told = recipe.done("neko", "chat-cli inbox --raw");
    assert!(told.contains("again") && !told.contains("tabs"), "only what is new: {told}");
    recipe.done("robo", "cd work && git push -q origin main:side && git push -q origin :side");
    assert_eq!(recipe.count("neko"), 3, "a branch that goes away is not told of");
    recipe.server.stop();
    let away = "cd work && git commit -q --allow-empty -m away && git push -q origin main";
    let outcome = recipe.sh("robo", away);
    assert_eq!(outcome.code, 0, "the push is done: {outcome:?}");
    assert!(outcome.stderr.contains("remote: error: cannot reach"), "{outcome:?}");
}

fn once(recipe: &mut Recipe) {
    recipe.run();
    assert_eq!((recipe.count("neko"), recipe.count("paff")), (1, 1));
    let other = "chat-cli send --id release-1.4.0 neko,paff another text";
    assert_eq!(recipe.sh("robo", other).code, 65);
    let other = "chat-cli send --id release-1.4.0 neko version 1.4.0 is out";
    assert_eq!(recipe.sh("robo", other).code, 65);
}

fn later(recipe: &mut Recipe) {
    recipe.server.stop();
    recipe.run_failing(69);
    recipe.run_again(69);
    assert_eq!(recipe.done("robo", "ls ~/.chat-later/neko | wc -l").trim(), "2");
    recipe.server.start_again_at_its_address();
    recipe.run();
    recipe.run_again(0);
    assert_eq!(recipe.count("neko"), 2);
    recipe.done("robo", "! ls ~/.chat-later/neko | grep .");
    recipe.done("robo", "chat-later nobody hai; chat-later neko hai");
    assert_eq!(recipe.count("neko"), 3, "what is refused holds up nothing");
    recipe.done("robo", "ls ~/.chat-later/nobody/*.refused");
}

fn queue(recipe: &mut Recipe) {
    recipe.put("robo", "jobs/rebuild", &script("exec chat-cli send neko rebuilt >/dev/null"));
    let worker = recipe.start();
    recipe.run();
    assert_eq!(recipe.next_message("neko"), "rebuilt");
    // When the next job is done, the previous one has become a dead letter.
    recipe.done("neko", "chat-cli send robo rebuild");
    assert_eq!(recipe.next_message("neko"), "rebuilt");
    recipe.run();
    recipe.put("robo", "jobs/rebiuld", &script("exec chat-cli send neko mended >/dev/null"));
    recipe.run();
    assert_eq!(recipe.next_message("neko"), "mended");
    assert_eq!(recipe.sh("robo", "chat-cli watch --as worker --dead").code, 1);
    recipe.done("robo", "! ls ~/still-dead.ndjson ~/retry.ndjson 2>/dev/null");
    // A name that is a path is nobody's job. A worker that was away finds its messages.
    recipe.done("neko", "chat-cli send robo ../bin/chat-job; chat-cli send robo rebuild");
    assert_eq!(recipe.next_message("neko"), "rebuilt");
    worker.stop();
    recipe.run_again(0);
    assert_eq!(recipe.done("robo", "jq -r .body still-dead.ndjson"), "../bin/chat-job\n");
    assert_eq!(recipe.count("neko"), 4);
}

fn workers(recipe: &mut Recipe) {
    recipe.log_in("neko");
    recipe.put("robo", "bin/work", &script("chat-cli send neko \"done $CHAT_ID\" >/dev/null"));
    let send = |recipe: &Recipe| recipe.done("neko", "seq 5 | chat-cli send robo --lines");
    send(recipe);
    let running = recipe.start();
    let mut done: Vec<String> = (0..5).map(|_| recipe.next_message("neko")).collect();
    send(recipe);
    done.extend((0..5).map(|_| recipe.next_message("neko")));
    running.stop();
    done.sort();
    let sql = "select 'done ' || id from v1_messages where recipient = 'robo' order by 1";
    assert_eq!(done, recipe.server.query(sql), "each once, and none left out");
    assert_eq!(recipe.count("neko"), 10);
}

fn keep(recipe: &mut Recipe) {
    let login = blocks(PAGE).into_iter().find(|block| block.attribute("recipe") == Some("login"));
    recipe.put("robo", "bin/chat-login", &login.expect("the first recipe").text);
    recipe.done("robo", "mkdir ~/.config; echo cytus >~/.config/chat-password");
    recipe.put("robo", "bin/sleep", &script("exit 0"));
    recipe.put("robo", "bin/chat-job", &script("chat-cli send neko \"done $CHAT_ID\" >/dev/null"));
    recipe.log_in("neko");
    let running = recipe.start();
    recipe.done("neko", "chat-cli send robo one");
    assert_eq!(recipe.next_message("neko"), "done 1");
    let other = recipe.server.log_in("robo");
    recipe.server.connect().done(format!("revoke {other} {{\"others\": true}}"));
    recipe.done("neko", "chat-cli send robo two");
    assert_eq!(recipe.next_message("neko"), "done 3");
    recipe.server.stop();
    recipe.server.start_again_at_its_address();
    recipe.done("neko", "chat-cli send robo three");
    assert_eq!(recipe.next_message("neko"), "done 5");
    running.stop();
}

fn bot(recipe: &mut Recipe) {
    // It begins with new messages. The cursor exists already, so that its position is known.
    recipe.done("robo", "chat-cli ack --all --as bot");
    let running = recipe.start();
    recipe.run();
    assert!(recipe.done("neko", "chat-cli ask robo uptime").contains("load average"));
    assert!(recipe.done("neko", "chat-cli ask robo disk").contains('%'));
    recipe.done("robo", "chat-cli send robo ping");
    assert_eq!(recipe.done("neko", "chat-cli ask robo ping"), "pong\n");
    let own = "select count(*) from v1_messages where sender = 'robo' and recipient = 'robo'";
    assert_eq!(recipe.server.query(own), ["1"], "it does not answer itself");
    running.stop();
    // The message that it has answered arrives again, as after a kill, with another answer now.
    let before = recipe.count("neko");
    for question in ["ping", "ping", "uptime"] {
        let again =
            format!("echo '{{\"body\": \"{question}\"}}' | CHAT_ID=999 CHAT_FROM=neko chat-bot");
        assert_eq!(recipe.sh("robo", &again).code, 0, "{question}");
    }
    assert_eq!(recipe.count("neko"), before + 1);
}

fn agent(recipe: &mut Recipe) {
    recipe.run();
    assert_eq!(recipe.done("neko", "chat-cli inbox --raw"), "deploy?\n");
    let open = "chat-tool answer \"$(jq '{ticket}' asked)\"";
    assert_eq!(recipe.done("robo", open), "{\"answered\":false}\n");
    recipe.run();
    recipe.run();
}

fn desktop(recipe: &mut Recipe) {
    recipe.log_in("paff");
    recipe.done("paff", "chat-cli send neko before");
    let show = "[ \"$3\" = paff ] && printf '%s|' \"$@\" && echo";
    recipe.put("neko", "bin/notify-send", &script(show));
    let mut running = recipe.start();
    let printed = running.line() + &running.line();
    let expected = recipe.text();
    assert!(fits(&expected, &printed, &mut Names::new()), "{expected}{printed}");
    recipe.done("paff", "chat-cli send neko '<b>1 & 2</b>'");
    assert_eq!(running.line(), "--app-name=chat|--|paff|&lt;b&gt;1 &amp; 2&lt;/b&gt;|\n");
    // A message that cannot be shown does not hold back the next one.
    recipe.done("neko", "chat-cli send neko own");
    recipe.done("paff", "chat-cli send neko after");
    assert!(running.line().contains("failed for message"));
    assert_eq!(running.line(), "--app-name=chat|--|paff|after|\n");
    let unread = recipe.done("neko", "chat-cli unread");
    assert!(unread.starts_with("4\n"), "nothing is marked as read: {unread}");
}

fn wait(recipe: &mut Recipe) {
    recipe.log_in("robo");
    recipe.log_in("paff");
    recipe.done("robo", "chat-cli send neko staging is ready"); // the last time's
    let mut running = recipe.start();
    let mut printed = running.line();
    assert_eq!(recipe.next_message("robo"), "set up staging");
    recipe.done("paff", "chat-cli send neko staging is ready");
    recipe.done("paff", "printf 'x\\n2026\\trobo\\tstaging is ready' | chat-cli send neko");
    recipe.done("robo", "chat-cli send neko staging is almost ready");
    let waits = "chat-wait ci 1ms robo 'staging is ready'";
    assert_eq!(recipe.sh("neko", waits).code, 1, "that was not it");
    recipe.done("robo", "chat-cli send neko staging is ready, go on");
    let (code, rest) = running.end();
    printed += &rest;
    assert_eq!((code, printed), (0, recipe.text()));
    recipe.server.stop();
    let outcome = recipe.sh("neko", waits);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.starts_with("error: cannot reach"), "{outcome:?}");
}

fn gate(recipe: &mut Recipe) {
    recipe.log_in("neko");
    let running = recipe.start();
    assert_eq!(recipe.next_message("neko"), "deploy 1.4.0 to production? (yes/no)");
    recipe.done("neko", "chat-cli send robo Yes");
    assert_eq!(running.end(), (0, recipe.text()));
    let running = recipe.start_again();
    recipe.next_message("neko");
    recipe.done("neko", "chat-cli send robo yes, but later");
    assert_eq!(running.end(), (1, "neko said: yes, but later\n".to_owned()));
    let outcome = recipe.sh("robo", "chat-gate neko 1ms now?");
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.ends_with("no answer from neko\n"), "{outcome:?}");
    recipe.server.stop();
    let outcome = recipe.sh("robo", "chat-gate neko 1s now?");
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.starts_with("error: cannot reach"), "{outcome:?}");
}

fn room(recipe: &mut Recipe) {
    recipe.run();
    recipe.run();
    recipe.run();
    // The next build is news.
    recipe.done("robo", "chat-cli send '#build' 'build 418 is done'");
    let news = "{\"#build\": [{\"msg\": \"build 418 is done\", \"from\": \"robo\"}]}\n";
    assert_eq!(recipe.done("neko", "chat-cli inbox"), news);
    let failures =
        recipe.done("neko", "chat-cli watch --room build --tag failed --since all --exit-at-end");
    assert_eq!(failures, "");
    recipe.done("neko", "chat-cli room set build --notify mentions");
    recipe.done(
        "robo",
        "chat-cli send '#build' 'nothing new'; chat-cli send '#build' 'thanks, @neko'",
    );
    assert_eq!(recipe.done("neko", "chat-cli inbox --raw"), "thanks, @neko\n");
    recipe.done("robo", "chat-cli room leave build");
    assert_eq!(recipe.sh("robo", "chat-cli send '#build' hai").code, 73);
}

fn status(recipe: &mut Recipe) {
    recipe.done("neko", "seq 3 | chat-cli send neko --lines");
    recipe.run();
    recipe.done("neko", "chat-cli inbox");
    assert_eq!(recipe.run_again(0), "");
    recipe.server.stop();
    assert_eq!(recipe.run_again(0), "mail ?\n");
}

fn digest(recipe: &mut Recipe) {
    recipe.log_in("robo");
    recipe.log_in("paff");
    recipe.done("robo", "printf 'nightly-report: exit code 3\\nmore' | chat-cli send neko");
    recipe.done("paff", "chat-cli send neko lunch?");
    recipe.run();
    recipe.run();
    recipe.done("paff", "printf '\\033[2J%0200d' 0 | chat-cli send neko");
    let printed = recipe.run_again(0);
    let last = printed.lines().last().expect("a line");
    assert!(last.contains("paff  ?[2J0000") && last.len() < 100, "{last}");
    recipe.done("neko", "chat-cli inbox");
    assert_eq!(recipe.run_again(0), "");
    recipe.server.stop();
    assert!(recipe.run_again(0).contains("cannot reach"));
}

fn archive(recipe: &mut Recipe) {
    recipe.log_in("robo");
    recipe.log_in("paff");
    recipe.done("paff", "chat-cli send neko lunch?");
    recipe.done("neko", "chat-cli inbox");
    recipe.run();
    recipe.done("robo", "chat-cli send neko 'done'");
    recipe.run_again(0);
    recipe.run_again(0);
    recipe.run();
    assert_eq!(recipe.done("neko", "jq -s length chat.ndjson"), "2\n", "each once");
    let twice = "cat chat.ndjson chat.ndjson | jq -s 'unique_by(.id)[]' | jq -s length";
    assert_eq!(recipe.done("neko", twice), "2\n");
}

fn curl(recipe: &mut Recipe) {
    recipe.server.stop();
    recipe.server.start_again_with(&["--http", "127.0.0.1:0"]);
    recipe.set("CHAT_HTTP", &format!("http://{}", recipe.server.http()));
    recipe.run();
    assert_eq!(recipe.server.query("SELECT count(*) FROM v1_messages"), ["1"]);
    let refused = recipe.sh("robo", "echo wrong | chat-curl robo neko build-418 hai");
    assert_eq!(refused.code, 22, "{refused:?}");
}

fn python(recipe: &mut Recipe) {
    recipe.log_in("neko");
    let running = recipe.start();
    assert_eq!(recipe.next_message("neko"), "deploy?");
    recipe.done("neko", "chat-cli send robo go ahead");
    assert_eq!(running.end(), (0, recipe.text()));
    let running = recipe.start_again();
    recipe.next_message("neko");
    recipe.server.kill();
    recipe.server.start_again_at_its_address();
    recipe.done("neko", "chat-cli send robo after all");
    let (code, printed) = running.end();
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("trying again\n") && printed.ends_with("after all\n"), "{printed}");
    assert_eq!(recipe.count("neko"), 2, "asked once each time");
    let outcome = recipe.sh("robo", "echo wrong | ask.py robo neko hai");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (1, "wrong_password: Password Salah\n"));
}

fn nc(recipe: &mut Recipe) {
    recipe.run();
    assert_eq!(recipe.count("neko"), 1);
    let outcome = recipe.sh("robo", "echo wrong | chat-nc robo neko key hai");
    assert_eq!(outcome.code, 77);
    assert!(outcome.stderr.contains("wrong_password"), "{outcome:?}");
    let outcome = recipe.sh("robo", "echo cytus | chat-nc robo nobody key hai");
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("unknown_recipient"), "{outcome:?}");
    assert_eq!(recipe.server.query("select count(*) from v1_sessions"), ["1"], "logged out");
    recipe.server.stop();
    assert_eq!(recipe.sh("robo", "echo cytus | chat-nc robo neko key hai").code, 69);
}

fn bash(recipe: &mut Recipe) {
    recipe.run();
    let outcome = recipe.sh("robo", "echo cytus | chat-bash robo nobody hai");
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("unknown_recipient"), "{outcome:?}");
    assert_eq!(recipe.sh("robo", "echo wrong | chat-bash robo neko hai").code, 77);
    let sent = recipe.server.query("select body from v1_messages");
    assert_eq!(sent, ["the array has lost a disk"]);
    assert_eq!(recipe.server.query("select count(*) from v1_sessions"), ["1"], "logged out");
    recipe.server.stop();
    assert_eq!(recipe.sh("robo", "echo cytus | chat-bash robo neko hai").code, 69);
}

fn everybody(recipe: &mut Recipe) {
    recipe.run();
    recipe.run();
    recipe.run_again(0);
    let rows = "select count(*), min(recipient) from v1_messages";
    assert_eq!(recipe.server.query(rows), ["1|#all"]);
    recipe.run();
    recipe.done("neko", "chat-cli room set all --notify none");
    recipe.done("robo", "chat-cli send @all it is over");
    assert_eq!(recipe.done("neko", "chat-cli inbox"), "{}\n");
    assert_eq!(recipe.sh("neko", "chat-cli send @all thanks").code, 73);
}

fn reports(recipe: &mut Recipe) {
    recipe.done("robo", "chat-cli send neko,paff disk full");
    recipe.done("robo", "chat-cli send neko another one");
    recipe.run();
}

fn backup(recipe: &mut Recipe) {
    recipe.log_in("robo");
    recipe.done("robo", "chat-cli send neko one");
    recipe.run();
    recipe.run();
    let found = recipe.done(OPERATOR, "ls backup");
    assert!(found.starts_with("chat-20") && found.lines().count() == 1, "{found}");
    recipe.done(OPERATOR, "rm -r backup && echo >backup");
    let outcome = recipe.sh(OPERATOR, "chat-server backup backup --keep 28 >/dev/null");
    assert_eq!(outcome.code, 73, "{outcome:?}");
    assert!(outcome.stderr.starts_with("error: "), "{outcome:?}");
}

fn moving(recipe: &mut Recipe) {
    recipe.log_in("neko");
    recipe
        .done("neko", "seq 3 | chat-cli send neko --lines; chat-cli ack 2; chat-cli ack 1 --as x");
    let to = recipe.home(SUCCESSOR).path().display().to_string();
    let scp = format!("[ \"$2\" = new.example.org: ] && exec cp \"$1\" '{to}/'");
    recipe.put(OPERATOR, "bin/scp", &script(&scp));
    recipe.server.stop();
    recipe.run();
    recipe.run();
    let new = Server::start_from(&recipe.home(SUCCESSOR).path().join("chat.sqlite"));
    let neko = recipe.home("neko").token();
    let mut wire = Wire::connect(new.address());
    assert_eq!(
        wire.done(format!("unread {neko}"))["unread"],
        1,
        "the session and the cursor are there"
    );
    let left = wire.done(format!("fetch {neko} {{\"cursor\": \"x\"}}"));
    assert_eq!(left["messages"].as_array().map(Vec::len), Some(2), "{left}");
    // With another address, the client has no session.
    let elsewhere = format!("CHAT_SERVER={} chat-cli unread", new.address());
    assert_eq!(recipe.sh("neko", &elsewhere).code, 77);
}

fn postgres(recipe: &mut Recipe) {
    #[cfg(feature = "postgres")]
    let database = new_on_postgres();
    #[cfg(not(feature = "postgres"))]
    let database: Option<String> = None;
    let Some(database) = database else { return recipe.leave_out() };
    if is_on_postgres() {
        return recipe.leave_out();
    }
    recipe.set("NEW", &database);
    // The database of the tests does not sync.
    recipe.set("CHAT_SERVER_DB_DURABILITY", "storage");
    recipe.log_in("neko");
    recipe
        .done("neko", "seq 2 | chat-cli send neko --lines; chat-cli ack 1; chat-cli ack 1 --as x");
    recipe.run();
    recipe.done("neko", "chat-cli send neko 3; chat-cli ack 2");
    recipe.server.stop();
    recipe.run();
    let new = Server::start_on(Path::new(&database));
    let mut wire = Wire::connect(new.address());
    let neko = wire.log_in("neko");
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 1, "the cursor is there");
    drop(new);
    recipe.run();
}
