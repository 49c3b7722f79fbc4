//! Taking in records of another database, and making derived data anew.

use crate::model::UserId;
use crate::store::operation::Write;
use crate::transfer::{Step, Taken};

/// Does the steps in their order, up to the first that has to be refused, in one transaction.
/// A step may be repeated: what is there already is recognised by its id and content, or by its
/// key. An inbox may become fuller than senders could make it. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct Import {
    /// The steps.
    pub steps: Vec<Step>,
    /// The password hash of users that come without one: no password fits it.
    pub locked: &'static str,
}

impl Write for Import {
    type Answer = Imported;

    fn text_bytes(&self) -> usize {
        let bytes = self.steps.iter().map(|step| match step {
            Step::Message(message) => message.body.as_str().len(),
            _ => 0,
        });
        bytes.sum()
    }
}

/// What came of [`Import`].
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// What came of each step, up to the first that was refused.
    pub taken: Vec<Taken>,
    /// Why the next step was refused; steps after it were not looked at.
    pub refused: Option<String>,
    /// The users with a new message.
    pub recipients: Vec<UserId>,
}

/// Makes one part of the derived data anew, counted from 0, and answers with its name; `None`
/// where there are no more parts. Every writer waits meanwhile: an index takes some seconds for a
/// million messages. Durable when the answer comes.
#[derive(Debug, Clone, Copy)]
pub struct Rebuild {
    /// The number of the part.
    pub part: usize,
}

impl Write for Rebuild {
    type Answer = Option<String>;
}
