//! Every model, in every order in which its threads can run.

use chat_models::{model, queue_models, server, service};

#[test]
fn queue_gives_every_item_once_and_in_order() {
    model(queue_models::every_item_is_given_once_and_in_order);
}

#[test]
fn queue_wakes_everybody_who_waits() {
    model(queue_models::nobody_waits_for_what_is_there);
}

#[test]
fn queue_wakes_everybody_when_it_is_closed() {
    model(queue_models::nobody_waits_for_what_is_closed);
}

#[test]
fn queue_never_holds_more_than_it_may() {
    model(queue_models::no_more_waits_than_may);
}

#[test]
fn watcher_reads_everything_that_is_committed() {
    model(service::watcher_reads_everything_that_is_committed);
}

#[test]
fn watcher_is_told_everything_from_memory_or_the_log() {
    model(service::watcher_is_told_everything_from_memory_or_the_log);
}

#[test]
fn subscription_that_is_dropped_is_gone() {
    model(service::subscription_that_is_dropped_is_gone);
}

#[test]
fn request_is_answered_exactly_once_through_a_shutdown() {
    model(service::what_is_asked_for_is_answered_exactly_once_through_a_shutdown);
}

#[test]
fn worker_gets_what_is_left_for_it_and_sleeps_otherwise() {
    model(server::worker_gets_what_is_left_for_it_and_sleeps_otherwise);
}
