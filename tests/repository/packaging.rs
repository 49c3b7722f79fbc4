//! The contents of the packages, as far as they can be checked without a build
//! (`packaging/test-deb` and `packaging/test-container` build them): named files exist, and the
//! server knows every setting.

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

/// The manifest's section for the Debian package of the client, and for that of the server.
fn debian_packages() -> [String; 2] {
    let manifest = text("Cargo.toml");
    let (_, rest) = manifest.split_once("\n[package.metadata.deb]\n").expect("the client");
    let (client, rest) =
        rest.split_once("\n[package.metadata.deb.variants.server]\n").expect("both");
    let (server, _) = rest.split_once("\n[[bench]]\n").expect("the end");
    [client.to_owned(), server.to_owned()]
}

/// The files of a package: source and destination of each.
fn assets(package: &str) -> Vec<(String, String)> {
    let (_, assets) = package.split_once("\nassets = [\n").expect("assets");
    let (assets, _) = assets.split_once("\n]\n").expect("their end");
    let words = assets.lines().map(|line| line.split('"').collect::<Vec<_>>());
    words.map(|words| (words[1].to_owned(), words[3].to_owned())).collect()
}

#[test]
fn files_of_the_debian_packages_are_there() {
    let [client, server] = debian_packages();
    let assets: Vec<_> = [&client, &server].map(|package| assets(package)).concat();
    // Files in `target` are built first.
    let sources = assets.iter().filter(|(source, _)| !source.starts_with("target/"));
    let sources: Vec<&String> = sources.map(|(source, _)| source).collect();
    assert!(sources.len() > 2, "{sources:?}");
    for source in sources {
        let folder = source.split('*').next().expect("a path");
        assert!(root().join(folder).exists(), "{source}");
    }
    for (key, file) in [("unit-scripts", "chat-server.service"), ("maintainer-scripts", "postrm")] {
        let (_, folder) = server.split_once(&format!("{key} = \"")).expect(key);
        let (folder, _) = folder.split_once('"').expect("the end of the path");
        assert!(root().join(folder).join(file).exists(), "{folder}/{file}");
    }
}

/// `dpkg` refuses two packages with a common file. The client must not start, stop or purge a
/// server.
#[test]
fn client_and_server_share_no_file_and_the_client_has_no_service() {
    let [client, server] = debian_packages();
    let names = |package: &str| -> Vec<String> {
        let name = |(source, folder): (String, String)| {
            format!("{folder}{}", source.rsplit('/').next().expect("a name"))
        };
        assets(package).into_iter().map(name).collect()
    };
    let shared: Vec<String> =
        names(&client).into_iter().filter(|name| names(&server).contains(name)).collect();
    assert!(shared.is_empty(), "{shared:?}");
    for key in ["maintainer-scripts", "systemd-units", "etc/"] {
        assert!(server.contains(key) && !client.contains(key), "{key}");
    }
    for (package, own, other) in
        [(&client, "chat-cli", "chat-server"), (&server, "chat-server", "chat-cli")]
    {
        assert!(
            package.contains(&format!("\nname = \"{own}\"\n"))
                || package.starts_with(&format!("name = \"{own}\"\n"))
        );
        let strange: Vec<_> =
            assets(package).into_iter().filter(|(source, _)| source.contains(other)).collect();
        assert!(strange.is_empty(), "{own}: {strange:?}");
    }
}

/// The old package chat-cli had both programs. The server replaces its files, and those of no later
/// version.
#[test]
fn server_replaces_the_package_that_had_both_programs() {
    let [_, server] = debian_packages();
    let version = env!("CARGO_PKG_VERSION");
    assert!(text("packaging/build-deb").contains("version=${version##* }-2\n"));
    for key in ["breaks", "replaces"] {
        let line = format!("\n{key} = \"chat-cli (<< {version}-2~)\"\n");
        assert!(
            server.contains(&line),
            "{key}: after a release it stays at the version of the split"
        );
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
    for script in [
        "build-deb",
        "build-static",
        "test-deb",
        "test-container",
        "debian/postinst",
        "debian/postrm",
    ] {
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
