//! Controls of a form: label, hint, what is wrong, and the control itself, tied to each other.

use maud::{Markup, Render, html};

/// Kind of a control.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A line of text.
    Text,
    /// Text that takes more than a line, such as a reason or something that is pasted.
    Long,
    /// A user's name.
    UserName,
    /// A secret that is known, such as a PIN.
    Secret,
    /// A secret that is new.
    NewSecret,
    /// A whole number.
    Number {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// One of several: what is posted, and what is shown. A few are all shown, many are in a list.
    Choice(Vec<(String, String)>),
}

/// The most choices that are all shown.
const SHOWN: usize = 6;
/// Numbers that a browser's control counts exactly.
const EXACT: i64 = 1 << 53;

/// Control of a form.
#[derive(Clone, Debug)]
#[must_use]
pub struct Input {
    name: String,
    label: String,
    kind: Kind,
    required: bool,
    hint: String,
    value: String,
    error: Option<String>,
    longest: Option<u16>,
    none: String,
}

impl Input {
    /// Makes a control of a kind, which must be filled in. `name` is for the program, and of letters, digits and `-`.
    pub fn new(name: &str, label: &str, kind: Kind) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            kind,
            required: true,
            hint: String::new(),
            value: String::new(),
            error: None,
            longest: None,
            none: "No answer".into(),
        }
    }

    /// Makes a line of text, which must be filled in.
    pub fn text(name: &str, label: &str) -> Self {
        Self::new(name, label, Kind::Text)
    }

    /// Lets it be left empty, and says so.
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// Says what choosing nothing means, where it may be left empty.
    pub fn none(mut self, none: &str) -> Self {
        self.none = none.into();
        self
    }

    /// Adds a sentence that helps.
    pub fn hint(mut self, hint: &str) -> Self {
        self.hint = hint.into();
        self
    }

    /// Fills it in. A secret is never filled in.
    pub fn value(mut self, value: &str) -> Self {
        self.value = value.into();
        self
    }

    /// Limits the length, in UTF-16 code units, as browsers count.
    pub fn longest(mut self, longest: u16) -> Self {
        self.longest = Some(longest);
        self
    }

    /// Says what is wrong with it, in a sentence.
    pub fn error(mut self, error: Option<String>) -> Self {
        self.error = error;
        self
    }

    /// Its problem, and the id of the control to go to.
    fn problem(&self) -> Option<(String, &str)> {
        let first = match &self.kind {
            Kind::Choice(choices) if self.spread(choices) => format!("{}-0", self.name),
            _ => self.name.clone(),
        };
        Some((first, self.error.as_deref()?))
    }

    const fn spread(&self, choices: &[(String, String)]) -> bool {
        choices.len() <= SHOWN
    }

    fn described(&self) -> Option<String> {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        let error = self.error.as_ref().map(|_| format!("{}-error", self.name));
        let ids: Vec<_> = hint.into_iter().chain(error).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn notes(&self) -> Markup {
        html! {
            @if !self.hint.is_empty() { p.hint id=(format!("{}-hint", self.name)) { (self.hint) } }
            @if let Some(error) = &self.error {
                p.error id=(format!("{}-error", self.name)) { span.hidden { "Error: " } (error) }
            }
        }
    }

    fn called(&self) -> Markup {
        html! { (self.label) @if !self.required { span.optional { " (optional)" } } }
    }

    fn line(&self, kind: &str, complete: &str) -> Markup {
        let secret = kind == "password";
        let plain = matches!(self.kind, Kind::Text);
        let (min, max) = match &self.kind {
            Kind::Number { min, max } if kind == "number" => (Some(min), Some(max)),
            _ => (None, None),
        };
        html! {
            input id=(self.name) name=(self.name) type=(kind) autocomplete=(complete)
                autocapitalize=[(!plain).then_some("none")] spellcheck=[(!plain).then_some("false")]
                value=[(!secret).then_some(&self.value)] required[self.required] min=[min] max=[max]
                maxlength=[self.longest] aria-invalid=[self.error.as_ref().map(|_| "true")]
                aria-describedby=[self.described()];
        }
    }

    fn control(&self) -> Markup {
        match &self.kind {
            Kind::Text => self.line("text", "off"),
            Kind::Long => html! {
                textarea id=(self.name) name=(self.name) rows="5" spellcheck="false" autocomplete="off"
                    required[self.required] maxlength=[self.longest]
                    aria-invalid=[self.error.as_ref().map(|_| "true")] aria-describedby=[self.described()] {
                    (self.value)
                }
            },
            Kind::UserName => self.line("text", "username"),
            Kind::Secret => self.line("password", "current-password"),
            Kind::NewSecret => self.line("password", "new-password"),
            Kind::Number { min, max } if *min >= -EXACT && *max <= EXACT => self.line("number", "off"),
            Kind::Number { .. } => self.line("text", "off"),
            Kind::Choice(choices) => html! {
                select id=(self.name) name=(self.name) required[self.required]
                    aria-invalid=[self.error.as_ref().map(|_| "true")] aria-describedby=[self.described()] {
                    option value="" { @if self.required { "Choose one" } @else { (self.none) } }
                    @for (value, shown) in choices {
                        option value=(value) selected[*value == self.value] { (shown) }
                    }
                }
            },
        }
    }

    /// Buttons for each choice, of which one is on.
    fn buttons(&self, choices: &[(String, String)]) -> Markup {
        let none = (!self.required).then(|| (String::new(), self.none.clone()));
        html! {
            fieldset.field.wrong[self.error.is_some()] aria-describedby=[self.described()] {
                legend { (self.called()) }
                (self.notes())
                @for (place, (value, shown)) in choices.iter().chain(&none).enumerate() {
                    @let id = format!("{}-{place}", self.name);
                    div.choice {
                        input type="radio" id=(id) name=(self.name) value=(value) required[self.required]
                            checked[*value == self.value];
                        label for=(id) { (shown) }
                    }
                }
            }
        }
    }
}

impl Render for Input {
    fn render(&self) -> Markup {
        match &self.kind {
            Kind::Choice(choices) if self.spread(choices) => self.buttons(choices),
            _ => html! {
                div.field.wrong[self.error.is_some()] {
                    label for=(self.name) { (self.called()) }
                    (self.notes())
                    (self.control())
                }
            },
        }
    }
}

/// Makes the list of what is wrong, with a link to each control; nothing where nothing is wrong. It stands above the form
/// and is where the keyboard begins.
#[must_use]
pub fn problems<'a>(inputs: impl IntoIterator<Item = &'a Input>) -> Markup {
    let wrong: Vec<_> = inputs.into_iter().filter_map(Input::problem).collect();
    html! {
        @if !wrong.is_empty() {
            section.problems role="alert" tabindex="-1" autofocus aria-labelledby="problems" {
                h2 #problems { "There is a problem" }
                ul { @for (id, error) in &wrong { li { a href=(format!("#{id}")) { (error) } } } }
            }
        }
    }
}
