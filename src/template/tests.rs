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
