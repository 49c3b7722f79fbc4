//! The schema on PostgreSQL keeps the six rules that leave the way to several logs open: see
//! docs/decisions/0064-six-rules-for-lanes.md. A second test breaks each rule and sees it found.

use std::fs;
use std::path::{Path, PathBuf};

/// A rule: what is wrong with a schema and with the sources that use it.
type Rule = fn(&Texts) -> Vec<String>;

const RULES: [(&str, Rule); 14] = [
    ("a function takes the lane first", lane_comes_first),
    ("a function is PL/pgSQL", functions_are_delegated),
    ("a function touches one lane", one_lane_is_touched),
    ("the message path begins no transaction", message_path_begins_no_transaction),
    ("a volatile value is in a variable", volatile_values_are_in_variables),
    ("no rows are counted", no_rows_are_counted),
    ("one function knows the lock, one the number", lock_and_number_are_known_once),
    ("numbers are given under the lock", numbers_are_given_under_the_lock),
    ("nothing triggers", nothing_triggers),
    ("no foreign key", no_foreign_key),
    ("users has no hot column", users_are_cold),
    ("messages are joined by their mailbox", messages_are_joined_by_mailbox),
    ("a lane can join each unique key", lane_fits_unique_keys),
    ("no wait is cancelled", nothing_is_cancelled),
];

/// The schema without comments, and the sources of the engine by their path.
#[derive(Clone)]
struct Texts {
    schema: String,
    sources: Vec<(String, String)>,
}

/// A function of the schema.
struct Function<'a> {
    name: &'a str,
    parameters: &'a str,
    /// What stands between the parameters and the body.
    kind: &'a str,
    body: &'a str,
}

impl Texts {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let steps = fs::read_dir(root.join("migrations/postgres")).unwrap();
        let mut steps: Vec<_> = steps.map(|step| step.unwrap().path().join("up.sql")).collect();
        steps.sort();
        assert!(!steps.is_empty(), "there are steps");
        let steps: Vec<String> =
            steps.iter().map(|step| without_comments(&fs::read_to_string(step).unwrap())).collect();
        let mut sources = Vec::new();
        read_sources(&root.join("src/store/postgres"), &mut sources);
        sources.push(root.join("src/store/postgres.rs"));
        let source = |path: PathBuf| {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            (name, fs::read_to_string(path).unwrap())
        };
        let sources: Vec<_> = sources.into_iter().map(source).collect();
        assert!(sources.len() > 20, "the sources are read");
        let schema = steps.join("\n").replace("CREATE OR REPLACE ", "CREATE ");
        Self { schema, sources }
    }

    fn functions(&self) -> Vec<Function<'_>> {
        let functions = self.schema.split("CREATE FUNCTION ").skip(1).map(|function| {
            let (name, rest) = function.split_once('(').unwrap();
            let (parameters, rest) = rest.split_once(')').unwrap();
            let (kind, rest) = rest.split_once("$$").unwrap();
            let body = rest.split_once("$$").unwrap().0;
            Function { name, parameters, kind, body }
        });
        functions.collect()
    }

    /// Those that touch a table, or call one that does.
    fn functions_of_tables(&self) -> Vec<Function<'_>> {
        let touches = |function: &Function| {
            function.body.replace("chat.now_ms()", "").contains("chat.")
                || function.name == "lock_log"
        };
        let found: Vec<_> = self.functions().into_iter().filter(touches).collect();
        assert!(found.len() > 15, "the functions are read");
        found
    }

    /// What stands between a statement's beginning and its semicolon.
    fn statements(&self, beginning: &str) -> Vec<&str> {
        let statements = self.schema.split(beginning).skip(1);
        statements.map(|statement| statement.split(';').next().unwrap()).collect()
    }

    /// Each table: its name and its columns and constraints, one a line.
    fn tables(&self) -> Vec<(&str, Vec<&str>)> {
        let of = |beginning| {
            self.statements(beginning).into_iter().map(|table| {
                let (name, columns) = table.split_once('(').unwrap();
                let columns = columns.rsplit_once(')').unwrap().0;
                let lines = columns.lines().flat_map(|line| line.split(", "));
                let lines = lines.map(|line| line.trim().trim_end_matches(','));
                (name.trim(), lines.filter(|line| !line.is_empty()).collect())
            })
        };
        of("CREATE TABLE ").chain(of("CREATE UNLOGGED TABLE ")).collect()
    }
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("--").next().unwrap().trim_end());
    lines.collect::<Vec<_>>().join("\n")
}

fn read_sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// These words, wherever they stand.
fn words(texts: &Texts, words: &[&str]) -> Vec<String> {
    let schema = texts.schema.to_uppercase();
    words.iter().filter(|word| schema.contains(*word)).map(ToString::to_string).collect()
}

fn lane_comes_first(texts: &Texts) -> Vec<String> {
    let wrong = |function: &Function| !function.parameters.starts_with("p_lane int");
    let functions = texts.functions_of_tables();
    let mut found: Vec<String> =
        functions.iter().filter(|function| wrong(function)).map(|f| f.name.to_owned()).collect();
    // Who calls one passes the lane on, or names the only one there is.
    let names: Vec<&str> = functions.iter().map(|function| function.name).collect();
    let bodies = functions.iter().map(|function| (function.name, function.body));
    let sources = texts.sources.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    for (place, text) in bodies.chain(sources) {
        for call in text.split("chat.").skip(1) {
            let Some((name, arguments)) = call.split_once('(') else { continue };
            let is_passed = arguments.starts_with("p_lane") || arguments.starts_with('$');
            if names.contains(&name) && !is_passed {
                found.push(format!("{place} calls {name}"));
            }
        }
    }
    found
}

/// Citus runs a function where the lane is only if it is PL/pgSQL. Those that touch no table are
/// free, so that views can have them inlined.
fn functions_are_delegated(texts: &Texts) -> Vec<String> {
    let functions = texts.functions();
    let is_pure = |name: &str| !texts.functions_of_tables().iter().any(|f| f.name == name);
    let is_free =
        |function: &Function| is_pure(function.name) && function.kind.contains("IMMUTABLE");
    let is_right =
        |function: &Function| function.kind.contains("LANGUAGE plpgsql") || is_free(function);
    functions
        .iter()
        .filter(|function| !is_right(function))
        .map(|function| function.name.to_owned())
        .collect()
}

fn one_lane_is_touched(texts: &Texts) -> Vec<String> {
    let functions = texts.functions_of_tables();
    let names = functions.iter().flat_map(|function| {
        let second = function.parameters.matches("lane").count() > 1;
        let another = function.body.replace("p_lane", "").contains("lane");
        (second || another).then(|| function.name.to_owned())
    });
    names.collect()
}

/// Only operators' and accounts' changes, the start of a node and the schema have transactions of
/// several statements.
fn message_path_begins_no_transaction(texts: &Texts) -> Vec<String> {
    let allowed = [
        "src/store/postgres.rs",
        "src/store/postgres/roles.rs",
        "src/store/postgres/schema.rs",
        "src/store/postgres/session.rs",
        "src/store/postgres/writer/group.rs",
    ];
    let begins = |text: &str| text.matches(".transaction(").count() + text.matches("BEGIN").count();
    let found = texts.sources.iter().filter_map(|(path, text)| {
        let place = allowed.iter().position(|allowed| allowed == path);
        // The schema of roles has a block in SQL.
        let max = match place {
            Some(1) => usize::MAX,
            Some(_) => 1,
            None => 0,
        };
        (begins(text) > max).then(|| path.clone())
    });
    let mut found: Vec<String> = found.collect();
    // The one in the writer is that of an operation that is executed alone.
    let group = texts.sources.iter().find(|(path, _)| path.ends_with("writer/group.rs")).unwrap();
    let alone = group.1.split("fn execute_alone").nth(1).unwrap_or_default();
    if !alone.contains(".transaction(") {
        found.push("append or move_cursors in a transaction".to_owned());
    }
    found
}

/// A value that two workers would find different must be found once.
fn volatile_values_are_in_variables(texts: &Texts) -> Vec<String> {
    let mut found = Vec::new();
    for function in texts.functions_of_tables() {
        for call in ["chat.now_ms()", "clock_timestamp()", "random()"] {
            for (place, _) in function.body.match_indices(call) {
                if !function.body[..place].trim_end().ends_with(":=") {
                    found.push(format!("{}: {call}", function.name));
                }
            }
        }
    }
    found
}

fn no_rows_are_counted(texts: &Texts) -> Vec<String> {
    words(texts, &["ROW_COUNT"])
}

fn lock_and_number_are_known_once(texts: &Texts) -> Vec<String> {
    let mut found = Vec::new();
    for (word, only) in [("pg_advisory", "lock_log"), ("ORDER BY b.last_id", "head")] {
        for function in texts.functions().iter().filter(|f| f.body.contains(word)) {
            if function.name != only {
                found.push(format!("{}: {word}", function.name));
            }
        }
    }
    for (path, text) in &texts.sources {
        let knows_lock = text.contains("pg_advisory_xact") || text.contains("max(last_id)");
        if knows_lock || text.contains("pg_advisory") && !path.ends_with("postgres/schema.rs") {
            found.push(path.clone());
        }
    }
    found
}

fn numbers_are_given_under_the_lock(texts: &Texts) -> Vec<String> {
    let mut found = words(texts, &["IDENTITY", "SERIAL", "NEXTVAL", "SEQUENCE"]);
    // Each function that inserts a row with a number of its own locks the log, or says in its
    // comment that the caller does: those two are called by nobody else.
    for function in texts.functions() {
        let inserts = ["INTO chat.messages", "INTO chat.batches", "INTO chat.users"];
        let is_numbered = inserts.iter().any(|insert| function.body.contains(insert));
        if is_numbered && !function.body.contains("PERFORM chat.lock_log(p_lane)") {
            found.push(function.name.to_owned());
        }
    }
    for (path, text) in &texts.sources {
        for insert in text.split("INSERT INTO chat.").skip(1) {
            let table = insert.split([' ', '\n']).next().unwrap();
            let is_given = insert.split("\",").next().unwrap().contains("chat.next_number(");
            if ["users", "sessions", "rooms"].contains(&table) && !is_given {
                found.push(format!("{path}: {table}"));
            }
        }
    }
    found
}

fn nothing_triggers(texts: &Texts) -> Vec<String> {
    words(texts, &["TRIGGER", "CREATE RULE", "LATERAL"])
}

fn no_foreign_key(texts: &Texts) -> Vec<String> {
    words(texts, &["REFERENCES", "FOREIGN KEY"])
}

fn users_are_cold(texts: &Texts) -> Vec<String> {
    const COLD: [&str; 8] = [
        "id",
        "name",
        "display_name",
        "password_hash",
        "password_is_published",
        "created_at",
        "disabled_at",
        "deleted_at",
    ];
    let tables = texts.tables();
    let (_, lines) = tables.iter().find(|(name, _)| *name == "users").expect("users");
    let columns = lines.iter().map(|line| line.split(' ').next().unwrap());
    columns.filter(|column| !COLD.contains(column)).map(str::to_owned).collect()
}

/// In views, and in what servers ask. A message is found by its mailbox, or in the log of a lane.
fn messages_are_joined_by_mailbox(texts: &Texts) -> Vec<String> {
    const JOINED: [&str; 9] = [
        "messages",
        "folded_messages",
        "message_changes",
        "users",
        "cursors",
        "read_marks",
        "threads",
        "rooms",
        "memberships",
    ];
    let mut found = Vec::new();
    for view in texts.statements("CREATE VIEW ") {
        let name = view.split(' ').next().unwrap();
        let conditions: Vec<&str> = view.split("JOIN ").skip(1).collect();
        for join in &conditions {
            let is_of_messages =
                join.starts_with("messages ") || join.starts_with("folded_messages ");
            let by_mailbox = if join.starts_with("message_changes ") {
                "c.mailbox_id = m.mailbox_id"
            } else {
                "m.mailbox_id = "
            };
            let is_of_messages = is_of_messages || join.starts_with("message_changes ");
            if is_of_messages && !join.contains(by_mailbox) {
                found.push(format!("{name} joins messages"));
            }
            let table = join.split(' ').next().unwrap();
            if !JOINED.contains(&table) {
                found.push(format!("{name} joins {table}"));
            }
        }
    }
    for (path, text) in &texts.sources {
        for join in text.split("JOIN chat.dead_letters").skip(1) {
            if !join.split("ASC").next().unwrap().contains("m.mailbox_id = ") {
                found.push(format!("{path} joins dead letters"));
            }
        }
    }
    found
}

/// The unique keys of the tables of a lane. A lane can be added to each later. The other tables
/// are small, and a copy of each is everywhere.
fn lane_fits_unique_keys(texts: &Texts) -> Vec<String> {
    const KEYS: [(&str, &[&str]); 10] = [
        ("threads", &["message_id bigint PRIMARY KEY"]),
        ("messages", &["id bigint PRIMARY KEY"]),
        ("message_changes", &["id bigint PRIMARY KEY"]),
        ("keys", &["PRIMARY KEY (key, sender_id)"]),
        ("batches", &["last_id bigint PRIMARY KEY", "UNIQUE (node, batch)"]),
        ("cursors", &["PRIMARY KEY (user_id, name)"]),
        ("read_marks", &["PRIMARY KEY (user_id, mailbox_id)"]),
        ("dead_letters", &["PRIMARY KEY (user_id, cursor, message_id)"]),
        (
            "sessions",
            &[
                "id bigint NOT NULL UNIQUE",
                "token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32)",
                "PRIMARY KEY (user_id, id)",
            ],
        ),
        ("changes", &["id bigint PRIMARY KEY"]),
    ];
    let mut found = Vec::new();
    let indexes = texts.statements("CREATE UNIQUE INDEX ");
    found.extend(indexes.into_iter().map(str::to_owned));
    let tables = texts.tables();
    for (table, expected) in KEYS {
        let (_, lines) = tables.iter().find(|(name, _)| *name == table).expect("the table");
        let text = lines.join(", ");
        let text: Vec<&str> = text.split_whitespace().collect();
        let text = text.join(" ");
        let count = text.matches("PRIMARY KEY").count() + text.matches("UNIQUE").count();
        if count != expected.len() || !expected.iter().all(|key| text.contains(key)) {
            found.push(format!("{table}: {text}"));
        }
    }
    found
}

/// PostgreSQL answers a cancelled wait for a standby with success, and a terminated one shows rows
/// that no standby has. So the server never cancels, and lets no timeout do it.
fn nothing_is_cancelled(texts: &Texts) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in &texts.sources {
        let text = text.to_lowercase();
        let words = ["cancel_token", "canceltoken", "cancel_query", "pg_cancel", "pg_terminate"];
        found.extend(words.iter().filter(|word| text.contains(*word)).map(|_| path.clone()));
        for setting in ["statement_timeout =", "lock_timeout ="] {
            let values = text.split(setting).skip(1);
            let is_off = |value: &str| value.trim_start().starts_with("0;");
            found.extend(values.filter(|value| !is_off(value)).map(|_| path.clone()));
        }
    }
    let settings = texts.sources.iter().find(|(path, _)| path.ends_with("postgres/session.rs"));
    let (path, text) = settings.expect("the settings of a connection");
    for setting in ["statement_timeout", "lock_timeout"] {
        if !text.contains(&format!("SET {setting} = 0;")) {
            found.push(path.clone());
        }
    }
    found
}

#[test]
fn schema_on_postgres_keeps_the_rules_for_lanes() {
    let texts = Texts::read();
    for (name, rule) in RULES {
        assert_eq!(rule(&texts), Vec::<String>::new(), "{name}");
    }
}

/// Changes the schema.
fn in_schema(old: &'static str, new: &'static str) -> impl Fn(&mut Texts) {
    move |texts| {
        assert!(texts.schema.contains(old), "{old:?} is not in the schema");
        texts.schema = texts.schema.replacen(old, new, 1);
    }
}

/// Changes a source.
fn in_source(path: &'static str, old: &'static str, new: &'static str) -> impl Fn(&mut Texts) {
    move |texts| {
        let (_, text) = texts.sources.iter_mut().find(|(name, _)| name.ends_with(path)).unwrap();
        assert!(text.contains(old), "{old:?} is not in {path}");
        *text = text.replacen(old, new, 1);
    }
}

