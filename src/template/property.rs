//! Arbitrary answers to arbitrary templates.
#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow")]

use super::*;
use crate::wire::Record;
use alloc::vec;
use proptest::collection::{btree_set, vec as vec_of};
use proptest::prelude::*;

fn kind() -> impl Strategy<Value = FieldKind> {
    prop_oneof![
        (1u16..=8).prop_map(|max_len| FieldKind::Text { max_len }),
        (-4i64..=4, 0i64..=4).prop_map(|(min, more)| FieldKind::Integer { min, max: min + more }),
        any::<(i64, i64)>().prop_map(|(a, b)| FieldKind::Integer { min: a.min(b), max: a.max(b) }),
        Just(FieldKind::Boolean),
        btree_set("[a-c]{0,2}", 1..=8).prop_map(|choices| FieldKind::Choice(choices.into_iter().collect())),
    ]
}

fn value() -> impl Strategy<Value = FieldValue> {
    prop_oneof![
        "[a-c]{0,10}".prop_map(FieldValue::Text),
        ".{0,3}".prop_map(FieldValue::Text),
        (-9i64..=9).prop_map(FieldValue::Integer),
        any::<i64>().prop_map(FieldValue::Integer),
        any::<bool>().prop_map(FieldValue::Boolean),
    ]
}

/// The table of PROTOCOL.md, section 8.3, for a value that needs no normalising.
fn fits(kind: &FieldKind, value: &FieldValue) -> bool {
    match (kind, value) {
        (FieldKind::Text { max_len }, FieldValue::Text(text)) => text.len() <= usize::from(*max_len),
        (FieldKind::Integer { min, max }, FieldValue::Integer(number)) => number >= min && number <= max,
        (FieldKind::Boolean, FieldValue::Boolean(_)) => true,
        (FieldKind::Choice(choices), FieldValue::Text(text)) => choices.contains(text),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What a token fills in, a server accepts; both come over the wire as they were; and what the template
    /// does not allow, neither side lets pass.
    #[test]
    fn both_sides_judge_a_form_alike(
        fields in vec_of((kind(), any::<bool>(), proptest::option::of(value())), 0..=15),
        at in 0usize..=15,
    ) {
        let mut all: Vec<(Field, Option<FieldValue>)> = fields
            .into_iter()
            .enumerate()
            .map(|(n, (kind, required, value))| (Field { required, ..Field::required(&alloc::format!("{n}"), kind) }, value))
            .collect();
        all.insert(at.min(all.len()), (Field::required("name", FieldKind::UserName), Some("alice".into())));
        let template = Template::new(all.iter().map(|(field, _)| field.clone()).collect()).unwrap();
        prop_assert_eq!(&Template::from_bytes(&template.to_bytes()).unwrap(), &template);

        let raw = (0u8..).zip(&all).filter_map(|(place, (_, value))| Some((place, value.clone()?)));
        let raw = Form(raw.collect());
        prop_assert_eq!(&Form::from_bytes(&raw.to_bytes()).unwrap(), &raw);
        let typed = all.iter().filter_map(|(field, value)| Some((field.name.as_str(), value.clone()?)));
        let (filled, checked) = (template.fill(typed), template.check(&raw));
        if let Ok(form) = &filled {
            let name = template.check(form).unwrap();
            prop_assert_eq!(name.as_str(), "alice");
            prop_assert_eq!(&Form::from_bytes(&form.to_bytes()).unwrap(), form);
        }
        if checked.is_ok() {
            prop_assert_eq!(filled.as_ref(), Ok(&raw));
        }

        let plain = |value: &FieldValue| !matches!(value, FieldValue::Text(text) if !text.is_ascii() || text.contains(char::is_control));
        if raw.0.iter().all(|(_, value)| plain(value)) {
            let faulty = |(field, value): &(Field, Option<FieldValue>)| match value {
                None => field.required,
                Some(value) => field.kind != FieldKind::UserName && !fits(&field.kind, value),
            };
            let places: Vec<u8> = (0u8..).zip(&all).filter(|(_, one)| faulty(one)).map(|(place, _)| place).collect();
            let said: Vec<u8> = checked.err().unwrap_or_default().into_iter().map(|(place, _)| place).collect();
            prop_assert_eq!(&said, &places);
            prop_assert_eq!(filled.is_ok(), places.is_empty());
        }
    }

    /// A place that no field has is a fault of its own.
    #[test]
    fn no_value_belongs_to_no_field(place in 1u8.., value in value()) {
        let template = Template::new(vec![Field::required("name", FieldKind::UserName)]).unwrap();
        let form = Form(vec![(0, "alice".into()), (place, value)]);
        prop_assert_eq!(template.check(&form), Err(vec![(place, FieldError::Unknown)]));
    }
}
