/tmp/wt/store/target-models/debug/deps/chat_models-c1ae82f9cb26efb6.d: src/lib.rs src/queue_models.rs src/server.rs src/../../src/server/mailbox.rs src/service.rs src/../../src/service/hub.rs src/../../src/store/cache/live_messages.rs src/../../src/service/responder.rs src/store.rs src/../../src/store/scheduler/group_commit.rs src/sync.rs src/../../src/queue.rs src/../../src/wake.rs

/tmp/wt/store/target-models/debug/deps/libchat_models-c1ae82f9cb26efb6.rmeta: src/lib.rs src/queue_models.rs src/server.rs src/../../src/server/mailbox.rs src/service.rs src/../../src/service/hub.rs src/../../src/store/cache/live_messages.rs src/../../src/service/responder.rs src/store.rs src/../../src/store/scheduler/group_commit.rs src/sync.rs src/../../src/queue.rs src/../../src/wake.rs

src/lib.rs:
src/queue_models.rs:
src/server.rs:
src/../../src/server/mailbox.rs:
src/service.rs:
src/../../src/service/hub.rs:
src/../../src/store/cache/live_messages.rs:
src/../../src/service/responder.rs:
src/store.rs:
src/../../src/store/scheduler/group_commit.rs:
src/sync.rs:
src/../../src/queue.rs:
src/../../src/wake.rs:
