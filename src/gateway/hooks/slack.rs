//! Messages as Slack's incoming webhooks take them, and Mattermost's, which are made like them: a
//! text, attachments, blocks. What only decorates a message is left out.

use serde::Deserialize;
use serde_json::Value;

use super::incoming::{Incoming, click, title};
use crate::model::Details;

/// A message.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    text: String,
    attachments: Vec<Attachment>,
    blocks: Vec<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attachment {
    fallback: String,
    pretext: String,
    title: String,
    title_link: String,
    text: String,
    fields: Vec<Field>,
    blocks: Vec<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Field {
    title: String,
    value: Value,
}

/// The message in plain text. The title of the only attachment, without a text above it, is the
/// message's.
pub(super) fn message(said: Said) -> Incoming {
    let Said { text, mut attachments, blocks } = said;
    let mut details = Details::default();
    let has_text = !text.trim().is_empty();
    if let (false, [only]) = (has_text, attachments.as_mut_slice()) {
        details.click = click([Some(&only.title_link)]);
        let own = std::mem::take(&mut only.title);
        details.title = title(&plain(&own));
        // A message needs a text: a title alone is also that.
        if details.title.is_none() || parts_of(only).is_empty() {
            only.title = own;
        }
    }
    // Blocks say again what the text says for those who cannot show blocks.
    let mut parts = if has_text { vec![text] } else { texts_of(&blocks) };
    for attachment in attachments {
        match parts_of(&attachment) {
            own if own.is_empty() => parts.push(attachment.fallback),
            own => parts.extend(own),
        }
    }
    Incoming::new(&plain(&parts.join("\n")), details)
}

/// The lines of an attachment, without its `fallback`.
fn parts_of(attachment: &Attachment) -> Vec<String> {
    let Attachment { fallback: _, pretext, title, title_link: _, text, fields, blocks } =
        attachment;
    let mut parts = vec![pretext.clone(), title.clone(), text.clone()];
    for Field { title, value } in fields {
        let value = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        parts.push(if title.is_empty() { value } else { format!("{title}: {value}") });
    }
    parts.extend(texts_of(blocks));
    parts.retain(|part| !part.is_empty());
    parts
}

/// The texts of blocks, in their order: of headers and sections, their fields, and of contexts.
fn texts_of(blocks: &[Value]) -> Vec<String> {
    let parts = blocks.iter().flat_map(|block| {
        let text = block.get("text").into_iter();
        text.chain(list(block, "fields")).chain(list(block, "elements"))
    });
    let texts = parts.filter_map(|part| part.get("text").and_then(Value::as_str));
    texts.map(str::to_owned).collect()
}

fn list<'a>(block: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    block.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// Resolves what stands between `<` and `>` in Slack's texts, and the three characters that are
/// escaped there. Other markup is readable as it is.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        // A `<` inside is escaped. To look no further than the next one also means to look at each
        // byte once.
        let end = after.find(['<', '>']).filter(|end| after[*end..].starts_with('>'));
        let inside = end.and_then(|end| Some((shown(&after[..end])?, &after[end + 1..])));
        rest = match inside {
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
        super::super::parse(&said.to_string()).expect("a message")
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
            ("<https://a <https://b|c>", "<https://a c (https://b)"),
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
