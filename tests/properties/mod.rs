//! Properties of any bytes: each is a function that takes bytes, and panics if it does not hold.
//! `tests/repository/any_bytes.rs` runs them in the ordinary tests, on the seeds and random
//! mutations of them; `fuzz/` lets libFuzzer search for bytes that break them.

pub mod answer;
pub mod certificate;
pub mod choices;
pub mod command;
pub mod configuration;
pub mod connection;
pub mod files;
pub mod framing;
pub mod reply;
pub mod terminal;
pub mod transfer;

/// A property and its name: of the fuzz target and of the folder of its seeds.
pub type Property = (&'static str, fn(&[u8]));

/// Every property.
pub const ALL: [Property; 13] = [
    ("framing", framing::lines_are_those_of_the_whole_stream),
    ("frames", framing::frames_are_those_of_the_whole_stream),
    ("command", command::line_is_one_request_or_one_refusal),
    ("arguments", command::arguments_mean_the_same_however_their_json_is_written),
    ("reply", reply::reply_reads_back_as_it_was_written),
    ("answer", answer::any_bytes_are_an_answer_or_refused),
    ("connection", connection::every_request_is_answered_once_in_its_place),
    ("session_file", files::session_is_for_its_server_and_user_alone),
    ("known_servers", files::known_servers_read_back_as_they_were_written),
    ("configuration", configuration::settings_read_back_and_mistakes_are_in_the_file),
    ("terminal", terminal::nothing_that_acts_or_hides_is_shown),
    ("transfer", transfer::lines_read_back_as_they_were_written),
    ("certificate", certificate::facts_of_any_bytes_can_be_told),
];
