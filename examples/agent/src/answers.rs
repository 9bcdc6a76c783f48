//! Answers to a gate's template: from the command line, from before, or from the user at the terminal.

use halfkey::certificate::VerifiedServer;
use halfkey::registration::token::Credential;
use halfkey::template::{Field, FieldKind, FieldValue, Form, FormError, Template};
use halfkey::tokio::FillError;
use halfkey_common::output::clean;
use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

/// Times that a person is asked again for what does not fit.
const TIMES: usize = 3;

/// An answer on the command line: `FIELD=VALUE`.
pub(crate) fn answer(text: &str) -> Result<(String, String), &'static str> {
    let (field, value) = text.split_once('=').ok_or("an answer is FIELD=VALUE")?;
    Ok((field.into(), value.into()))
}

/// Answers known so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asker {
    /// By field.
    pub(crate) answers: BTreeMap<String, String>,
    /// The user's name, whatever its field is called.
    pub(crate) name: Option<String>,
    /// Set where there is a person to be asked.
    pub(crate) person: bool,
}

/// The answers that a form was filled in with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given(Arc<Mutex<BTreeMap<String, String>>>);

impl Given {
    pub(crate) fn given(&self) -> BTreeMap<String, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Filling = Pin<Box<dyn Future<Output = Result<(Form, Credential), FillError>> + Send>>;

impl Asker {
    /// Asks a person where there is a terminal.
    pub(crate) fn at_terminal(answers: BTreeMap<String, String>) -> Self {
        let person = io::stdin().is_terminal() && io::stderr().is_terminal();
        Self { answers, name: None, person }
    }

    /// A callback for the library that fills the form in, and what it was filled in with.
    pub(crate) fn filler(
        self,
        credential: Credential,
    ) -> (impl FnOnce(VerifiedServer, Template) -> Filling + Send + 'static, Given) {
        let given = Given::default();
        let kept = given.clone();
        let fill = move |server: VerifiedServer, template: Template| -> Filling {
            Box::pin(async move {
                let filled = tokio::task::spawn_blocking(move || self.fill(&server, &template, &kept));
                Ok((filled.await??, credential))
            })
        };
        (fill, given)
    }

    fn fill(
        mut self,
        server: &VerifiedServer,
        template: &Template,
        given: &Given,
    ) -> Result<Form, FillError> {
        let named = template.fields.iter().find(|field| field.kind == FieldKind::UserName);
        if let (Some(field), Some(name)) = (named, self.name.take()) {
            self.answers.entry(field.name.clone()).or_insert(name);
        }
        if self.person {
            say(&format!("{} has shown its certificate. It asks:", server.name()))?;
        }
        let mut times = TIMES;
        loop {
            if self.person {
                self.ask(template)?;
            }
            match self.filled(template) {
                Ok(form) => {
                    *given.0.lock().unwrap_or_else(PoisonError::into_inner) = self.answers;
                    return Ok(form);
                }
                Err(FormError(wrong)) if self.person && times > 1 => {
                    times = times.saturating_sub(1);
                    for (field, error) in wrong {
                        say(&format!("{} {error}", clean(&field)))?;
                        self.answers.remove(&field);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Asks for what is not known yet.
    fn ask(&mut self, template: &Template) -> io::Result<()> {
        for field in
            template.fields.iter().filter(|field| !self.answers.contains_key(&field.name)).collect::<Vec<_>>()
        {
            let line = prompt(&question(field))?;
            if !line.is_empty() || field.required {
                self.answers.insert(field.name.clone(), line);
            }
        }
        Ok(())
    }

    fn filled(&self, template: &Template) -> Result<Form, FormError> {
        template.fill(self.answers.iter().map(|(name, text)| {
            let field = template.fields.iter().find(|field| field.name == *name);
            (name.as_str(), value(field, text))
        }))
    }
}

/// A text as a field wants it; what does not fit is refused by the template.
fn value(field: Option<&Field>, text: &str) -> FieldValue {
    match field.map(|field| &field.kind) {
        Some(FieldKind::Integer { .. }) => {
            text.trim().parse::<i64>().map_or_else(|_| text.into(), FieldValue::from)
        }
        Some(FieldKind::Boolean) => match text.trim() {
            "yes" | "y" | "true" => true.into(),
            "no" | "n" | "false" => false.into(),
            text => text.into(),
        },
        _ => text.into(),
    }
}

fn question(field: &Field) -> String {
    let label = if field.label.is_empty() { &field.name } else { &field.label };
    let hint = match &field.kind {
        FieldKind::Integer { min, max } => format!(" ({min} to {max})"),
        FieldKind::Boolean => " (yes or no)".into(),
        FieldKind::Choice(choices) => format!(" ({})", choices.join(", ")),
        _ => String::new(),
    };
    let hint = clean(&hint);
    format!("{}{hint}{}: ", clean(label), if field.required { "" } else { ", or nothing" })
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{text}")
}

/// Asks a question, and reads a line.
pub(crate) fn prompt(question: &str) -> io::Result<String> {
    let mut stderr = io::stderr().lock();
    stderr.write_all(question.as_bytes())?;
    stderr.flush()?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn answers_become_what_their_fields_want() {
        let fields = vec![
            Field::required("name", FieldKind::UserName),
            Field::required("floor", FieldKind::Integer { min: -1, max: 9 }),
            Field::optional("badge", FieldKind::Boolean),
        ];
        let template = Template::new(fields).unwrap();
        let form = |answers: &[(&str, &str)]| {
            let answers = answers.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
            Asker { answers, ..Asker::default() }
                .filled(&template)
                .map_err(|FormError(wrong)| wrong.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
        };
        let alice = form(&[("name", "alice"), ("floor", " 3"), ("badge", "yes")]).unwrap();
        assert!(matches!(alice.get(1), Some(FieldValue::Integer(3))));
        assert!(matches!(alice.get(2), Some(FieldValue::Boolean(true))));
        assert_eq!(form(&[("floor", "third")]), Err(vec!["floor".into(), "name".into()]));
        assert_eq!(answer("name=a=b"), Ok(("name".into(), "a=b".into())));
        assert!(answer("name").is_err());
    }
}
