//! Builds a manual page from requests and text of `man(7)`.

/// A page or a part of one.
#[derive(Debug, Default)]
pub struct Roff {
    text: String,
}

impl Roff {
    /// Adds a request, such as `.SH`, with its arguments. After a title, a paragraph request is
    /// omitted.
    pub fn request(&mut self, name: &str, arguments: &[&str]) {
        let last = self.text.lines().next_back().unwrap_or_default();
        if name == "PP" && (last.starts_with(".SH ") || last.starts_with(".SS ")) {
            return;
        }
        self.text.push('.');
        self.text.push_str(name);
        for argument in arguments {
            let argument = argument.replace('\\', "\\e").replace('"', "\\(dq");
            let is_word = !argument.is_empty() && !argument.contains(' ');
            let argument = if is_word { argument } else { format!("\"{argument}\"") };
            self.text.push(' ');
            self.text.push_str(&argument);
        }
        self.text.push('\n');
    }

    /// Adds text that is filled. It must be [`escaped`].
    pub fn line(&mut self, text: &str) {
        for line in text.lines() {
            self.text.push_str(&protected(line));
            self.text.push('\n');
        }
    }

    /// Adds lines that stay unchanged.
    pub fn verbatim<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) {
        self.request("PP", &[]);
        self.request("nf", &[]);
        for line in lines {
            self.text.push_str(&protected(&escaped(line)));
            self.text.push('\n');
        }
        self.request("fi", &[]);
    }

    /// Adds finished text unchanged.
    pub fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The page in ASCII. Other characters are written as their code points.
    pub fn finish(self) -> String {
        let mut page = String::new();
        for character in self.text.chars() {
            if character.is_ascii() {
                page.push(character);
            } else {
                page.push_str(&format!("\\[u{:04X}]", u32::from(character)));
            }
        }
        page
    }
}

/// Escapes everything that has a meaning for `man`.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '`' => out.push_str("\\(ga"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            other => out.push(other),
        }
    }
    out
}

/// Like [`escaped`], in bold.
pub fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escaped(text))
}

/// Like [`escaped`], in italics.
pub fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", escaped(text))
}

/// Protects a line that begins with a dot from being read as a request.
fn protected(line: &str) -> String {
    if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() }
}
