use super::*;
use alloc::string::ToString;
use alloc::vec;

fn named() -> Field {
    Field::required("name", FieldKind::UserName)
}

fn choice(choices: &[&str]) -> Field {
    Field::optional("choice", FieldKind::Choice(choices.iter().map(ToString::to_string).collect()))
}

#[test]
fn names_labels_and_choices_are_texts_that_can_be_shown() {
    // Control, bidirectional override, line feed, invisible characters, not NFC, private, unassigned.
    for bad in
        ["a\u{1B}[2Jb", "a\u{202E}b", "a\nb", "a\u{200B}b", "a\u{FE0F}", "e\u{301}", "\u{E000}", "\u{378}"]
    {
        for field in [
            named().labelled(bad),
            Field::required(bad, FieldKind::UserName),
            Field::optional("x", FieldKind::Boolean).labelled(bad),
        ] {
            let fields = match field.kind {
                FieldKind::UserName => vec![field],
                _ => vec![named(), field],
            };
            assert_eq!(Template::new(fields), Err(TemplateError::Characters), "{bad:?}");
        }
        assert_eq!(Template::new(vec![named(), choice(&["good", bad])]), Err(TemplateError::Characters));
    }
    Template::new(vec![named().labelled("Ihr Name, \u{E9}\u{5D0} \u{1F600}"), choice(&["a", "b"])]).unwrap();
    // A label may be empty, a name may not; both have 255 bytes at most, and so have choices.
    let (longest, longer) = ("x".repeat(255), "x".repeat(256));
    Template::new(vec![named().labelled(""), choice(&[&longest])]).unwrap();
    Template::new(vec![Field::required(&longest, FieldKind::UserName)]).unwrap();
    for bad in [
        named().labelled(&longer),
        Field::required(&longer, FieldKind::UserName),
        Field::required("", FieldKind::UserName),
    ] {
        assert_eq!(Template::new(vec![bad]), Err(TemplateError::Naming));
    }
    assert_eq!(Template::new(vec![named(), choice(&[&longer])]), Err(TemplateError::Bounds));
}

#[test]
fn choices_differ() {
    assert_eq!(Template::new(vec![named(), choice(&["a", "b", "a"])]), Err(TemplateError::Bounds));
    assert_eq!(Template::new(vec![named(), choice(&[])]), Err(TemplateError::Bounds));
}

#[test]
fn fields_at_fault_come_by_place_one_fault_each() {
    let template = Template::new(vec![
        Field::required("first", FieldKind::Boolean),
        named(),
        Field::required("age", FieldKind::Integer { min: 1, max: 9 }),
        Field::required("last", FieldKind::Boolean),
    ])
    .unwrap();
    let form = Form(vec![(1, "Alice".into()), (2, 10.into()), (7, true.into())]);
    let faults = [
        (0, FieldError::Missing),
        (1, FieldError::Characters),
        (2, FieldError::OutOfRange),
        (3, FieldError::Missing),
        (7, FieldError::Unknown),
    ];
    assert_eq!(template.check(&form), Err(faults.to_vec()));
}

#[test]
fn a_form_error_says_which_field_and_what_is_wrong() {
    let template =
        Template::new(vec![named(), Field::optional("mail", FieldKind::Text { max_len: 3 })]).unwrap();
    let error = template.fill([("mail", "long".into())]).unwrap_err();
    assert_eq!(error.to_string(), "the form: \"mail\" is too long; \"name\" must be filled in");
}

fn optional(name: &str) -> Field {
    Field::optional(name, FieldKind::Boolean)
}

#[test]
fn a_template_has_1_to_16_fields() {
    let fields = |count: usize| {
        let others = (1..count).map(|n| optional(&alloc::format!("field {n}")));
        core::iter::once(named()).chain(others).collect::<Vec<_>>()
    };
    assert_eq!(Template::new(vec![]), Err(TemplateError::Fields));
    Template::new(fields(1)).unwrap();
    Template::new(fields(16)).unwrap();
    assert_eq!(Template::new(fields(17)), Err(TemplateError::Fields));
}

#[test]
fn no_two_fields_have_one_name() {
    let naming = Err(TemplateError::Naming);
    assert_eq!(Template::new(vec![named(), optional("a"), optional("a")]), naming);
    assert_eq!(Template::new(vec![named(), optional("name")]), naming);
    // Labels are for people, and may be alike.
    Template::new(vec![named().labelled("a"), optional("x").labelled("a")]).unwrap();
    Template::new(vec![named(), optional("a"), optional("A")]).unwrap();
}

