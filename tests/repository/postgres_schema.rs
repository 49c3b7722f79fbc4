//! The schema on PostgreSQL keeps the rules that leave the way to several logs open: see the head of
//! its first step.

use std::fs;
use std::path::Path;

/// All steps, without comments.
fn schema() -> String {
    let steps = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let mut steps: Vec<_> = fs::read_dir(steps).unwrap().map(|step| step.unwrap().path()).collect();
    steps.sort();
    assert!(!steps.is_empty(), "there are steps");
    let text = |step: &Path| fs::read_to_string(step.join("up.sql")).unwrap();
    let lines = steps.iter().flat_map(|step| {
        let text = text(step);
        text.lines().map(|line| line.split("--").next().unwrap().to_owned()).collect::<Vec<_>>()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Each function: its name, its parameters and its body.
fn functions(schema: &str) -> Vec<(&str, &str, &str)> {
    let functions = schema.split("CREATE FUNCTION ").skip(1).map(|function| {
        let (name, rest) = function.split_once('(').unwrap();
        let (parameters, rest) = rest.split_once(')').unwrap();
        let quote = if rest.contains("$$") { "$$" } else { "'" };
        (name, parameters, rest.split(quote).nth(1).unwrap_or_default())
    });
    functions.collect()
}

#[test]
fn schema_on_postgres_has_nothing_that_counts_or_triggers_on_one_machine() {
    let schema = schema().to_uppercase();
    for (word, why) in [
        ("IDENTITY", "identities of workers start far apart"),
        ("SERIAL", "a sequence is not in the order of the commits"),
        ("NEXTVAL", "a sequence is not in the order of the commits"),
        ("ROW_COUNT", "it may count rows that were offered"),
        ("TRIGGER", "a trigger does not run where the rows are"),
        ("LATERAL", "it may not be pushed down"),
        ("REFERENCES", "a foreign key would cross lanes"),
    ] {
        assert!(!schema.contains(word), "{word}: {why}");
    }
}

#[test]
fn functions_that_touch_the_log_take_the_lane_first() {
    let schema = schema();
    let functions = functions(&schema);
    assert!(functions.len() > 10, "the functions are read");
    let mut of_log = Vec::new();
    for (name, parameters, body) in functions {
        let touches = ["chat.messages", "chat.batches", "chat.keys", "lock_log(p_lane)"];
        // Whether a message is unread is a question about one mailbox, which has one lane.
        let is_exempt = name == "is_unread";
        if touches.iter().any(|table| body.contains(table)) && !is_exempt {
            assert!(parameters.starts_with("p_lane int"), "{name}({parameters})");
            of_log.push(name);
        }
    }
    for name in ["append", "head", "find_posts", "find_batch", "purge", "raise_floor"] {
        assert!(of_log.contains(&name), "{name} is not among {of_log:?}");
    }
}

#[test]
fn only_two_functions_know_the_lock_and_the_number_of_a_lane() {
    let schema = schema();
    let knows = |word: &str| {
        let functions = functions(&schema);
        let found = functions.iter().filter(|(_, _, body)| body.contains(word));
        found.map(|(name, _, _)| (*name).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(knows("pg_advisory"), ["lock_log"]);
    assert_eq!(knows("ORDER BY b.last_id DESC"), ["head"]);
}
