//! A terminal's screen as an SVG picture: text, colours and the cursor, in a window.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// The size of a cell, and of what is around all of them, in the picture's units.
const CELL_WIDTH: f64 = 8.4;
const CELL_HEIGHT: f64 = 19.0;
const MARGIN: f64 = 14.0;
const TITLE_HEIGHT: f64 = 30.0;

/// Colours that go with a dark background: foreground, background, title bar, cursor.
const FOREGROUND: &str = "#d8dee9";
const BACKGROUND: &str = "#1b1f27";
const TITLE_BAR: &str = "#2a303c";
const CURSOR: &str = "#a3acbb";
/// The sixteen colours of a terminal.
const PALETTE: [&str; 16] = [
    "#3b4252", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9",
    "#7b8494", "#ff7b86", "#b5e890", "#ffd68a", "#82c7ff", "#dd9bf5", "#7fdbe6", "#ffffff",
];
/// The time of the first message in the picture, in minutes; each next one is a minute later.
const FIRST_TIME: usize = 10 * 60 + 54;

/// Cells beside each other that look alike.
#[derive(PartialEq)]
struct Style {
    foreground: String,
    background: Option<String>,
    is_bold: bool,
    is_italic: bool,
    is_underlined: bool,
}

/// Draws what is on the screen, up to its last row with text. `replace` is applied to each piece of
/// text; times as `hh:mm` are replaced in any case, so that the picture is the same each time.
pub fn draw(screen: &Screen, replace: impl Fn(&str) -> String) -> String {
    let (rows, columns) = screen.size();
    let (cursor_row, cursor_column) = screen.cursor_position();
    let is_used = |row: &u16| !screen.contents_between(*row, 0, *row, columns).trim().is_empty();
    let used = (0..rows).rev().find(is_used).map_or(1, |last| last + 1).max(cursor_row + 1);
    let width = f64::from(columns) * CELL_WIDTH + 2.0 * MARGIN;
    let height = f64::from(used) * CELL_HEIGHT + 2.0 * MARGIN + TITLE_HEIGHT;
    let mut picture = String::new();
    window(&mut picture, width, height);
    let mut times = 0;
    for row in 0..used {
        for (column, style, text) in pieces(screen, row, columns) {
            let text = replace_times(&replace(&text), &mut times);
            piece(&mut picture, row, column, &style, &text);
        }
    }
    let (x, y) = place(cursor_row, cursor_column);
    let _ = writeln!(
        picture,
        r#"<rect x="{x:.1}" y="{y:.1}" width="{CELL_WIDTH}" height="{CELL_HEIGHT}"
 fill="{CURSOR}"/>"#
    );
    picture.push_str("</g>\n</svg>\n");
    picture
}

/// The window around the text, up to the group that the text goes into.
fn window(picture: &mut String, width: f64, height: f64) {
    let _ = writeln!(
        picture,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.1} {height:.1}" role="img">
<title>The prompt of chat-cli: messages arrive above the line that is being typed</title>
<rect width="{width:.1}" height="{height:.1}" rx="8" fill="{BACKGROUND}"/>
<path d="M0 {TITLE_HEIGHT} V8 a8 8 0 0 1 8 -8 H{right:.1} a8 8 0 0 1 8 8 V{TITLE_HEIGHT} Z"
 fill="{TITLE_BAR}"/>"#,
        right = width - 8.0,
    );
    for (index, colour) in [PALETTE[1], PALETTE[3], PALETTE[2]].into_iter().enumerate() {
        let x = 18 + 18 * index;
        let _ = writeln!(picture, r#"<circle cx="{x}" cy="15" r="5.5" fill="{colour}"/>"#);
    }
    let _ = writeln!(
        picture,
        r#"<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
 font-size="14">"#
    );
}

/// Where a cell's upper left corner is.
fn place(row: u16, column: u16) -> (f64, f64) {
    let x = MARGIN + f64::from(column) * CELL_WIDTH;
    (x, TITLE_HEIGHT + MARGIN + f64::from(row) * CELL_HEIGHT)
}

