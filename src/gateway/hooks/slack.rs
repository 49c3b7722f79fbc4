//! Messages as Slack's incoming webhooks take them, and Mattermost's, which are made like them: a
//! text, attachments, blocks. What only decorates a message is left out.

use serde::Deserialize;
use serde_json::Value;

use super::incoming::{Incoming, click, title};
use crate::model::Details;

/// A message. An absent field and `null` are the same.
#[derive(Deserialize)]
pub(super) struct Said {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    attachments: Option<Vec<Attachment>>,
    #[serde(default)]
    blocks: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct Attachment {
    #[serde(default)]
    fallback: Option<String>,
    #[serde(default)]
    pretext: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    title_link: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    fields: Option<Vec<Field>>,
    #[serde(default)]
    blocks: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct Field {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    value: Value,
}

/// The message in plain text. The title of the only attachment, without a text above it, is the
/// message's.
pub(super) fn message(said: Said) -> Incoming {
    let Said { text, attachments, blocks } = said;
    let mut attachments = attachments.unwrap_or_default();
    let mut details = Details::default();
    let text = text.filter(|text| !text.trim().is_empty());
    if let (None, [only]) = (&text, attachments.as_mut_slice()) {
        details.click = click([only.title_link.as_ref()]);
        details.title = only.title.as_deref().and_then(|text| title(&plain(text)));
        if details.title.is_some() && has_more(only) {
            only.title = None;
        }
    }
    // Blocks say again what the text says for those who cannot show blocks.
    let mut parts: Vec<String> = match text {
        Some(text) => vec![text],
        None => texts_of(&blocks.unwrap_or_default()),
    };
    parts.extend(attachments.iter().flat_map(parts_of));
    Incoming::new(&plain(&parts.join("\n")), details)
}

/// Whether there is something beside a title.
fn has_more(attachment: &Attachment) -> bool {
    let Attachment { pretext, text, fields, blocks, .. } = attachment;
    let is_some = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let has_fields = fields.as_ref().is_some_and(|fields| !fields.is_empty());
    let has_blocks = blocks.as_ref().is_some_and(|blocks| !texts_of(blocks).is_empty());
    is_some(pretext) || is_some(text) || has_fields || has_blocks
}

fn parts_of(attachment: &Attachment) -> Vec<String> {
    let Attachment { fallback, pretext, title, title_link: _, text, fields, blocks } = attachment;
    let mut parts: Vec<String> = [pretext, title, text].into_iter().flatten().cloned().collect();
    for Field { title, value } in fields.iter().flatten() {
        let value = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        parts.push(match title.as_deref().filter(|title| !title.is_empty()) {
            Some(title) => format!("{title}: {value}"),
            None => value,
        });
    }
    parts.extend(texts_of(blocks.as_deref().unwrap_or_default()));
    parts.retain(|part| !part.is_empty());
    match parts.is_empty() {
        true => fallback.iter().cloned().collect(),
        false => parts,
    }
}

/// The texts of blocks, in their order: of headers and sections, their fields, and of contexts.
fn texts_of(blocks: &[Value]) -> Vec<String> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let mut texts = Vec::new();
    for block in blocks {
        let parts = [list(block.get("fields")), list(block.get("elements"))].concat();
        let parts = block.get("text").cloned().into_iter().chain(parts);
        let text = |part: Value| part.get("text").and_then(Value::as_str).map(str::to_owned);
        texts.extend(parts.filter_map(text));
    }
    texts
}

/// Resolves what stands between `<` and `>` in Slack's texts, and the three characters that are
/// escaped there. Other markup is readable as it is.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        rest = match after.split_once('>').and_then(|(inside, rest)| Some((shown(inside)?, rest))) {
            Some((inside, rest)) => {
                plain.push_str(&inside);
                rest
            }
            None => {
                plain.push('<');
                after
            }
        };
    }
    plain.push_str(rest);
    // In this order, so that `&amp;lt;` is `&lt;`.
    plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// A link, or a word for everybody. `None` if it is something else.
fn shown(inside: &str) -> Option<String> {
    let (target, label) = match inside.split_once('|') {
        Some((target, label)) => (target, Some(label)),
        None => (inside, None),
    };
    if let Some(word) = target.strip_prefix('!') {
        return Some(label.map_or_else(|| format!("@{word}"), str::to_owned));
    }
    let is_link = ["https://", "http://", "mailto:"].iter().any(|start| target.starts_with(start));
    is_link.then(|| match label {
        Some(label) => format!("{label} ({target})"),
        None => target.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(said: Value) -> Incoming {
        message(serde_json::from_value(said).expect("a message"))
    }

    #[test]
    fn links_and_escapes_are_resolved_and_all_else_is_kept() {
        for (text, expected) in [
            (
                "<https://ci.example/7|build 7> of <!here>",
                "build 7 (https://ci.example/7) of @here",
            ),
            ("see <https://ci.example>", "see https://ci.example"),
            ("1 &lt; 2 &amp;&amp; 3 > 2", "1 < 2 && 3 > 2"),
            ("&amp;lt;", "&lt;"),
            ("a <b> < c <https://", "a <b> < c <https://"),
            ("*bold* `code` <@U1>", "*bold* `code` <@U1>"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn attachments_are_lines_and_a_title_is_the_messages_where_it_is_the_only_one() {
        let attachment = json!({"fallback": "f", "title": "T", "title_link": "https://t.example",
                                "text": "x", "fields": [{"title": "n", "value": 7}]});
        let Incoming { text, details } = of(json!({"attachments": [attachment]}));
        assert_eq!((text.as_str(), details.title.unwrap().as_str()), ("x\nn: 7", "T"));
        assert_eq!(details.click.unwrap().as_str(), "https://t.example");
        let Incoming { text, details } = of(json!({"text": "above", "attachments": [attachment]}));
        assert_eq!((text.as_str(), details.title), ("above\nT\nx\nn: 7", None));
        let only = of(json!({"text": null, "attachments": [{"title": "T"}]}));
        assert_eq!((only.text.as_str(), only.details.title.unwrap().as_str()), ("T", "T"));
        assert_eq!(of(json!({"attachments": [{"fallback": "f"}]})).text, "f");
    }

    #[test]
    fn blocks_are_told_where_there_is_no_text() {
        let blocks = json!([
            {"type": "header", "text": {"type": "plain_text", "text": "Deploy"}},
            {"type": "section", "fields": [{"type": "mrkdwn", "text": "*web*"}]},
            {"type": "divider"},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": "by paff"}]},
        ]);
        assert_eq!(of(json!({"blocks": blocks})).text, "Deploy\n*web*\nby paff");
        assert_eq!(of(json!({"text": "plain", "blocks": blocks})).text, "plain");
        assert_eq!(of(json!({})).text, "");
    }
}
