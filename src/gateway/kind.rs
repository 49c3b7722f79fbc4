//! The kinds of requests, by which they are counted.

/// All kinds.
pub const KINDS: [&str; 9] =
    ["publish", "hook", "report", "read", "ack", "api", "page", "health", "other"];

/// The kind of a request for this path.
pub fn kind(path: &str) -> &'static str {
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
    match (segments.next(), segments.next(), segments.next()) {
        (Some("hooks"), Some(_), None) => "hook",
        (Some("expect"), Some(_), _) => "report",
        (Some("api"), Some("v1"), Some(_)) => "api",
        (Some("page"), Some(_), _) | (Some("service-worker.js"), None, _) => "page",
        (Some(_), None, _) | (Some(_), Some("publish" | "send" | "trigger"), None) => "publish",
        (Some(_), Some("json" | "sse" | "raw" | "ws"), None) => "read",
        (Some(_), Some("ack"), None) => "ack",
        (Some("v1"), Some("health"), None) => "health",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_one_of_the_kinds() {
        for (path, expected) in [
            ("/", "publish"),
            ("/neko", "publish"),
            ("/%23build", "publish"),
            ("/neko/trigger", "publish"),
            ("/hooks/secret", "hook"),
            ("/expect/backup", "report"),
            ("/expect/json", "report"),
            ("/expect/backup/3", "report"),
            ("/inbox/sse", "read"),
            ("/%23build/ws", "read"),
            ("/inbox/ack", "ack"),
            ("/v1/health", "health"),
            ("/v1/other", "other"),
            ("/api/v1/post", "api"),
            ("/api/json", "read"),
            ("/page/session", "page"),
            ("/page/0123456789abcdef/app.js", "page"),
            ("/service-worker.js", "page"),
            ("/inbox/sse/more", "other"),
            ("*", "publish"),
        ] {
            assert_eq!(kind(path), expected, "{path}");
            assert!(KINDS.contains(&expected));
        }
    }
}
