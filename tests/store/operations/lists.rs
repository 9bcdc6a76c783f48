//! Lists, a page at a time.

use super::desk::{Desk, HOLD, app, document, every, form, grant, group, key, name, path, user};
use super::entitlements::staff;
use super::{Make, Run};
use halfkey::port::entitlement_store::ReportResult;
use halfkey::record::Takes;
use halfkey::store::operation::{
    Cursor, Entitle, JoinGroup, ListCodes, ListEntitlements, ListEvents, ListMembers, ListRegistrations,
    ListReports, ListRequests, Page, RegistrationFilter, RequestFilter, SetExpiry, Suspend, WithdrawCode,
};
use halfkey::store::{Operation, OperatorError, RegistrationState};
use std::fmt::Debug;

/// Seven of everything.
fn full<S: Run>(make: Make<'_, S>) -> Desk<S> {
    let desk = Desk::new(make);
    for n in 1..=7 {
        desk.active(&grant(n, &format!("name-{n}")));
        desk.issue(&format!("code-{n}"), None);
        desk.waits(20 + n, "ann", None);
        let application = app(&format!("app-{n}"));
        desk.run(&Entitle::new(staff(), application, document("x")));
        desk.run(&JoinGroup { user_id: user(n % 2), group: group(&format!("group-{n}")) });
    }
    let serial = desk.entitle(&staff(), "one");
    (1..=7).for_each(|n| desk.report(n, serial, ReportResult::Applied));
    desk
}

/// The pages of this size, put together.
fn paged<S: Run, O, T>(desk: &Desk<S>, list: impl Fn(Option<Cursor>, Option<u16>) -> O, size: u16) -> Vec<T>
where
    O: Operation<Answer = Page<T>, Error = OperatorError>,
{
    let wanted = usize::from(size);
    every(|after| {
        // A cursor goes through an operator's hands as text.
        let after = after.map(|cursor| cursor.to_string().parse().unwrap());
        let first = after.is_none();
        let page = desk.run(&list(after, Some(size)));
        assert!(first || !page.entries.is_empty(), "a cursor leads to something");
        assert!(page.entries.len() == wanted || (page.next.is_none() && page.entries.len() < wanted));
        assert!(page.next.is_none() || !page.entries.is_empty());
        page
    })
}

fn pages<S: Run, O, T>(desk: &Desk<S>, count: usize, list: impl Fn(Option<Cursor>, Option<u16>) -> O)
where
    O: Operation<Answer = Page<T>, Error = OperatorError>,
    T: PartialEq + Debug,
{
    let whole = desk.run(&list(None, Some(1000)));
    assert_eq!((whole.entries.len(), &whole.next), (count, &None));
    for size in [1, 2, 3, 6, 7, 8, 50].into_iter().chain([count as u16, count as u16 - 1]) {
        assert_eq!(paged(desk, &list, size), whole.entries, "pages of {size}");
    }
    assert_eq!(desk.run(&list(None, None)).entries, whole.entries);
    assert_eq!(desk.run(&list(None, Some(0))).entries.len(), 1, "an empty page leads nowhere");
    // Someone else's cursor, or none at all, is a place like any other.
    let long = "9".repeat(10_000);
    for strange in ["", " ", "  ", "zzz", "0", "name-3 x y", "%", "'; --", "\u{10FFFF}", "ann\n", &long] {
        let after: Cursor = strange.parse().unwrap();
        assert_eq!(after.to_string(), strange);
        let page = desk.run(&list(Some(after), Some(1000)));
        assert_eq!(page.next, None);
        assert!(whole.entries.ends_with(&page.entries), "{strange:?}");
    }
}

pub fn pages_are_parts_of_the_whole<S: Run>(make: Make<'_, S>) {
    let desk = full(make);
    pages(&desk, 7, |after, limit| ListRegistrations { after, limit, ..ListRegistrations::default() });
    pages(&desk, 7, |after, limit| ListCodes { after, limit, ..ListCodes::default() });
    pages(&desk, 7, |after, limit| ListRequests { after, limit, ..ListRequests::default() });
    pages(&desk, 8, |after, limit| ListEntitlements { after, limit, ..ListEntitlements::default() });
    pages(&desk, 7, |after, limit| ListMembers { after, limit, ..ListMembers::default() });
    pages(&desk, 7, |after, limit| ListReports { after, limit, ..ListReports::default() });
    let events = desk.log().len();
    pages(&desk, events, |after, limit| ListEvents { after, limit, ..ListEvents::default() });
    // And of what a filter leaves.
    let begins = RegistrationFilter { name_begins: Some("name".into()), ..RegistrationFilter::default() };
    pages(&desk, 7, |after, limit| ListRegistrations { filter: begins.clone(), after, limit });
}

pub fn strange_cursors_do_no_harm<S: Run>(make: Make<'_, S>) {
    let desk = full(make);
    let before = desk.everything();
    for strange in ["\0", "a\0b", "'; DROP TABLE registration; --", "\\", "{}", "%s"] {
        let after: Option<Cursor> = Some(strange.parse().unwrap());
        // A database may have no place for such a text: an error, and all is as it was.
        let _ = desk
            .store
            .run(&ListRegistrations { after: after.clone(), ..ListRegistrations::default() }, desk.now());
        let _ = desk.store.run(&ListCodes { after: after.clone(), ..ListCodes::default() }, desk.now());
        let filter =
            RegistrationFilter { name_begins: Some(strange.into()), ..RegistrationFilter::default() };
        let _ = desk.store.run(&ListRegistrations { filter, after, limit: None }, desk.now());
        assert_eq!(desk.everything(), before);
    }
}

