//! What the packages are made of, as far as it shows without making them (that is `packaging/test-deb`
//! and `packaging/test-container`): what they name is there, and what they set the server knows.

use std::fs;
use std::path::Path;
use std::process::Command;

use chat::operate::arguments::Arguments;
use clap::CommandFactory;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn files_of_the_debian_package_are_there() {
    let manifest = text("Cargo.toml");
    let (_, assets) = manifest.split_once("\nassets = [\n").expect("assets");
    let (assets, _) = assets.split_once("\n]\n").expect("their end");
    let sources = assets.lines().map(|line| line.split('"').nth(1).expect("a path in quotes"));
    // What is built first is there only then.
    let sources: Vec<&str> = sources.filter(|source| !source.starts_with("target/")).collect();
    assert!(sources.len() > 2, "{sources:?}");
    for source in sources {
        let folder = source.split('*').next().expect("a path");
        assert!(root().join(folder).exists(), "{source}");
    }
    for (key, file) in [("unit-scripts", "chat-server.service"), ("maintainer-scripts", "postrm")] {
        let (_, folder) = manifest.split_once(&format!("{key} = \"")).expect(key);
        let (folder, _) = folder.split_once('"').expect("the end of the path");
        assert!(root().join(folder).join(file).exists(), "{folder}/{file}");
    }
}

#[test]
fn the_package_can_change_what_it_changes_in_the_example_configuration() {
    let example = text("contrib/server.toml");
    for key in ["#db = ", "#no_seed = "] {
        let lines = example.lines().filter(|line| line.starts_with(key));
        assert_eq!(lines.count(), 1, "{key}");
    }
}

#[test]
fn the_server_knows_what_the_container_sets() {
    let file = text("Containerfile");
    let set = file.lines().find_map(|line| line.strip_prefix("ENV ")).expect("an environment");
    let server = Arguments::command();
    for assignment in set.split(' ') {
        let (name, _) = assignment.split_once('=').expect("a value");
        let known = server.get_arguments().any(|it| it.get_env().is_some_and(|env| env == name));
        assert!(known, "{name}");
    }
    assert!(server.find_subcommand("healthcheck").is_some());
}

#[test]
fn scripts_can_be_read_by_their_shells() {
    for script in ["build-deb", "build-static", "test-deb", "test-container", "debian/postrm"] {
        let path = root().join("packaging").join(script);
        let shell = if text(&format!("packaging/{script}")).starts_with("#!/bin/sh") {
            "sh"
        } else {
            "bash"
        };
        let output = Command::new(shell).arg("-n").arg(&path).output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{script}: {said}");
    }
}
