/tmp/wt/store/target-models/debug/deps/models-b002ef6355a43871.d: tests/models.rs

/tmp/wt/store/target-models/debug/deps/libmodels-b002ef6355a43871.rmeta: tests/models.rs

tests/models.rs:
