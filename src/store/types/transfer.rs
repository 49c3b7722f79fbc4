//! Importing the records of another database, and rebuilding derived data.

use crate::model::UserId;
use crate::store::operation::Write;
use crate::transfer::{Step, Taken};

/// Executes the steps in order, in one transaction, up to the first step that it must refuse. A
/// step may be repeated: existing data is recognised by id and content, or by key. An inbox may
/// exceed its limit. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct Import {
    /// The steps.
    pub steps: Vec<Step>,
    /// The password hash for users that come without one. No password matches it.
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

/// The result of [`Import`].
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// The result of each step, up to the first refused one.
    pub taken: Vec<Taken>,
    /// Why the next step was refused. The steps after it were not executed.
    pub refused: Option<String>,
    /// The users who have a new message.
    pub recipients: Vec<UserId>,
}

/// Rebuilds one part of the derived data. The answer is the part's name, or `None` if there are no
/// more parts. Other writes wait: an index takes some seconds for a million messages. Durable when
/// the answer comes.
#[derive(Debug, Clone, Copy)]
pub struct Rebuild {
    /// The number of the part, from 0.
    pub part: usize,
}

impl Write for Rebuild {
    type Answer = Option<String>;
}
