//! Which modules of the library use which, read from the sources: every `use` and every other path
//! in code that is not test code, through re-exports to the module that has the item.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The path of a module: `["server", "peer"]` is `crate::server::peer`.
type Module = Vec<String>;

/// The modules of a library.
pub struct Modules {
    sources: BTreeMap<Module, Source>,
}

/// One module's code.
struct Source {
    /// Words and punctuation, without comments, literals and tests.
    tokens: Vec<String>,
    /// Names that `use` brings in, and the paths that they stand for.
    names: BTreeMap<String, Vec<String>>,
    /// The paths of `use …::*`.
    globs: Vec<Vec<String>>,
}

/// An edge between two children of one folder, and the module where it begins.
type Arrows = BTreeMap<String, BTreeMap<String, String>>;

impl Modules {
    /// Reads the library whose `lib.rs` is in `root`.
    pub fn read(root: &Path) -> Self {
        let mut files = Vec::new();
        find(root, &mut files);
        let texts = files.into_iter().map(|file| {
            let inside = file.strip_prefix(root).unwrap().with_extension("");
            let module = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            (module, fs::read_to_string(&file).unwrap())
        });
        Self::of(texts.filter(|(module, _): &(Module, String)| module[0] != "bin").collect())
    }

    /// The library of these modules; `lib` is its root.
    pub fn of(texts: Vec<(Module, String)>) -> Self {
        let mut tests = BTreeSet::new();
        let mut sources = BTreeMap::new();
        for (module, text) in texts {
            let module = if module == ["lib"] { Vec::new() } else { module };
            let (tokens, test_modules) = without_tests(tokens(&text));
            tests.extend(test_modules.into_iter().map(|name| child(&module, &name)));
            let (mut names, mut globs) = (BTreeMap::new(), Vec::new());
            for (mut path, renamed) in uses(&tokens) {
                if path.last().is_some_and(|last| last == "*") {
                    path.pop();
                    globs.push(path);
                } else if let Some(name) = renamed.or(path.last().cloned()) {
                    names.insert(name, path);
                }
            }
            sources.insert(module, Source { tokens, names, globs });
        }
        sources.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self { sources }
    }

    /// Every cycle among the children of one folder: one for each folder that has any.
    pub fn cycles(&self) -> Vec<String> {
        let mut folders: BTreeMap<Module, Arrows> = BTreeMap::new();
        for (module, source) in &self.sources {
            for path in paths(&source.tokens) {
                let Some(used) = self.resolve(module, &path, 0) else { continue };
                let common = module.iter().zip(&used).take_while(|(one, two)| one == two).count();
                if let (Some(from), Some(to)) = (module.get(common), used.get(common)) {
                    let arrows = folders.entry(module[..common].to_vec()).or_default();
                    let place = format!("{} names {}", module.join("::"), path.join("::"));
                    arrows.entry(from.clone()).or_default().entry(to.clone()).or_insert(place);
                }
            }
        }
        let found = folders.iter().filter_map(|(folder, arrows)| {
            let cycle = cycle(arrows)?;
            let folder = ["src"].into_iter().chain(folder.iter().map(String::as_str));
            Some(format!("{}: {cycle}", folder.collect::<Vec<_>>().join("/")))
        });
        found.collect()
    }