fn piece(picture: &mut String, row: u16, column: u16, style: &Style, text: &str) {
    let (x, y) = place(row, column);
    let width = text.chars().count() as f64 * CELL_WIDTH;
    if let Some(background) = &style.background {
        let _ = writeln!(
            picture,
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{CELL_HEIGHT}"
 fill="{background}"/>"#
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let mut attributes = String::new();
    for (is_set, attribute) in [
        (style.is_bold, r#" font-weight="bold""#),
        (style.is_italic, r#" font-style="italic""#),
        (style.is_underlined, r#" text-decoration="underline""#),
    ] {
        attributes.push_str(if is_set { attribute } else { "" });
    }
    let (baseline, fill) = (y + CELL_HEIGHT - 5.0, &style.foreground);
    let _ = writeln!(
        picture,
        r#"<text x="{x:.1}" y="{baseline:.1}" textLength="{width:.1}" xml:space="preserve"
 fill="{fill}"{attributes}>{}</text>"#,
        escape(text)
    );
}

/// The pieces of a row: where each begins, how it looks, and its text.
fn pieces(screen: &Screen, row: u16, columns: u16) -> Vec<(u16, Style, String)> {
    let mut pieces: Vec<(u16, Style, String)> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        let text = if cell.has_contents() { cell.contents() } else { " " };
        let style = style(cell);
        match pieces.last_mut() {
            Some((_, last, piece)) if *last == style => piece.push_str(text),
            _ => pieces.push((column, style, text.to_owned())),
        }
    }
    for (_, style, text) in &mut pieces {
        if style.background.is_none() && !style.is_underlined {
            text.truncate(text.trim_end().len());
        }
    }
    pieces.retain(|(_, _, text)| !text.is_empty());
    pieces
}

fn style(cell: &Cell) -> Style {
    let mut foreground = colour(cell.fgcolor()).unwrap_or_else(|| FOREGROUND.to_owned());
    if cell.dim() {
        foreground = PALETTE[8].to_owned();
    }
    let mut background = colour(cell.bgcolor());
    if cell.inverse() {
        let behind = background.unwrap_or_else(|| BACKGROUND.to_owned());
        background = Some(std::mem::replace(&mut foreground, behind));
    }
    Style {
        foreground,
        background,
        is_bold: cell.bold(),
        is_italic: cell.italic(),
        is_underlined: cell.underline(),
    }
}

/// A colour as SVG has it; `None` for the default.
fn colour(colour: Color) -> Option<String> {
    match colour {
        Color::Default => None,
        Color::Idx(index @ 0..=15) => Some(PALETTE[usize::from(index)].to_owned()),
        // A cube of 6 × 6 × 6 colours, then 24 greys.
        Color::Idx(index @ 16..=231) => {
            let level = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
            let cube = index - 16;
            let [red, green, blue] = [cube / 36, cube / 6 % 6, cube % 6].map(level);
            Some(format!("#{red:02x}{green:02x}{blue:02x}"))
        }
        Color::Idx(index) => {
            let grey = 8 + 10 * (index - 232);
            Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
        }
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
    }
}

/// Replaces each `hh:mm` that stands alone; `times` counts them.
fn replace_times(text: &str, times: &mut usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    let is_part = |at: Option<usize>| {
        at.and_then(|at| characters.get(at))
            .is_some_and(|it| it.is_ascii_digit() || *it == ':' || *it == '.')
    };
    let mut replaced = String::new();
    let mut at = 0;
    while at < characters.len() {
        let is_time = characters[at..].len() >= 5
            && characters[at + 2] == ':'
            && [0, 1, 3, 4].iter().all(|offset| characters[at + offset].is_ascii_digit())
            && !is_part(at.checked_sub(1))
            && !is_part(Some(at + 5));
        if is_time {
            let minutes = FIRST_TIME + *times;
            *times += 1;
            let _ = write!(replaced, "{:02}:{:02}", minutes / 60 % 24, minutes % 60);
            at += 5;
        } else {
            replaced.push(characters[at]);
            at += 1;
        }
    }
    replaced
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // XML has no way to say them.
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
