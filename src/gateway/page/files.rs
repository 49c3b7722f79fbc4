//! The files of the page (`web/`), which are part of the binary. Their folder is named after what is
//! in them, so a browser may keep them for ever, and modules find each other by relative names.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::encoding::Encoded;
use crate::catalogue;

/// What the page may do: use its own files and talk to this server. No script makes code or HTML of
/// a text; `worker` is the name of the one policy that lets a script start the service worker.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types worker";
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
/// Stands in the page for the name of the folder.
const RELEASE: &str = "RELEASE";
/// The bytes of the name of the folder.
const RELEASE_BYTES: usize = 8;

struct File {
    name: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($($name:literal)*) => {
        &[$(File { name: $name, text: include_str!(concat!("../../../web/", $name)) }),*]
    };
}

const PAGE: &str = include_str!("../../../web/index.html");
const SERVICE_WORKER: &str = include_str!("../../../web/service-worker.js");
const FILES: &[File] = files! {
    "access-tokens.js" "api.js" "app.js" "attempt.js" "blocks.js" "conversation-list.js" "conversation.js"
    "delete.js" "dom.js" "icon.svg" "inbox-view.js" "inbox.js" "join.js" "letter.js" "live.js" "log-in.js"
    "look.js" "manifest.webmanifest" "message.js" "notices.js" "outbox.js" "presence.js" "rooms.js"
    "search.js" "settings.js" "style.css" "text.js" "time.js" "words.js" "write-box.js"
};
/// The module with the texts, which is made from the catalogue.
const TEXTS: &str = "texts.js";

/// The page as it is served.
struct Shell {
    release: String,
    page: Encoded,
    service_worker: Encoded,
    files: HashMap<&'static str, Encoded>,
}

/// It is made for the first browser: a start does not wait for the compression.
static SHELL: LazyLock<Shell> = LazyLock::new(|| {
    let texts = texts();
    let mut hash = Sha256::new();
    for text in [PAGE, &texts].into_iter().chain(FILES.iter().map(|file| file.text)) {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    let hash = hash.finalize();
    let release: String = hash[..RELEASE_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
    let page = Encoded::new(PAGE.replace(RELEASE, &release));
    let service_worker = Encoded::new(SERVICE_WORKER);
    let mut files: HashMap<_, _> =
        FILES.iter().map(|file| (file.name, Encoded::new(file.text))).collect();
    files.insert(TEXTS, Encoded::new(texts));
    Shell { release, page, service_worker, files }
});

/// The texts of the page and of the refusals: each with its name, in both languages.
fn texts() -> String {
    let all = catalogue::page::TEXTS.iter().chain(catalogue::refusal::TEXTS);
    let all: serde_json::Map<_, _> = all
        .map(|text| (text.name.to_owned(), [text.english, text.indonesian].as_slice().into()))
        .collect();
    format!("export const texts = {};\n", serde_json::Value::from(all))
}

/// The page. A browser asks again each time, because it names the folder.
pub(super) fn page(headers: &HeaderMap) -> Response {
    respond("page.html", "no-cache", &SHELL.page, headers)
}

/// The worker, which must be outside of the folder to serve the page.
pub(super) fn service_worker(headers: &HeaderMap) -> Response {
    respond("service-worker.js", "no-cache", &SHELL.service_worker, headers)
}

/// A file of this release.
pub(super) fn file(release: &str, name: &str, headers: &HeaderMap) -> Option<Response> {
    if release != SHELL.release {
        return None;
    }
    let file = SHELL.files.get(name)?;
    Some(respond(name, "public, max-age=31536000, immutable", file, headers))
}

fn respond(name: &str, caching: &'static str, text: &Encoded, headers: &HeaderMap) -> Response {
    let (body, is_compressed) = text.form(headers);
    let fields = [
        (CONTENT_TYPE, content_type(name)),
        (CACHE_CONTROL, caching),
        (VARY, "accept-encoding"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "same-origin"),
        (OPENER_POLICY, "same-origin"),
    ];
    let compressed = is_compressed.then_some((CONTENT_ENCODING, "gzip"));
    let mut response = body.into_response();
    for (field, value) in fields.into_iter().chain(compressed) {
        response.headers_mut().insert(field, HeaderValue::from_static(value));
    }
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("webmanifest") => "application/manifest+json",
        _ => "text/html; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    fn folder() -> Vec<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let is_for_tsc =
            |path: &Path| path.ends_with("tsconfig.json") || path.ends_with("texts.d.ts");
        let named = entries.filter(|path| !is_for_tsc(path));
        let read = |path: std::path::PathBuf| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read_to_string(path).unwrap(),
            )
        };
        named.filter(|path| path.is_file()).map(read).collect()
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let mut served: BTreeSet<_> = FILES.iter().map(|file| file.name.to_owned()).collect();
        served.extend(["index.html", "service-worker.js"].map(str::to_owned));
        assert_eq!(served, folder().into_iter().map(|(name, _)| name).collect());
    }

    #[test]
    fn every_text_that_the_page_says_is_in_the_catalogue_and_the_other_way_round() {
        let named: BTreeSet<_> = catalogue::page::TEXTS.iter().map(|text| text.name).collect();
        let mut said = BTreeSet::new();
        let mut begun = BTreeSet::new();
        for (_, text) in folder() {
            for (at, _) in text.match_indices("page_") {
                let is_word =
                    |character: char| character.is_ascii_alphanumeric() || character == '_';
                let rest = &text[at..];
                let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
                // `page_role_${role}` stands for several.
                let set = if rest[end..].starts_with("${") { &mut begun } else { &mut said };
                set.insert(rest[..end].to_owned());
            }
        }
        for name in &said {
            assert!(named.contains(name.as_str()), "the catalogue has no {name}");
        }
        for name in named {
            let is_said =
                said.contains(name) || begun.iter().any(|it| name.starts_with(it.as_str()));
            assert!(is_said, "nothing says {name}");
        }
    }

    #[test]
    fn page_names_files_of_its_folder_and_no_other_host() {
        let Shell { release, page, .. } = &*SHELL;
        let none = HeaderMap::new();
        let page = String::from_utf8(page.form(&none).0.to_vec()).unwrap();
        assert!(!page.contains(RELEASE), "{page}");
        for (at, start) in page.match_indices(&format!("/page/{release}/")) {
            let name = page[at + start.len()..].split('"').next().unwrap();
            assert!(file(release, name, &none).is_some(), "{name}");
        }
        assert!(file("0000000000000000", "app.js", &none).is_none());
        assert!(file(release, "../src/lib.rs", &none).is_none());
        for (name, text) in folder() {
            let addresses = text.match_indices("://").map(|(at, _)| &text[..at]);
            // A namespace is no address, and a regular expression none either.
            let foreign =
                addresses.filter(|before| before.ends_with("https") && !before.ends_with("`https"));
            assert_eq!(foreign.count(), 0, "{name}");
        }
    }
}