#[test]
fn each_rule_for_lanes_finds_what_breaks_it() {
    type Break = (&'static str, Box<dyn Fn(&mut Texts)>);
    let breaks: Vec<Break> = vec![
        (
            "a function takes the lane first",
            Box::new(in_schema("FUNCTION purge(p_lane int, ", "FUNCTION purge(")),
        ),
        (
            "a function takes the lane first",
            Box::new(in_schema("chat.head(p_lane)", "chat.head(0)")),
        ),
        (
            "a function takes the lane first",
            Box::new(in_source("append.rs", "chat.newest_change($1)", "chat.newest_change()")),
        ),
        (
            "a function is PL/pgSQL",
            Box::new(in_schema(
                "head(p_lane int) RETURNS bigint LANGUAGE plpgsql",
                "head(p_lane int) RETURNS bigint LANGUAGE sql",
            )),
        ),
        (
            "a function touches one lane",
            Box::new(in_schema(
                "FUNCTION clean(p_lane int)",
                "FUNCTION clean(p_lane int, lane int)",
            )),
        ),
        (
            "the message path begins no transaction",
            Box::new(in_source("moving.rs", "session.query_one(", "session.transaction(")),
        ),
        (
            "the message path begins no transaction",
            Box::new(in_source(
                "writer/group.rs",
                "appending.store(session",
                "session.transaction(session",
            )),
        ),
        (
            "a volatile value is in a variable",
            Box::new(in_schema("VALUES (number, v_now, ", "VALUES (number, chat.now_ms(), ")),
        ),
        (
            "no rows are counted",
            Box::new(in_schema(
                "PERFORM chat.note_change(p_lane, 'purge'",
                "GET DIAGNOSTICS n = ROW_COUNT; PERFORM chat.note_change(p_lane, 'purge'",
            )),
        ),
        (
            "one function knows the lock, one the number",
            Box::new(in_schema(
                "newest := chat.head(p_lane);",
                "PERFORM pg_advisory_xact_lock(1667785076, p_lane);",
            )),
        ),
        (
            "one function knows the lock, one the number",
            Box::new(in_source("tailer.rs", "SELECT chat.head($1)", "SELECT max(last_id)")),
        ),
        (
            "numbers are given under the lock",
            Box::new(in_schema(
                "id                    bigint PRIMARY KEY",
                "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            )),
        ),
        (
            "numbers are given under the lock",
            Box::new(in_source("operations/users.rs", "chat.next_number($5, 'users')", "$5")),
        ),
        (
            "numbers are given under the lock",
            Box::new(in_schema("PERFORM chat.lock_log(p_lane);\n    IF p_id >", "IF p_id >")),
        ),
        (
            "nothing triggers",
            Box::new(in_schema(
                "CREATE VIEW v1_users",
                "CREATE TRIGGER t AFTER INSERT ON users EXECUTE FUNCTION f(); CREATE VIEW v1_users",
            )),
        ),
        (
            "no foreign key",
            Box::new(in_schema(
                "message_id bigint NOT NULL,",
                "message_id bigint NOT NULL REFERENCES messages,",
            )),
        ),
        (
            "users has no hot column",
            Box::new(in_schema(
                "    deleted_at            bigint\n",
                "    deleted_at            bigint,\n    last_seen_at bigint\n",
            )),
        ),
        (
            "messages are joined by their mailbox",
            Box::new(in_schema("m.mailbox_id = d.user_id AND ", "")),
        ),
        (
            "a lane can join each unique key",
            Box::new(in_schema("key        text COLLATE \"C\",", "key text UNIQUE,")),
        ),
        (
            "a lane can join each unique key",
            Box::new(in_schema("PRIMARY KEY (key, sender_id)", "PRIMARY KEY (key)")),
        ),
        (
            "no wait is cancelled",
            Box::new(in_source("session.rs", "SET lock_timeout = 0;", "SET lock_timeout = '5s';")),
        ),
        (
            "no wait is cancelled",
            Box::new(in_source("session.rs", "SET statement_timeout = 0;", "")),
        ),
        (
            "no wait is cancelled",
            Box::new(in_source("link.rs", "self.session = None;", "client.cancel_token();")),
        ),
    ];
    let texts = Texts::read();
    for (name, break_it) in &breaks {
        let mut broken = texts.clone();
        break_it(&mut broken);
        let (_, rule) = RULES.iter().find(|(rule, _)| rule == name).expect("a rule");
        assert!(!rule(&broken).is_empty(), "{name}: not found");
    }
    for (name, _) in RULES {
        assert!(breaks.iter().any(|(broken, _)| *broken == name), "{name}: nothing breaks it");
    }
}
