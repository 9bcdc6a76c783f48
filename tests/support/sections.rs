//! The commands of GUIDE.md, section by section.

/// The guide, as it stands at the top of the repository.
const GUIDE: &str = include_str!("../../GUIDE.md");

/// What checks a shell's commands: a failing one ends the script, and so does one after `!` that does not fail.
const STRICT: &str = "set -eu\n";

/// Returns the commands in the blocks of a section that are marked with `mark`, as one script. `title` is how the
/// section's heading begins; the empty title stands for what is before the first section.
pub fn script(title: &str, mark: &str) -> String {
    let (mut here, mut inside, mut script) = (title.is_empty(), None, String::new());
    for line in GUIDE.lines() {
        let text = line.trim_start();
        match (inside, text.strip_prefix("```")) {
            (None, Some(found)) => inside = Some((found == mark && here, line.len() - text.len())),
            (Some(_), Some(_)) => inside = None,
            (Some((true, indent)), None) => script.push_str(&strict(line.get(indent..).unwrap_or_default())),
            (None, None) if line.starts_with("## ") => here = !title.is_empty() && line.starts_with(title),
            _ => {}
        }
    }
    assert!(!script.is_empty(), "GUIDE.md has no {mark} in {title:?}");
    STRICT.to_owned() + &script
}

/// A shell goes on after a command behind `!`, whatever becomes of it.
fn strict(line: &str) -> String {
    match line.strip_prefix("! ") {
        Some(command) => format!("if {command}; then echo 'did not fail: {command}' >&2; exit 1; fi\n"),
        None => format!("{line}\n"),
    }
}

/// Returns the headings of the sections with blocks of that mark.
pub fn sections(mark: &str) -> Vec<&'static str> {
    let (mut heading, mut found) = ("", Vec::new());
    for line in GUIDE.lines() {
        if line.starts_with("## ") {
            heading = line;
        } else if line.trim_start() == format!("```{mark}") && !found.contains(&heading) {
            found.push(heading);
        }
    }
    found
}
