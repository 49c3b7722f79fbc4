//! The properties of the fuzz targets, on the seeds in the repository and on thousands of random
//! mutations of them. The random choices are seeded.

#[path = "../properties/mod.rs"]
mod properties;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::support::{Random, scaled};

/// The longest generated input.
const INPUT_BYTES_MAX: usize = 1024;

#[test]
fn properties_hold_for_the_seeds_and_their_mutations() {
    let mut random = Random::new();
    for (name, property) in properties::ALL {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has seeds");
        for seed in &seeds {
            check(name, property, seed);
        }
        for _ in 0..scaled(1_000, 20_000) {
            check(name, property, &mutated(&seeds, &mut random));
        }
    }
}

#[test]
fn lines_of_the_servers_limit_are_those_of_the_whole_stream() {
    let mut random = Random::new();
    let (seeds, property) =
        (seeds("framing"), properties::framing::lines_at_the_servers_limit_are_too);
    for seed in &seeds {
        check("framing", property, seed);
    }
    for _ in 0..scaled(200, 5_000) {
        check("framing", property, &mutated(&seeds, &mut random));
    }
}

fn check(name: &str, property: fn(&[u8]), input: &[u8]) {
    let held = catch_unwind(AssertUnwindSafe(|| property(input)));
    assert!(held.is_ok(), "{name} does not hold for b\"{}\"", input.escape_ascii());
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/properties/seeds").join(name);
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder of seeds")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).expect("a seed")).collect()
}

/// Bytes of one seed, and some of another, with a few of them changed.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..1 + random.below(6) {
        let at = random.below(input.len() + 1);
        let end = (at + random.below(16)).min(input.len());
        match random.below(6) {
            0 => drop(input.drain(at..end)),
            1 => input.insert(at, random.next() as u8),
            2 if at < input.len() => input[at] = random.next() as u8,
            3 if at < input.len() => input[at] ^= 1 << random.below(8),
            4 => {
                let twice = input[at..end].to_vec();
                input.splice(at..at, twice);
            }
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                input.splice(at..end, other[from..].iter().copied());
            }
        }
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}
