//! The files for Grafana and Prometheus in `contrib/` use only existing metrics, labels and values.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::support::skip::is_here;

const DOCUMENT: &str = include_str!("../../docs/monitoring.md");
const DASHBOARD: &str = include_str!("../../contrib/grafana/chat.json");
const ALERTS: &str = include_str!("../../contrib/prometheus/alerts.yml");

/// The names of the documented metrics, which another test compares with the server, with their
/// labels. A histogram has three names.
fn series() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    let tables = ["| metric |", "| metric on PostgreSQL |"].into_iter().flat_map(|head| {
        let rows = DOCUMENT.lines().skip_while(move |line| !line.starts_with(head)).skip(2);
        rows.take_while(|line| line.starts_with('|'))
    });
    for row in tables {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`');
        let words = cells[3].split('`').skip(1).step_by(2);
        let mut labels: BTreeSet<String> = words.map(str::to_owned).collect();
        // Prometheus adds these itself.
        labels.extend(["instance", "job"].map(str::to_owned));
        if cells[2] == "histogram" {
            for suffix in ["_sum", "_count"] {
                found.insert(format!("{name}{suffix}"), labels.clone());
            }
            labels.insert("le".to_owned());
            found.insert(format!("{name}_bucket"), labels);
        } else {
            found.insert(name.to_owned(), labels);
        }
    }
    assert!(found.len() > 40, "{found:?}");
    found
}

/// The metrics in an expression, and the labels used with each.
fn asked(expression: &str) -> Vec<(String, Vec<String>)> {
    let is_inside = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest.find(|character: char| character.is_ascii_alphabetic()) {
        let before = rest[..at].chars().next_back();
        rest = &rest[at..];
        let end = rest.find(|character| !is_inside(character)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        if before == Some('$') || !(word.starts_with("chat_") || word.starts_with("process_")) {
            continue;
        }
        let inside = after.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let mut labels = Vec::new();
        if let Some((inside, behind)) = inside {
            labels.extend(inside.split(',').map(|matcher| {
                matcher.trim().split(['=', '!']).next().unwrap_or_default().to_owned()
            }));
            rest = behind;
        }
        found.push((word.to_owned(), labels));
    }
    found
}

fn assert_known(expression: &str) -> BTreeSet<String> {
    let series = series();
    let asked = asked(expression);
    for (name, labels) in &asked {
        let known = series.get(name).unwrap_or_else(|| panic!("no {name} in {expression}"));
        for label in labels {
            assert!(known.contains(label), "{name} has no {label}: {expression}");
        }
    }
    asked.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn dashboard_expressions_name_existing_metrics() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].as_i64().expect("an id")), "{}", panel["title"]);
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{}", panel["title"]);
        for target in targets {
            let found = assert_known(target["expr"].as_str().expect("an expression"));
            assert!(!found.is_empty(), "{target}");
            names.extend(found);
        }
    }
    let query = &dashboard["templating"]["list"][1]["query"]["query"];
    assert_eq!(assert_known(query.as_str().expect("a query")).len(), 1);
    // A metric without a panel is not worth its cost, except these.
    let unseen = ["chat_build_info", "chat_queue_capacity", "chat_newest_message_id"];
    let labels = ["chat_database_info", "chat_node_number"];
    let other = [
        "chat_slow_requests_total",
        "chat_connections_opened_total",
        "chat_sessions_displaced_total",
    ];
    let more = ["chat_log_lines_dropped_total", "chat_password_queue_duration_seconds"];
    let expected: Vec<&str> = [&unseen[..], &labels[..], &other[..], &more[..]].concat();
    for name in series().keys() {
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(name);
        let shown = names.iter().any(|shown| shown.starts_with(base));
        let process = base.starts_with("process_");
        assert!(shown || process || expected.contains(&base), "no panel shows {base}");
    }
}

#[test]
fn alerts_name_existing_metrics() {
    let expressions: Vec<&str> =
        ALERTS.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert_eq!(expressions.len(), ALERTS.matches("- alert: ").count());
    let named = expressions.iter().filter(|expression| !assert_known(expression).is_empty());
    assert_eq!(named.count(), expressions.len() - 1, "all but the one about `up`");
}

#[test]
fn metrics_in_an_expression_are_found() {
    let expression = r#"rate(chat_a_total{instance=~"$instance", verb!="x"}[5m]) / chat_b"#;
    let labels = vec!["instance".to_owned(), "verb".to_owned()];
    let expected = vec![("chat_a_total".to_owned(), labels), ("chat_b".to_owned(), Vec::new())];
    assert_eq!(asked(expression), expected);
}

/// What servers report every ten seconds: a metric, the server, more labels, and the values. `c` is
/// on SQLite.
const REPORTED: [(&str, &str, &str, &str); 8] = [
    ("chat_database_info", "a", "durability='standby'", "1x60"),
    ("chat_database_info", "b", "durability='local'", "1x60"),
    ("chat_database_info", "c", "durability='fsync'", "1x60"),
    ("chat_standbys", "a", "", "1x11 0x18 1x30"),
    ("chat_standbys", "b", "", "0x60"),
    ("chat_durability_held", "a", "", "1x5 0x6 1x60"),
    ("chat_lease_age_seconds", "a", "", "0.5x11 30x18 0.5x30"),
    ("chat_tailer_lag_seconds", "b", "", "0.2x11 30x18 0.2x30"),
];

/// After how many seconds an alert fires, and about which server; or does not.
const FIRING: [(&str, u32, &str); 12] = [
    ("ChatDurabilityLost", 40, ""),
    ("ChatDurabilityLost", 70, "a, severity: critical"),
    ("ChatDurabilityLost", 140, ""),
    ("ChatStandbyLost", 130, ""),
    ("ChatStandbyLost", 200, "a, severity: critical"),
    ("ChatStandbyLost", 320, ""),
    ("ChatNodeWithoutLease", 130, ""),
    ("ChatNodeWithoutLease", 160, "a, severity: critical"),
    ("ChatNodeWithoutLease", 320, ""),
    ("ChatTailerBehind", 130, ""),
    ("ChatTailerBehind", 200, "b, severity: warning"),
    ("ChatTailerBehind", 320, ""),
];

#[test]
fn alerts_about_postgres_fire_when_they_should_and_at_no_other_time() {
    if !is_here("promtool") {
        return;
    }
    let folder = tempfile::TempDir::new().unwrap();
    // promtool compares the texts, too, which have the value in them.
    let is_text = |line: &&str| {
        let keys = ["annotations:", "summary:", "description:"];
        keys.iter().any(|key| line.trim().starts_with(key))
    };
    let rules: Vec<&str> = ALERTS.lines().filter(|line| !is_text(line)).collect();
    std::fs::write(folder.path().join("rules.yml"), rules.join("\n")).unwrap();
    let mut file = "rule_files: [rules.yml]\nevaluation_interval: 10s\ntests:\n".to_owned();
    file.push_str("  - interval: 10s\n    input_series:\n");
    for (metric, instance, labels, values) in REPORTED {
        let series = format!("{metric}{{job='chat', instance='{instance}', {labels}}}");
        file.push_str(&format!("      - {{series: \"{series}\", values: '{values}'}}\n"));
    }
    file.push_str("    alert_rule_test:\n");
    for (alert, seconds, firing) in FIRING {
        let firing = match firing {
            "" => String::new(),
            firing => format!("{{exp_labels: {{job: chat, instance: {firing}}}}}"),
        };
        let alert = format!("alertname: {alert}, exp_alerts: [{firing}]");
        file.push_str(&format!("      - {{eval_time: {seconds}s, {alert}}}\n"));
    }
    let path = folder.path().join("firing.yml");
    std::fs::write(&path, file).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn promtool_accepts_the_alerts() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/prometheus/alerts.yml");
    if !is_here("promtool") {
        return;
    }
    let output = Command::new("promtool").args(["check", "rules", path]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