    /// The module that `path` in `module` leads to. `None` if it is not in this library.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<Module> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => module.split_last()?.1.to_vec(),
            _ => {
                rest = path;
                let is_known = self.sources.contains_key(&child(module, first))
                    || self.sources.get(module)?.names.contains_key(first);
                is_known.then(|| module.to_vec())?
            }
        };
        while let Some((name, after)) = rest.split_first() {
            let below = child(&at, name);
            if name == "super" {
                at.pop()?;
            } else if self.sources.contains_key(&below) {
                at = below;
            } else if let Some(path) = self.sources.get(&at)?.names.get(name)
                && depth < 8
            {
                // A name from elsewhere: from this library, or from another one and then no
                // further.
                let path: Vec<String> = path.iter().chain(after).cloned().collect();
                return self.resolve(&at, &path, depth + 1);
            } else {
                return Some(self.glob(&at, name, depth).unwrap_or(at));
            }
            rest = after;
        }
        Some(at)
    }

    /// The module that defines `name`, if `module` has it by `use …::*`.
    fn glob(&self, module: &[String], name: &str, depth: usize) -> Option<Module> {
        let kinds = ["struct", "enum", "trait", "type", "fn", "const", "static"];
        let mut globs = self.sources.get(module)?.globs.iter();
        globs.find_map(|path| {
            let home = (depth < 8).then(|| self.resolve(module, path, depth + 1))??;
            let tokens = &self.sources.get(&home)?.tokens;
            let is_defined = |pair: &[String]| kinds.contains(&pair[0].as_str()) && pair[1] == name;
            tokens.windows(2).any(is_defined).then_some(home)
        })
    }
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn child(module: &[String], name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// The words and the punctuation of a text, without comments and literals.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    while let Some(next) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(hashes) = raw_string(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = rest.find('"').unwrap() + 1;
            rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len())
        } else if next == '"' {
            closed(rest, '"')
        } else if next == '\'' && !is_lifetime(rest) {
            closed(rest, '\'')
        } else if is_word(next) {
            let length = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else {
            let length = if rest.starts_with("::") { 2 } else { next.len_utf8() };
            if !next.is_whitespace() {
                tokens.push(rest[..length].to_owned());
            }
            length
        };
        rest = &rest[length..];
    }
    tokens
}

/// The number of `#` of a raw string, if one begins here.
fn raw_string(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("br").or(text.strip_prefix('r'))?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

fn is_lifetime(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    let is_name = characters.next().is_some_and(|first| first.is_alphabetic() || first == '_');
    is_name && characters.next() != Some('\'')
}

/// The length of a literal up to its closing quote.
fn closed(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    let end = text.char_indices().skip(1).find(|(_, character)| {
        let is_end = *character == quote && !is_escaped;
        is_escaped = *character == '\\' && !is_escaped;
        is_end
    });
    end.map_or(text.len(), |(at, _)| at + quote.len_utf8())
}

/// Omits every item after `#[cfg(test)]`; returns the names of the modules among them.
fn without_tests(tokens: Vec<String>) -> (Vec<String>, Vec<String>) {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        if rest.iter().take(mark.len()).eq(mark) {
            let end = item(&rest[mark.len()..]) + mark.len();
            let name = rest[..end].windows(2).find(|pair| pair[0] == "mod");
            modules.extend(name.map(|pair| pair[1].clone()));
            rest = &rest[end..];
        } else {
            kept.push(rest[0].clone());
            rest = &rest[1..];
        }
    }
    (kept, modules)
}

/// The length of the item that begins here: to a `;`, or to the end of its block.
fn item(tokens: &[String]) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" if depth == 0 => return index,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 && [";", "}"].contains(&token.as_str()) {
            return index + 1;
        }
    }
    tokens.len()
}

/// The paths of every `use`, with the name after `as`.
fn uses(tokens: &[String]) -> Vec<(Vec<String>, Option<String>)> {
    tokens.split(|token| token == "use").skip(1).flat_map(tree).collect()
}

/// Every path in code: those of `use`, and those of two or more words.
fn paths(tokens: &[String]) -> BTreeSet<Vec<String>> {
    let mut paths: BTreeSet<Vec<String>> = uses(tokens).into_iter().map(|(path, _)| path).collect();
    let is_word = |token: &String| token.starts_with(|first: char| first.is_alphabetic());
    let mut rest = tokens;
    while !rest.is_empty() {
        let mut length = 1;
        while is_word(&rest[0])
            && rest.get(length).is_some_and(|token| token == "::")
            && rest.get(length + 1).is_some_and(is_word)
        {
            length += 2;
        }
        if length > 1 {
            paths.insert(rest[..length].iter().step_by(2).cloned().collect());
        }
        rest = &rest[length..];
    }
    paths
}