pub fn pages_have_a_size<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    for n in 0..101 {
        desk.issue(&format!("code-{n:03}"), None);
    }
    let page = desk.run(&ListCodes::default());
    assert_eq!((page.entries.len(), page.next.map(|next| next.to_string())), (100, Some("code-099".into())));
    let page = desk.run(&ListCodes { limit: Some(u16::MAX), ..ListCodes::default() });
    assert_eq!((page.entries.len(), page.next), (101, None));
}

pub fn a_cursor_outlives_its_entry<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    for text in ["a", "b", "c", "d"] {
        desk.issue(text, None);
    }
    let first = desk.run(&ListCodes { limit: Some(2), ..ListCodes::default() });
    desk.run(&WithdrawCode(name("b")));
    desk.issue("bb", None);
    let rest = desk.run(&ListCodes { after: first.next, ..ListCodes::default() }).entries;
    assert_eq!(rest.iter().map(|code| code.name.as_str()).collect::<Vec<_>>(), ["bb", "c", "d"]);
}

pub fn registrations_are_filtered<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let mut elsewhere = grant(3, "anna");
    elsewhere.path = path("/guests");
    for grant in [grant(1, "ann"), grant(2, "a_n"), elsewhere, grant(4, "a%"), grant(5, "åsa")] {
        desk.active(&grant);
    }
    desk.active(&grant(6, "ann").renews(1));
    desk.pending(&grant(7, "åsa"));
    desk.run(&Suspend(key(2)));
    let at = desk.now();
    for (n, expires) in [(2, 10), (3, 20)] {
        desk.run(&SetExpiry { key_id: key(n), expires: Some(at.after(expires)) });
    }
    let list = |filter: RegistrationFilter| {
        let list = ListRegistrations { filter, ..ListRegistrations::default() };
        let found = every(|after| desk.run(&ListRegistrations { after, ..list.clone() }));
        found.iter().map(|row| row.key_id.as_bytes()[0]).collect::<Vec<_>>()
    };
    let any = RegistrationFilter::default;
    assert_eq!(list(any()), [1, 2, 3, 4, 5, 6, 7], "by key id");
    assert_eq!(list(RegistrationFilter { name: Some(name("ann")), ..any() }), [1, 6]);
    let begins = |text: &str| list(RegistrationFilter { name_begins: Some(text.into()), ..any() });
    assert_eq!(begins("an"), [1, 3, 6]);
    assert_eq!(begins(""), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!((begins("a_"), begins("a%"), begins("_"), begins("%")), (vec![2], vec![4], vec![], vec![]));
    assert_eq!((begins("å"), begins("A"), begins("nn"), begins("a\\")), (vec![5, 7], vec![], vec![], vec![]));
    assert_eq!(list(RegistrationFilter { user_id: Some(user(1)), ..any() }), [1, 6]);
    assert_eq!(list(RegistrationFilter { access_path: Some(path("/guests")), ..any() }), [3]);
    let state = |state: RegistrationState| list(RegistrationFilter { state: Some(state), ..any() });
    assert_eq!(
        (state(RegistrationState::Pending), state(RegistrationState::Active)),
        (vec![7], vec![3, 4, 5, 6])
    );
    assert_eq!(
        (state(RegistrationState::Suspended), state(RegistrationState::Superseded)),
        (vec![2], vec![1])
    );
    let by = |seconds| list(RegistrationFilter { expires_by: Some(at.after(seconds)), ..any() });
    assert_eq!((by(9), by(10), by(20)), (vec![], vec![2], vec![2, 3]), "none that never expires");
    let both = RegistrationFilter {
        name_begins: Some("a".into()),
        state: Some(RegistrationState::Active),
        expires_by: Some(at.after(100)),
        ..any()
    };
    assert_eq!(list(both), [3]);
}

/// As text in any language would be sorted otherwise, a cursor would miss some.
pub fn names_are_in_the_order_of_bytes<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let names = ["ann", "ann-b", "ann.a", "anna", "annz", "ann~", "b", "zoe", "ähn", "åsa", "é", "ω", "日本"];
    for text in names.iter().rev() {
        desk.issue(text, None);
    }
    for size in [1, 2, 100] {
        let listed = paged(&desk, |after, limit| ListCodes { after, limit, ..ListCodes::default() }, size);
        assert_eq!(listed.iter().map(|code| code.name.as_str()).collect::<Vec<_>>(), names);
    }
}

pub fn applications_that_are_over_are_not_listed<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let code = desk.issue("ann", None);
    desk.waits(1, "ann", Some(Takes::Code(code)));
    desk.pass(1);
    desk.waits(2, "ben", None);
    let list = |of: Option<&str>| {
        let list = ListRequests::of(RequestFilter { name: of.map(name), ..RequestFilter::default() });
        every(|after| desk.run(&ListRequests { after, ..list.clone() }))
    };
    let all = list(None);
    assert_eq!(all.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["ann", "ben"]);
    assert_eq!((all[0].takes, all[1].takes), (Some(Takes::Code(code)), None));
    assert_eq!((all[1].since, all[1].hold_until), (desk.now(), desk.now().after(HOLD)));
    assert_eq!(all[0].form, form("ann"));
    assert_eq!(list(Some("ben")), all[1..]);
    desk.pass(HOLD - 1);
    assert_eq!(list(None).len(), 2, "to the last second");
    desk.pass(1);
    assert_eq!(list(None), all[1..]);
}