#[test]
fn exactly_one_field_is_the_user_name_and_it_is_required() {
    let wrong = Err(TemplateError::UserName);
    let unrequired = Field::optional("name", FieldKind::UserName);
    let second = |required| Field { required, ..Field::required("second", FieldKind::UserName) };
    assert_eq!(Template::new(vec![optional("a")]), wrong);
    assert_eq!(Template::new(vec![Field::required("name", FieldKind::Text { max_len: 9 })]), wrong);
    assert_eq!(Template::new(vec![unrequired.clone()]), wrong);
    for second in [second(true), second(false)] {
        assert_eq!(Template::new(vec![named(), second.clone()]), wrong);
        assert_eq!(Template::new(vec![unrequired.clone(), second]), wrong);
    }
    Template::new(vec![optional("a"), named(), optional("b")]).unwrap();
}

#[test]
fn bounds_of_a_field_make_sense() {
    let with = |kind| Template::new(vec![named(), Field::optional("x", kind)]);
    let choices = |count: usize| FieldKind::Choice((0..count).map(|n| n.to_string()).collect());
    for good in [
        FieldKind::Text { max_len: 1 },
        FieldKind::Text { max_len: 4096 },
        FieldKind::Integer { min: 3, max: 3 },
        FieldKind::Integer { min: i64::MIN, max: i64::MAX },
        choices(1),
        choices(16),
    ] {
        with(good).unwrap();
    }
    for bad in [
        FieldKind::Text { max_len: 0 },
        FieldKind::Text { max_len: 4097 },
        FieldKind::Integer { min: 4, max: 3 },
        FieldKind::Integer { min: i64::MAX, max: i64::MIN },
        choices(0),
        choices(17),
    ] {
        assert_eq!(with(bad.clone()), Err(TemplateError::Bounds), "{bad:?}");
    }
}

/// Every kind of field with values on both sides of each bound, by both ways: what a user types, and what
/// comes over the wire.
#[test]
fn a_value_is_of_its_fields_kind_and_within_its_bounds() {
    let text = |length: usize| FieldValue::Text("x".repeat(length));
    let number = |min, max| FieldKind::Integer { min, max };
    let chosen = FieldKind::Choice(vec!["red".into(), "green".into()]);
    let cases = [
        (FieldKind::Text { max_len: 3 }, text(3), None),
        (FieldKind::Text { max_len: 3 }, text(4), Some(FieldError::TooLong)),
        (FieldKind::Text { max_len: 3 }, 3.into(), Some(FieldError::WrongKind)),
        (FieldKind::Text { max_len: 3 }, true.into(), Some(FieldError::WrongKind)),
        (number(-1, 5), (-1).into(), None),
        (number(-1, 5), 5.into(), None),
        (number(-1, 5), (-2).into(), Some(FieldError::OutOfRange)),
        (number(-1, 5), 6.into(), Some(FieldError::OutOfRange)),
        (number(i64::MIN, i64::MAX), i64::MIN.into(), None),
        (number(i64::MIN, i64::MAX), i64::MAX.into(), None),
        (number(-1, 5), "5".into(), Some(FieldError::WrongKind)),
        (number(-1, 5), true.into(), Some(FieldError::WrongKind)),
        (FieldKind::Boolean, true.into(), None),
        (FieldKind::Boolean, false.into(), None),
        (FieldKind::Boolean, 1.into(), Some(FieldError::WrongKind)),
        (FieldKind::Boolean, "true".into(), Some(FieldError::WrongKind)),
        (chosen.clone(), "red".into(), None),
        (chosen.clone(), "green".into(), None),
        (chosen.clone(), "blue".into(), Some(FieldError::NotAChoice)),
        (chosen.clone(), "Red".into(), Some(FieldError::NotAChoice)),
        (chosen.clone(), "".into(), Some(FieldError::NotAChoice)),
        (chosen.clone(), 0.into(), Some(FieldError::WrongKind)),
        (chosen, true.into(), Some(FieldError::WrongKind)),
    ];
    for (kind, value, fault) in cases {
        let template = Template::new(vec![named(), Field::required("x", kind.clone())]).unwrap();
        let typed = template.fill([("name", "alice".into()), ("x", value.clone())]);
        let form = Form(vec![(0, "alice".into()), (1, value.clone())]);
        let named = fault.map_or(Ok(form.clone()), |fault| Err(FormError(vec![("x".into(), fault)])));
        assert_eq!(typed, named, "{kind:?}");
        let placed = fault.map_or(Ok("alice".into()), |fault| Err(vec![(1, fault)]));
        assert_eq!(template.check(&form).map(|name| name.as_str().to_string()), placed, "{kind:?}");
    }
}
