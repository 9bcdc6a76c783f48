//! A server's template as controls (patent step 100).

use super::control::{Input, Kind};
use super::posted::Posted;
use halfkey::template::{Field, FieldError, FieldKind, FormError, Template};
use std::collections::BTreeMap;

fn name(place: usize) -> String {
    format!("field-{place}")
}

fn label(field: &Field) -> &str {
    if field.label.is_empty() { &field.name } else { &field.label }
}

fn kind(field: &Field) -> Kind {
    match &field.kind {
        FieldKind::UserName => Kind::UserName,
        FieldKind::Integer { min, max } => Kind::Number { min: *min, max: *max },
        FieldKind::Boolean => Kind::Choice(vec![("yes".into(), "Yes".into()), ("no".into(), "No".into())]),
        FieldKind::Choice(choices) => {
            Kind::Choice(choices.iter().map(|choice| (choice.clone(), choice.clone())).collect())
        }
        _ => Kind::Text,
    }
}

/// Makes a sentence of what is wrong with a field.
#[must_use]
pub fn problem(template: &Template, name: &str, error: FieldError) -> String {
    let field = template.fields.iter().find(|field| field.name == name);
    let label = field.map_or(name, label);
    let what = match (error, field.map(|field| &field.kind)) {
        (FieldError::WrongKind | FieldError::OutOfRange, Some(FieldKind::Integer { min, max })) => {
            format!("must be a whole number from {min} to {max}")
        }
        (FieldError::Missing, Some(FieldKind::Choice(_) | FieldKind::Boolean)) => "must be answered".into(),
        (error, _) => error.to_string(),
    };
    format!("“{label}” {what}")
}

/// Makes the controls for a template, filled in with answers by field, and with what is wrong beside each.
#[must_use]
pub fn controls(template: &Template, answers: &BTreeMap<String, String>, wrong: &FormError) -> Vec<Input> {
    let control = |(place, field): (usize, &Field)| {
        let error = wrong.0.iter().find(|(name, _)| *name == field.name);
        let error = error.map(|(name, error)| problem(template, name, *error));
        let value = answers.get(&field.name).map_or("", String::as_str);
        let mut input = Input::new(&name(place), label(field), kind(field)).value(value).error(error);
        match &field.kind {
            FieldKind::Text { max_len } => input = input.longest(*max_len),
            FieldKind::Integer { min, max } => {
                input = input.hint(&format!("A whole number from {min} to {max}."));
            }
            _ => {}
        }
        if field.required { input } else { input.optional() }
    };
    template.fields.iter().enumerate().map(control).collect()
}

/// Reads the answers that were posted, by field; an empty one is none.
#[must_use]
pub fn answers(template: &Template, posted: &Posted) -> BTreeMap<String, String> {
    let answer = |(place, field): (usize, &Field)| {
        let text = posted.get(&name(place));
        (!text.is_empty()).then(|| (field.name.clone(), text.to_string()))
    };
    template.fields.iter().enumerate().filter_map(answer).collect()
}
