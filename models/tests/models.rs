//! Runs every model in every interleaving of its threads.

use chat_models::{model, queue_models, server, service, store};

#[test]
fn queue_returns_every_item_once_and_in_order() {
    model(queue_models::every_item_comes_out_once_and_in_order);
}

#[test]
fn queue_wakes_every_waiting_thread() {
    model(queue_models::no_thread_waits_while_an_item_is_queued);
}

#[test]
fn closed_queue_wakes_every_waiting_thread() {
    model(queue_models::closing_wakes_every_waiting_thread);
}

#[test]
fn queue_never_exceeds_its_capacity() {
    model(queue_models::queue_never_exceeds_its_capacity);
}

#[test]
fn watcher_reads_every_committed_message() {
    model(service::watcher_reads_every_committed_message);
}

#[test]
fn watcher_gets_every_message_once_from_memory_or_message_log() {
    model(service::watcher_gets_every_message_once_from_memory_or_message_log);
}

#[test]
fn dropped_subscription_gets_no_hints() {
    model(service::dropped_subscription_gets_no_hints);
}

#[test]
fn request_is_answered_exactly_once_during_a_shutdown() {
    model(service::request_is_answered_exactly_once_during_a_shutdown);
}

#[test]
fn worker_receives_everything_and_is_woken_once_per_sleep() {
    model(server::worker_receives_everything_and_is_woken_once_per_sleep);
}

#[test]
fn group_commit_answers_operations_of_workers_and_other_threads_once_after_their_commit() {
    model(store::operations_of_workers_and_other_threads_are_answered_once_after_their_commit);
}

#[test]
fn group_commit_leaves_no_operation_behind_a_slow_commit() {
    model(store::no_operation_is_left_behind_a_slow_commit);
}

#[test]
fn closing_group_commit_answers_each_operation_once() {
    model(store::closing_answers_each_operation_once);
}

#[test]
fn stream_gets_what_was_sent_between_joining_and_leaving() {
    model(service::stream_gets_what_was_sent_between_joining_and_leaving);
}
