//! Counts in words: `1 message`, `2 messages`.

use crate::catalogue::server;

/// `1 message`
pub(super) fn messages(count: impl TryInto<u64>) -> String {
    counted(count, server::one_message, server::several_messages)
}

/// `1 user`
pub(super) fn users(count: impl TryInto<u64>) -> String {
    counted(count, server::one_user, server::several_users)
}

/// `1 cursor`
pub(super) fn cursors(count: impl TryInto<u64>) -> String {
    counted(count, server::one_cursor, server::several_cursors)
}

/// `1 mark`
pub(super) fn marks(count: impl TryInto<u64>) -> String {
    counted(count, server::one_mark, server::several_marks)
}

/// `1 finding`
pub(super) fn findings(count: impl TryInto<u64>) -> String {
    counted(count, server::one_finding, server::several_findings)
}

/// Saturates, which no real count reaches.
fn counted(
    count: impl TryInto<u64>,
    one: fn() -> &'static str,
    several: fn(u64) -> String,
) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        1 => one().to_owned(),
        count => several(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Language, speaking};

    #[test]
    fn one_is_not_said_as_many_are() {
        speaking(Language::English, || {
            assert_eq!([messages(0), messages(1)], ["0 messages", "1 message"]);
            assert_eq!([users(1), users(2)], ["1 user", "2 users"]);
            assert_eq!([cursors(1), cursors(2)], ["1 cursor", "2 cursors"]);
            assert_eq!([findings(1), findings(2)], ["1 finding", "2 findings"]);
        });
    }
}
