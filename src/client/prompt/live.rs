//! Watches for the user who is logged in at the prompt, in its own thread, and posts the events to
//! the [`NoticeBoard`].

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::notice_board::{Notice, NoticeBoard, Progress, WatchId};
use crate::catalogue::prompt;
use crate::client::dial::Dialer;
use crate::client::failure::{Failure, Refused};
use crate::client::link::Link;
use crate::client::render::messages;
use crate::client::session::Session;
use crate::client::stream::{SILENCE_MAX, Stream, StreamEvent, Timeouts};
use crate::client::verbs;
use crate::model::{MailboxName, Message, MessageId};
use crate::protocol::arguments::{self, Fetch, FetchFrom};
use crate::protocol::refusal::Code;
use crate::terminal::text;

/// How long a login waits for its watch before the prompt appears without it.
const BEGIN_MAX: Duration = Duration::from_secs(2);
/// How often the thread checks whether it is still needed.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// The live watch, for one user at a time.
#[derive(Debug)]
pub struct LiveWatch {
    dialer: Dialer,
    /// How long to wait for an answer.
    timeout: Duration,
    board: Arc<NoticeBoard>,
}

impl LiveWatch {
    /// A watch at this server. It does not connect yet.
    pub fn new(dialer: Dialer, timeout: Duration, board: Arc<NoticeBoard>) -> Self {
        Self { dialer, timeout, board }
    }

    /// The board for its notices.
    pub fn board(&self) -> &NoticeBoard {
        &self.board
    }

    /// Watches for this user instead of the previous one. If the server is reached in time, every
    /// message that is stored after this returns will be posted. Blocks for two seconds at the
    /// longest.
    pub fn follow(&self, session: &Session) {
        let watch = self.board.begin_watch();
        self.board.add_user(&session.user);
        let timeouts = Timeouts { answer: self.timeout, silence: SILENCE_MAX };
        let begin = |[sent, read, changes]: [bool; 3]| {
            let from = arguments::WatchFrom::New;
            let begin = arguments::Watch { from, sent, read, changes, ..Default::default() };
            Stream::new(self.dialer.clone(), session.token, begin, timeouts)
        };
        let streams = [
            begin([true, true, true]),
            begin([true, true, false]),
            begin([true, false, false]),
            begin([false, false, false]),
        ];
        let link = Link::new(self.dialer.clone(), self.timeout);
        let sent = SentMessages { link, session: session.clone() };
        let board = Arc::clone(&self.board);
        let thread = thread::Builder::new().name("live".to_owned());
        match thread.spawn(move || post_all(streams, sent, watch, &board)) {
            Ok(_) => {
                self.board.wait_for_progress(Instant::now() + BEGIN_MAX);
            }
            Err(error) => {
                let text = prompt::not_live(error);
                self.board.post(watch, Notice::Text(text));
            }
        }
    }

    /// Stops the watch. The thread ends at its next check.
    pub fn stop(&self) {
        self.board.end_watch();
    }
}

/// Looks up messages that the user has sent.
struct SentMessages {
    link: Link,
    session: Session,
}

impl SentMessages {
    /// The message; `None` if the server does not return it.
    fn look_up(&mut self, id: MessageId, to: MailboxName) -> Option<Message> {
        let from = FetchFrom::After(MessageId(id.0 - 1));
        let fetch = Fetch {
            from,
            with: Some(to),
            thread: None,
            since: None,
            filter: Box::default(),
            limit: 1,
        };
        let page = verbs::fetch(&mut self.link, self.session.token, fetch).ok()?;
        let message = page.messages.into_iter().next();
        message.filter(|message| message.id == id && message.from == self.session.user)
    }
}

/// Posts the events of the first stream until the session ends or another watch begins. It posts
/// once that the server is away, and once that it is back. An older server refuses a stream that
/// asks for what is sent, read or changed elsewhere; then the next stream, which asks for less,
/// replaces it.
fn post_all(
    [stream, older, old, oldest]: [Stream; 4],
    mut sent: SentMessages,
    watch: WatchId,
    board: &NoticeBoard,
) {
    let (mut stream, mut plain) = (stream, [older, old, oldest].into_iter());
    let mut was_there = false;
    while board.is_current(watch) {
        match stream.next(Some(Instant::now() + LOOK_INTERVAL)) {
            Ok(Some(StreamEvent::Message(message))) => board.post(watch, Notice::Message(message)),
            Ok(Some(StreamEvent::Ready { .. })) => {
                if board.progress() == Progress::Away {
                    let said =
                        if was_there { prompt::connected_again() } else { prompt::connected() };
                    board.post(watch, Notice::Text(said.to_owned()));
                }
                was_there = true;
                board.set_progress(watch, Progress::Connected);
            }
            Ok(Some(StreamEvent::Disconnected { .. })) => {
                if board.progress() != Progress::Away {
                    let said = if was_there {
                        prompt::connection_lost()
                    } else {
                        prompt::server_not_there()
                    };
                    board.post(watch, Notice::Text(said.to_owned()));
                }
                board.set_progress(watch, Progress::Away);
            }
            Ok(Some(StreamEvent::Sent { id, to })) => {
                if !board.was_sent_here(id)
                    && let Some(message) = sent.look_up(id, to)
                {
                    board.post(watch, Notice::Sent(message));
                }
            }
            Ok(Some(StreamEvent::Read(read))) => board.note_read(watch, &read),
            Ok(Some(StreamEvent::Changed(change))) => {
                if !board.amend(watch, &change) {
                    board.post(watch, Notice::Text(messages::change(&change)));
                }
            }
            Ok(Some(StreamEvent::CaughtUp { .. } | StreamEvent::Receipt(_)) | None) => {}
            Err(Failure::Refused(Refused { code: Some(Code::BadArgument), .. }))
                if plain.len() > 0 =>
            {
                if let Some(plain) = plain.next() {
                    stream = plain;
                }
            }
            Err(failure) => {
                let ended = failure.ends_session();
                board.set_progress(watch, if ended { Progress::Ended } else { Progress::Away });
                return board.post(watch, Notice::Text(last_words(&failure)));
            }
        }
    }
}

fn last_words(failure: &Failure) -> String {
    if failure.ends_session() {
        prompt::session_ended().to_owned()
    } else {
        prompt::no_longer_live(text::visible(&failure.to_string()))
    }
}
