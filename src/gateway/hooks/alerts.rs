//! Alerts, as Grafana and Alertmanager send them to a webhook. Grafana has a title and a text of
//! its own; Alertmanager has neither.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::Value;

use super::incoming::{Incoming, click, title};
use crate::model::{Details, Priority, Tags};

/// The label with an alert's name.
const NAME: &str = "alertname";
/// The annotations that say what is wrong, the shortest first.
const SAYING: [&str; 3] = ["summary", "message", "description"];

/// A group of alerts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    alerts: Vec<Alert>,
    #[serde(default)]
    status: String,
    #[serde(default)]
    receiver: String,
    #[serde(default)]
    group_labels: Labels,
    #[serde(default)]
    common_labels: Labels,
    #[serde(default)]
    truncated_alerts: Option<u64>,
    #[serde(default, rename = "externalURL")]
    external_url: Option<String>,
    /// Only Grafana has these two.
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Alert {
    #[serde(default)]
    status: String,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    #[serde(default, rename = "panelURL")]
    panel_url: Option<String>,
    #[serde(default, rename = "dashboardURL")]
    dashboard_url: Option<String>,
    #[serde(default, rename = "generatorURL")]
    generator_url: Option<String>,
}

type Labels = BTreeMap<String, Value>;

/// The message about a group.
pub(super) fn message(group: Group) -> Incoming {
    let first = group.alerts.first();
    let urls = first
        .into_iter()
        .flat_map(|alert| [&alert.panel_url, &alert.dashboard_url, &alert.generator_url])
        .chain([&group.external_url]);
    let details = Details {
        title: title(&group.title.clone().unwrap_or_else(|| headline(&group))),
        priority: priority(&group),
        tags: tags(&group.status),
        click: click(urls.map(Option::as_ref)),
        ..Details::default()
    };
    let text = group.message.clone().filter(|text| !text.trim().is_empty());
    Incoming::new(&text.unwrap_or_else(|| lines(&group)), details)
}

/// `[FIRING:2] DiskFull`: what Alertmanager's own template says.
fn headline(group: &Group) -> String {
    let mut line = format!("[{}", group.status.to_uppercase());
    if is_firing(&group.status) {
        let firing = group.alerts.iter().filter(|alert| is_firing(&alert.status)).count();
        let _ = write!(line, ":{firing}");
    }
    let names: Vec<String> = group.group_labels.values().map(text).collect();
    let about = match group.common_labels.get(NAME) {
        _ if !names.is_empty() => names.join(" "),
        Some(name) => text(name),
        None => group.receiver.clone(),
    };
    format!("{line}] {about}")
}

/// A line for each alert.
fn lines(group: &Group) -> String {
    let mut lines: Vec<String> = group.alerts.iter().map(line).collect();
    if let Some(more) = group.truncated_alerts.filter(|more| *more > 0) {
        lines.push(format!("+ {more}"));
    }
    match lines.is_empty() {
        true => headline(group),
        false => lines.join("\n"),
    }
}

/// `firing: the disk of web-1 is full (instance=web-1, severity=critical)`
fn line(alert: &Alert) -> String {
    let said = SAYING.iter().find_map(|name| alert.annotations.get(*name));
    let said = said.or(alert.labels.get(NAME)).map_or_else(String::new, text);
    let labels = alert.labels.iter().filter(|(name, _)| *name != NAME);
    let labels: Vec<String> =
        labels.map(|(name, value)| format!("{name}={}", text(value))).collect();
    let mut line = alert.status.clone();
    if !said.is_empty() {
        let _ = write!(line, ": {said}");
    }
    if !labels.is_empty() {
        let _ = write!(line, " ({})", labels.join(", "));
    }
    line
}

/// Something that fires is urgent if its severity says so, else high. That it is over is not.
fn priority(group: &Group) -> Priority {
    let is_critical = |alert: &Alert| {
        let severity = alert.labels.get("severity").and_then(Value::as_str);
        is_firing(&alert.status) && severity == Some("critical")
    };
    match is_firing(&group.status) {
        false => Priority::Default,
        true if group.alerts.iter().any(is_critical) => Priority::Urgent,
        true => Priority::High,
    }
}

fn tags(status: &str) -> Tags {
    status.parse().ok().and_then(|tag| Tags::try_from(vec![tag]).ok()).unwrap_or_default()
}

fn is_firing(status: &str) -> bool {
    status == "firing"
}

/// A label's value. It is a text; should it be another value, that is shown.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(group: Value) -> Incoming {
        super::super::parse(&group.to_string()).expect("a group")
    }

    #[test]
    fn group_without_words_is_told_by_its_labels() {
        let Incoming { text, details } = of(json!({
            "status": "firing", "receiver": "chat", "truncatedAlerts": 3,
            "commonLabels": {"alertname": "DiskFull"},
            "alerts": [
                {"status": "firing", "labels": {"alertname": "DiskFull", "instance": "web-1"}},
                {"status": "resolved", "labels": {"alertname": "DiskFull", "instance": "web-2",
                                                  "severity": "critical"}},
            ],
        }));
        let expected = "firing: DiskFull (instance=web-1)\n\
                        resolved: DiskFull (instance=web-2, severity=critical)\n+ 3";
        assert_eq!(text, expected);
        assert_eq!(details.title.unwrap().as_str(), "[FIRING:1] DiskFull");
        assert_eq!(details.priority, Priority::High, "the critical one is over");
        assert_eq!(details.click, None);
    }

    #[test]
    fn null_is_the_same_as_an_absent_field() {
        let Incoming { text, details } = of(json!({
            "status": "firing", "receiver": null, "groupLabels": null, "title": null,
            "alerts": [{"status": "firing", "labels": {"alertname": "DiskFull", "of": null},
                        "annotations": null}, null],
        }));
        assert_eq!(text, "firing: DiskFull");
        assert_eq!(details.title.unwrap().as_str(), "[FIRING:1]");
    }

    #[test]
    fn group_without_alerts_still_has_a_text() {
        let Incoming { text, details } =
            of(json!({"status": "resolved", "receiver": "chat", "alerts": []}));
        assert_eq!(text, "[RESOLVED] chat");
        assert_eq!(details.priority, Priority::Default);
        assert_eq!(details.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(), ["resolved"]);
    }
}
