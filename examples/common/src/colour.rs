//! Colours, where there is a terminal that shows them.

use anstyle::{AnsiColor, Style};
use std::env::var_os;
use std::io::IsTerminal;

/// Colour of what went wrong.
pub(crate) const WRONG: Style = AnsiColor::Red.on_default().bold();
/// Look of headings.
pub(crate) const HEADING: Style = Style::new().bold();

/// Returns whether `stream` is a terminal that is to show colours: <https://no-color.org>, and `TERM=dumb`.
pub(crate) fn wanted(stream: &impl IsTerminal) -> bool {
    let refused = var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = var_os("TERM").is_none_or(|term| term == "dumb");
    !refused && !dumb && stream.is_terminal()
}

/// Returns `text` in a style, if colours are wanted.
pub(crate) fn painted(text: &str, style: Style, wanted: bool) -> String {
    if wanted { format!("{style}{text}{style:#}") } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_given_no_colours() {
        let (reader, _writer) = std::io::pipe().unwrap();
        drop(reader);
        assert!(!wanted(&std::fs::File::open("Cargo.toml").unwrap()));
        assert_eq!(painted("admin", WRONG, false), "admin");
        assert_eq!(painted("A", HEADING, true), "\u{1b}[1mA\u{1b}[0m");
    }
}
