//! Converts the subset of Markdown that our documents use into `man(7)`. Other syntax is an error,
//! so that no content is lost on the way into the manual.

use anyhow::{Result, bail};

use super::roff::{Roff, bold, escaped, italic};

/// Converts a document without its title, because the page has its own.
pub fn write(document: &str, page: &mut Roff) -> Result<()> {
    let mut lines = document.lines().peekable();
    while let Some(line) = lines.next() {
        let mut more = |is_more: fn(&str) -> bool| {
            let mut found = vec![line];
            while let Some(next) = lines.next_if(|next| is_more(next)) {
                found.push(next);
            }
            found
        };
        if line.is_empty() || line.starts_with("# ") {
        } else if let Some(title) = line.strip_prefix("## ") {
            page.request("SH", &[&plain(title)?.to_uppercase()]);
        } else if let Some(title) = line.strip_prefix("### ") {
            page.request("SS", &[&plain(title)?]);
        } else if line.starts_with("```") {
            let block = more(|line| !line.starts_with("```"));
            page.verbatim(block.into_iter().skip(1));
            lines.next();
        } else if line.starts_with('|') {
            table(&more(|line| line.starts_with('|')), page)?;
        } else if line.starts_with("- ") {
            let item = more(|line| line.starts_with("  "));
            page.request("IP", &["\u{2022}", "2"]);
            let item: Vec<&str> =
                item.iter().map(|line| line.trim_start_matches([' ', '-'])).collect();
            page.line(&inline(&item.join("\n"))?);
        } else if line.starts_with(['#', '>', '<', ' ', '!', '*', '+']) && !line.starts_with("**") {
            bail!("it is not known how a manual page says: {line}");
        } else {
            let paragraph = more(|line| {
                !(line.is_empty() || line.starts_with(['|', '#']) || line.starts_with("```"))
            });
            page.request("PP", &[]);
            page.line(&inline(&paragraph.join("\n"))?);
        }
    }
    Ok(())
}

/// Converts a table: the first cell of each row, and the other cells below it.
fn table(rows: &[&str], page: &mut Roff) -> Result<()> {
    for row in rows.iter().skip(2) {
        let row = row.trim_matches(['|', ' ']).replace("\\|", "\u{0}");
        let cells: Vec<String> =
            row.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
        let (first, others) = cells.split_first().expect("every row has a cell");
        page.request("TP", &[]);
        page.line(&inline(first)?);
        let mut others = others.iter().filter(|cell| !cell.is_empty()).peekable();
        while let Some(cell) = others.next() {
            page.line(&inline(cell)?);
            if others.peek().is_some() {
                page.request("br", &[]);
            }
        }
    }
    Ok(())
}

/// Converts `code` to bold, keeps **strong** and *emphasis*, and reduces a link to its text.
fn inline(text: &str) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*', '[']) {
        out.push_str(&escaped(&rest[..at]));
        rest = &rest[at..];
        let (mark, written): (&str, fn(&str) -> String) = match rest {
            _ if rest.starts_with('`') => ("`", bold),
            _ if rest.starts_with("**") => ("**", bold),
            _ if rest.starts_with('*') => ("*", italic),
            _ => {
                let Some((label, after)) = rest[1..].split_once("](") else {
                    bail!("a bracket that is no link: {text}");
                };
                let Some((_, after)) = after.split_once(')') else { bail!("a link: {text}") };
                out.push_str(&inline(label)?);
                rest = after;
                continue;
            }
        };
        let Some((inside, after)) = rest[mark.len()..].split_once(mark) else {
            bail!("{mark} that does not end: {text}");
        };
        out.push_str(&written(inside));
        rest = after;
    }
    out.push_str(&escaped(rest));
    Ok(out)
}

/// The text of a heading without its markup.
fn plain(title: &str) -> Result<String> {
    if title.contains(['*', '[', '`']) {
        bail!("a heading is plain text: {title}");
    }
    Ok(title.to_owned())
}
