//! A manual page as it is written: requests and text in the language of `man(7)`.

/// A page, or a part of one.
#[derive(Debug, Default)]
pub struct Roff {
    text: String,
}

impl Roff {
    /// A request, as `.SH`, with its arguments. A paragraph that would follow on a title is none.
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

    /// Text that is filled. It has been [`escaped`].
    pub fn line(&mut self, text: &str) {
        for line in text.lines() {
            self.text.push_str(&protected(line));
            self.text.push('\n');
        }
    }

    /// Lines that stay as they are.
    pub fn verbatim<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) {
        self.request("PP", &[]);
        self.request("nf", &[]);
        for line in lines {
            self.text.push_str(&protected(&escaped(line)));
            self.text.push('\n');
        }
        self.request("fi", &[]);
    }

    /// What another hand has written, as it is.
    pub fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The page. All of it is ASCII: what is not is named by its number.
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

/// Text in which nothing means anything to `man`.
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

/// [`escaped`], and bold.
pub fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escaped(text))
}

/// [`escaped`], and italic.
pub fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", escaped(text))
}

/// A line that begins with a dot would be a request.
fn protected(line: &str) -> String {
    if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() }
}
