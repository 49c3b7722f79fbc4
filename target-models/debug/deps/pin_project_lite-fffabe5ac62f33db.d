/tmp/wt/store/target-models/debug/deps/pin_project_lite-fffabe5ac62f33db.d: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/pin-project-lite-0.2.18/src/lib.rs

/tmp/wt/store/target-models/debug/deps/libpin_project_lite-fffabe5ac62f33db.rmeta: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/pin-project-lite-0.2.18/src/lib.rs

/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/pin-project-lite-0.2.18/src/lib.rs:
