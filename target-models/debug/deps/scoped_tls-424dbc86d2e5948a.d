/tmp/wt/store/target-models/debug/deps/scoped_tls-424dbc86d2e5948a.d: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/scoped-tls-1.0.1/src/lib.rs

/tmp/wt/store/target-models/debug/deps/libscoped_tls-424dbc86d2e5948a.rmeta: /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/scoped-tls-1.0.1/src/lib.rs

/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/scoped-tls-1.0.1/src/lib.rs:
