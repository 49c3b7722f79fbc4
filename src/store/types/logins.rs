//! Failed logins, which the servers of one database count together. A server that is alone counts
//! them in its own memory.

use std::time::Duration;

use crate::store::operation::Read;

/// Judges a login by the failures of the last minute on all servers. A failure is counted at the
/// same time, so that any number of servers answer no more failures than the limit. The count needs
/// not be durable. A failure may be counted twice after a broken connection.
#[derive(Debug, Clone)]
pub struct JudgeLogin {
    /// The hash of the name, of a user or not.
    pub account: [u8; 32],
    /// The network that the login comes from.
    pub network: String,
    /// Whether it comes from the server's own machine.
    pub is_local: bool,
    /// What is known of the password.
    pub outcome: LoginOutcome,
    /// The maximum number of failures of an account from one network.
    pub per_network_max: usize,
    /// The maximum number of failures of an account from all networks. It does not hold a network
    /// that the account was logged in from.
    pub per_account_max: usize,
}

impl Read for JudgeLogin {
    type Answer = Judgement;
}

/// What is known of the password of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginOutcome {
    /// Nothing: whether it may be compared is the question.
    Asked,
    /// It was right.
    Right,
    /// It was wrong. Unless the login is refused, this counts.
    Wrong,
}

/// The answer of [`JudgeLogin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// Too many logins failed before. Then nothing was counted, and the client must not learn
    /// whether the password was right.
    pub is_refused: bool,
    /// The limit that is reached, by this failure or before, and for how long.
    pub reached: Option<(LoginLimit, Duration)>,
}

/// A limit on failed logins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginLimit {
    /// Of an account from one network.
    Network,
    /// Of an account from all networks.
    Account,
}