/// The paths of one `use`, which begins here, and the names that `as` gives them.
fn tree(tokens: &[String]) -> Vec<(Vec<String>, Option<String>)> {
    let (mut paths, mut before, mut path) = (Vec::new(), Vec::new(), Vec::<String>::new());
    let mut renamed = None;
    let mut words = tokens.iter();
    while let Some(token) = words.next() {
        match token.as_str() {
            "::" => {}
            "{" => before.push(path.clone()),
            "as" => renamed = words.next().cloned(),
            "," | "}" | ";" => {
                let outer = before.last().cloned().unwrap_or_default();
                if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
                    path.pop();
                    paths.push((path.clone(), renamed.take()));
                } else if path.len() > outer.len() {
                    paths.push((path.clone(), renamed.take()));
                }
                path = outer;
                match token.as_str() {
                    "}" => {
                        before.pop();
                        path = before.last().cloned().unwrap_or_default();
                    }
                    ";" => break,
                    _ => {}
                }
            }
            _ => path.push(token.clone()),
        }
    }
    paths
}

/// A path from a node back to itself, with the place of each edge.
fn cycle(arrows: &Arrows) -> Option<String> {
    fn walk<'a>(arrows: &'a Arrows, way: &mut Vec<&'a str>, done: &mut BTreeSet<&'a str>) -> bool {
        let last = way[way.len() - 1];
        for next in arrows.get(last).into_iter().flat_map(BTreeMap::keys) {
            if let Some(at) = way.iter().position(|node| node == next) {
                way.drain(..at);
                way.push(next);
                return true;
            }
            if !done.contains(next.as_str()) {
                way.push(next);
                if walk(arrows, way, done) {
                    return true;
                }
                way.pop();
            }
        }
        done.insert(last);
        false
    }
    let mut done = BTreeSet::new();
    let mut way = Vec::new();
    for node in arrows.keys() {
        way = vec![node.as_str()];
        if !done.contains(node.as_str()) && walk(arrows, &mut way, &mut done) {
            break;
        }
        way.clear();
    }
    let places = way.windows(2).map(|pair| arrows[pair[0]][pair[1]].as_str());
    let places: Vec<&str> = places.collect();
    (!way.is_empty()).then(|| format!("{} ({})", way.join(" -> "), places.join("; ")))
}

/// The cycles of a small library.
fn cycles_of(texts: &[(&str, &str)]) -> Vec<String> {
    let module = |path: &str| path.split('/').map(str::to_owned).collect();
    Modules::of(texts.iter().map(|(path, text)| (module(path), (*text).to_owned())).collect())
        .cycles()
}

#[test]
fn cycle_is_found_through_uses_paths_and_names_from_elsewhere() {
    let parent = ("a", "mod b; mod c; pub use c::deep::Thing; pub use b::*;");
    let deep = ("a/c/deep", "pub struct Thing; fn f() -> super::super::Other { todo!() }");
    for user in [
        "use super::Thing; pub struct Other;",
        "use crate::{a::{self, Thing as T}, x}; pub struct Other;",
        "pub struct Other(crate::a::c::deep::Thing);",
        "use super::c::{deep}; pub struct Other;",
    ] {
        let found = cycles_of(&[("lib", "mod a;"), parent, ("a/b", user), ("a/c", ""), deep]);
        assert!(
            matches!(&found[..], [one] if one.starts_with("src/a: b -> c -> b (")),
            "{found:?}"
        );
    }
}

#[test]
fn tests_comments_literals_and_parents_make_no_cycle() {
    let found = cycles_of(&[
        ("lib", "mod a;"),
        ("a", "mod b; mod c; #[cfg(test)] mod testing; pub const MAX: u8 = b::MAX;"),
        ("a/b", "pub const MAX: u8 = 1; #[cfg(test)] mod tests { use crate::a::c::C; } mod d;"),
        ("a/b/d", "// super::super::c\nconst TEXT: &str = \"crate::a::c\"; use super::super::MAX;"),
        ("a/c", "use std::{b, c}; #[cfg(test)] use super::testing::x; pub struct C(super::b::D);"),
        ("a/testing", "use super::b; use super::c;"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}
