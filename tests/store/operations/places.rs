//! Entitlements that depend on what the client says.

use super::desk::{Desk, app, document, every, grant, group, key, path, user};
use super::entitlements::staff;
use super::{Make, Run};
use halfkey::configuration::UserInformation;
use halfkey::message::ConfigurationSerial;
use halfkey::port::entitlement_store::{EntitlementQuery, ReportResult};
use halfkey::store::operation::{
    ClearConditionalEntitlement, ClearUserEntitlement, DeleteRegistration, Entitle, EntitlementFilter,
    JoinGroup, LeaveGroup, ListEntitlements, ListReports, ListRollout, RaiseEpoch, ReadEntitlement, Revoke,
    RevokeEntitlement, RolloutEntry, RolloutFilter,
};
use halfkey::store::{EntitlementCondition, OperatorError, Subject};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// At a place, on a system, with attributes: `Hartford`, `Hartford/laptop`, `/laptop`, `Hartford//role=clerk`.
pub fn said(text: &str) -> UserInformation {
    let mut parts = text.splitn(3, '/');
    let mut line = || parts.next().filter(|part| !part.is_empty()).map(String::from);
    let (location, system) = (line(), line());
    let attribute = |text: String| {
        let (name, value) = text.split_once('=').unwrap();
        (name.parse().unwrap(), value.to_string())
    };
    UserInformation { location, system, attributes: line().map(attribute).into_iter().collect() }
}

pub fn at(text: &str) -> EntitlementCondition {
    EntitlementCondition::new(&said(text)).unwrap()
}

fn entitle(subject: &Subject, body: &str) -> Entitle {
    Entitle::new(subject.clone(), app("mail"), document(body))
}

type Given = Option<(ConfigurationSerial, Option<String>)>;

/// A token that says what it was given last.
struct Client<'d, S> {
    desk: &'d Desk<S>,
    n: u8,
    user: u8,
    held: Option<ConfigurationSerial>,
}

impl<'d, S: Run> Client<'d, S> {
    fn new(desk: &'d Desk<S>, n: u8, user: u8) -> Self {
        Self { desk, n, user, held: None }
    }

    fn ask(&mut self, place: &str) -> Given {
        let mut query = EntitlementQuery::new(key(self.n), user(self.user), path("/staff"), app("mail"));
        query.information = said(place);
        query.held = self.held;
        let found = self.desk.port().entitlement(&query, self.desk.now()).unwrap()?;
        self.held = Some(found.serial);
        Some((found.serial, found.document.map(|document| String::from_utf8(document.body).unwrap())))
    }

    /// Is given this, `nothing` by a revocation.
    fn gets(&mut self, place: &str, text: &str) -> ConfigurationSerial {
        let (serial, document) = self.ask(place).unwrap();
        assert_eq!(document.as_deref().unwrap_or("nothing"), text, "at {place:?}");
        serial
    }
}

pub fn the_place_chooses_among_what_a_user_has<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let mut ann = Client::new(&desk, 1, 1);
    desk.run(&entitle(&staff(), "anywhere"));
    desk.run(&entitle(&staff(), "hartford").when(at("Hartford")));
    ann.gets("", "anywhere");
    ann.gets("Hartford", "hartford");
    ann.gets("Hartford/laptop", "hartford");
    ann.gets("hartford", "anywhere");
    // The user's own counts before that of the access path, where it holds; else the next subject's does.
    desk.run(&entitle(&Subject::User(user(1)), "mine").when(at("/laptop")));
    ann.gets("Hartford/laptop", "mine");
    ann.gets("Hartford", "hartford");
    desk.run(&JoinGroup { user_id: user(1), group: group("team") });
    desk.run(&entitle(&Subject::Group(group("team")), "ours").when(at("//role=clerk")));
    ann.gets("Hartford//role=clerk", "ours");
    ann.gets("/laptop/role=clerk", "mine");
    ann.gets("/desktop/role=teller", "anywhere");
    // A revocation counts as an entitlement does, where its condition holds.
    desk.run(&RevokeEntitlement::new(Subject::User(user(1)), app("mail")).when(at("abroad")));
    ann.gets("abroad//role=clerk", "nothing");
    Client::new(&desk, 2, 2).gets("abroad", "anywhere");
}

pub fn the_most_terms_count_then_the_newest<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let mut ann = Client::new(&desk, 1, 1);
    desk.run(&entitle(&staff(), "three").when(at("Hartford/laptop/role=clerk")));
    desk.run(&entitle(&staff(), "two").when(at("Hartford/laptop")));
    desk.run(&entitle(&staff(), "place").when(at("Hartford")));
    desk.run(&entitle(&staff(), "none"));
    desk.run(&entitle(&staff(), "system").when(at("/laptop")));
    ann.gets("Hartford/laptop/role=clerk", "three");
    ann.gets("Hartford/laptop/role=teller", "two");
    ann.gets("Hartford//role=clerk", "place");
    ann.gets("home/laptop", "system");
    ann.gets("", "none");
    desk.run(&entitle(&staff(), "two more").when(at("Hartford//role=teller")));
    ann.gets("Hartford/laptop/role=teller", "two more");
    desk.run(&entitle(&staff(), "two again").when(at("Hartford/laptop")));
    ann.gets("Hartford/laptop/role=teller", "two again");
    // Groups are of one kind.
    for (name, text) in [("crew", "crew"), ("team", "team")] {
        desk.run(&JoinGroup { user_id: user(1), group: group(name) });
        desk.run(&entitle(&Subject::Group(group(name)), text).when(at("Hartford")));
    }
    ann.gets("Hartford/laptop", "team");
    desk.run(&entitle(&Subject::Group(group("crew")), "crew").when(at("Hartford/laptop")));
    ann.gets("Hartford/laptop", "crew");
    ann.gets("Hartford", "team");
}

pub fn there_and_back_serials_rise<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let mut ann = Client::new(&desk, 1, 1);
    desk.run(&entitle(&staff(), "hartford").when(at("Hartford")));
    desk.run(&entitle(&staff(), "home"));
    let mut last = ConfigurationSerial { epoch: 0, number: 0 };
    for (place, text) in [("Hartford", "hartford"), ("home", "home"), ("Hartford", "hartford"), ("", "home")]
    {
        let serial = ann.gets(place, text);
        assert!(serial > last, "{serial:?} after {last:?}");
        for _ in 0..3 {
            assert_eq!(ann.gets(place, text), serial, "the same again");
        }
        last = serial;
    }
    // Every key by itself, also of one user.
    let first = Client::new(&desk, 2, 1).gets("Hartford", "hartford");
    assert!(first > last);
    assert_eq!(ann.gets("home", "home"), last);
}

pub fn what_is_given_is_remembered_only_where_places_differ<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let mut ann = Client::new(&desk, 1, 1);
    let plain = desk.run(&entitle(&staff(), "anywhere"));
    assert_eq!(ann.gets("Hartford", "anywhere"), plain);
    assert_eq!(ann.gets("home", "anywhere"), plain);
    // A condition on what does not count for the user changes nothing.
    let own = desk.run(&entitle(&Subject::User(user(2)), "bob's"));
    desk.run(&entitle(&staff(), "hartford").when(at("Hartford")));
    assert_eq!(Client::new(&desk, 2, 2).gets("Hartford", "bob's"), own);
    // On what does, everything has a serial of its own from then on, also when the condition is gone.
    let home = ann.gets("home", "anywhere");
    assert!(home > plain);
    let clear =
        ClearConditionalEntitlement { subject: staff(), application: app("mail"), condition: at("Hartford") };
    let there = ann.gets("Hartford", "hartford");
    desk.run(&clear);
    let back = ann.gets("Hartford", "anywhere");
    assert!(there > home && back > there);
    assert_eq!(ann.gets("home", "anywhere"), back);
    let set = desk.run(&entitle(&staff(), "new"));
    assert!(ann.gets("home", "new") > set);
}

pub fn a_place_without_anything_is_a_revocation<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let (mut ann, mut bob) = (Client::new(&desk, 1, 1), Client::new(&desk, 2, 2));
    desk.run(&entitle(&staff(), "hartford").when(at("Hartford")));
    assert_eq!(bob.ask("home"), None, "nothing is known, and nothing was given");
    let there = ann.gets("Hartford", "hartford");
    let home = ann.gets("home", "nothing");
    assert!(home > there && ann.gets("home", "nothing") == home);
    assert!(ann.gets("Hartford", "hartford") > home);
}

pub fn an_entitlement_under_a_condition_is_cleared<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let (team, me) = (Subject::Group(group("team")), Subject::User(user(1)));
    desk.run(&JoinGroup { user_id: user(1), group: group("team") });
    let mut ann = Client::new(&desk, 1, 1);
    desk.run(&entitle(&staff(), "anywhere"));
    for subject in [&staff(), &team, &me] {
        desk.run(&entitle(subject, &subject.to_string()).when(at("Hartford")));
    }
    let clear = |subject: &Subject, place| ClearConditionalEntitlement {
        subject: subject.clone(),
        application: app("mail"),
        condition: at(place),
    };
    desk.fails(&clear(&staff(), "home"), OperatorError::NoSuchEntitlement);
    desk.fails(&clear(&staff(), ""), OperatorError::Unconditional);
    let own = ClearUserEntitlement::new(user(1), app("mail"));
    desk.fails(&own, OperatorError::NoSuchEntitlement);
    let mut last = ann.gets("Hartford", "user:user-1");
    let logged = desk.logged(|| desk.run(&own.clone().when(at("Hartford"))));
    assert_eq!(logged, ["entitlement inherited user:user-1 mail location=Hartford"]);
    for (subject, next) in [(&team, "group:team"), (&staff(), "path:/staff")] {
        let serial = ann.gets("Hartford", next);
        assert!(serial > last);
        last = serial;
        desk.run(&clear(subject, "Hartford"));
    }
    assert!(ann.gets("Hartford", "anywhere") > last);
}

pub fn a_change_beside_the_place_gives_no_new_serial<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let mut ann = Client::new(&desk, 1, 1);
    desk.run(&entitle(&staff(), "hartford").when(at("Hartford")));
    let serial = ann.gets("Hartford", "hartford");
    desk.run(&entitle(&staff(), "home").when(at("home")));
    desk.run(&entitle(&staff(), "anywhere"));
    desk.run(&JoinGroup { user_id: user(1), group: group("team") });
    desk.run(&LeaveGroup { user_id: user(1), group: group("team") });
    assert_eq!(ann.gets("Hartford", "hartford"), serial);
    desk.run(&entitle(&staff(), "hartford").when(at("Hartford")));
    assert!(ann.gets("Hartford", "hartford") > serial, "it was set again");
}

pub fn a_renewed_key_is_given_no_lower_serial<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    let mut ann = Client::new(&desk, 1, 1);
    desk.run(&entitle(&staff(), "hartford").when(at("Hartford")));
    ann.gets("Hartford", "hartford");
    ann.gets("home", "nothing");
    let there = ann.gets("Hartford", "hartford");
    desk.active(&grant(2, "ann").renews(1));
    let mut renewed = Client { n: 2, ..ann };
    assert_eq!(renewed.gets("Hartford", "hartford"), there, "serials survive a renewal");
    let home = renewed.gets("home", "nothing");
    assert!(home > there);
    // A push asks without a serial.
    renewed.held = None;
    assert_eq!(renewed.gets("home", "nothing"), home);
    assert!(renewed.gets("Hartford", "hartford") > home);
}

pub fn a_serial_that_another_key_was_given_is_passed<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let (mut ann, mut other) = (Client::new(&desk, 1, 1), Client::new(&desk, 2, 1));
    desk.run(&entitle(&staff(), "hartford").when(at("Hartford")));
    let first = ann.gets("Hartford", "hartford");
    let later = other.gets("Hartford", "hartford");
    // As after a renewal while a session of the old key goes on.
    ann.held = Some(later);
    let passed = ann.gets("Hartford", "hartford");
    assert!(first < later && later < passed);
    // What this store never gave tells nothing.
    ann.held = Some(ConfigurationSerial { number: u64::MAX, ..passed });
    assert_eq!(ann.gets("Hartford", "hartford"), passed);
}

pub fn an_epoch_holds_for_every_place<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let mut ann = Client::new(&desk, 1, 1);
    desk.run(&entitle(&staff(), "hartford").when(at("Hartford")));
    let before = ann.gets("Hartford", "hartford");
    let epoch = desk.run(&RaiseEpoch);
    let after = ann.gets("Hartford", "hartford");
    assert_eq!(after, ConfigurationSerial { epoch, ..before });
    let home = ann.gets("home", "nothing");
    assert!(after > before && home > after && home.epoch == epoch);
}

pub fn the_operator_sees_where_each_token_stands<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    desk.active(&grant(2, "bob"));
    let rollout = || -> Vec<RolloutEntry> {
        let filter = RolloutFilter { application: app("mail") };
        every(|after| desk.run(&ListRollout { after, ..ListRollout::of(filter.clone()) }))
    };
    let mut ann = Client::new(&desk, 1, 1);
    desk.run(&entitle(&staff(), "hartford").when(at("Hartford")));
    assert_eq!(rollout(), [], "nothing that counts everywhere");
    desk.report(2, ann.gets("Hartford", "hartford"), ReportResult::Applied);
    assert_eq!(desk.run(&ListReports::default()).entries, [], "of a key that was given nothing");
    let serial = ann.gets("Hartford", "hartford");
    assert!(rollout()[0].is_outdated());
    desk.report(1, serial, ReportResult::Applied);
    let [entry] = &rollout()[..] else { panic!("one was given something") };
    assert_eq!((entry.key_id, entry.current, entry.is_outdated()), (key(1), serial, false));
    let current = || desk.run(&ListReports::default()).entries[0].current;
    assert_eq!(current(), Some(serial));

    desk.run(&entitle(&staff(), "home").when(at("home")));
    assert!(!rollout()[0].is_outdated(), "it concerns nobody yet");
    desk.run(&entitle(&staff(), "other").when(at("Hartford")));
    let next = rollout()[0].current;
    assert!(rollout()[0].is_outdated() && current() == Some(next));
    assert_eq!(ann.gets("Hartford", "other"), next);
    desk.report(1, next, ReportResult::Applied);
    assert!(!rollout()[0].is_outdated());

    let serial = ann.gets("nowhere", "nothing");
    desk.report(1, serial, ReportResult::Applied);
    assert!(!rollout()[0].is_outdated());
    desk.run(&entitle(&staff(), "anywhere"));
    let outdated: Vec<_> = rollout().iter().map(|entry| (entry.key_id, entry.is_outdated())).collect();
    assert_eq!(outdated, [(key(1), true), (key(2), true)]);
}

pub fn conditions_are_listed_read_and_logged<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let set = entitle(&staff(), "hartford").when(at("Hartford/branch terminal 4/role=clerk"));
    let mut serial = ConfigurationSerial { epoch: 0, number: 0 };
    let logged = desk.logged(|| serial = desk.run(&set));
    let condition = "location=Hartford&system=branch%20terminal%204&@role=clerk";
    assert_eq!(logged, [format!("entitled path:/staff mail {condition} {}.{}", serial.epoch, serial.number)]);
    desk.run(&entitle(&staff(), "anywhere"));
    desk.run(&entitle(&Subject::User(user(1)), "mine").when(at("Zürich")));
    let read = ReadEntitlement::new(staff(), app("mail"));
    assert_eq!(desk.run(&read), Some(document("anywhere")));
    assert_eq!(desk.run(&read.clone().when(set.condition.clone())), Some(document("hartford")));
    desk.fails(&read.when(at("Hartford")), OperatorError::NoSuchEntitlement);
    let list = |condition: Option<&str>| -> Vec<String> {
        let filter = EntitlementFilter { condition: condition.map(at), ..EntitlementFilter::default() };
        let page = |after| desk.run(&ListEntitlements { after, limit: Some(1), filter: filter.clone() });
        every(page).iter().map(|entry| format!("{} {}", entry.subject, entry.condition)).collect()
    };
    let all = [
        "path:/staff ".to_string(),
        format!("path:/staff {condition}"),
        "user:user-1 location=Zürich".into(),
    ];
    assert_eq!(list(None), all);
    assert_eq!(list(Some("")), [all[0].clone()]);
    assert_eq!(list(Some("Zürich")), [all[2].clone()]);
}

pub fn a_forgotten_key_is_remembered_no_more<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    let mut ann = Client::new(&desk, 1, 1);
    desk.run(&entitle(&staff(), "hartford").when(at("Hartford")));
    let serial = ann.gets("Hartford", "hartford");
    assert_eq!(ann.gets("Hartford", "hartford"), serial);
    desk.run(&Revoke(key(1)));
    desk.run(&DeleteRegistration(key(1)));
    ann.held = None;
    assert!(ann.gets("Hartford", "hartford") > serial, "it is a stranger");
}

/// What happens to two users who travel.
#[derive(Clone, Debug)]
enum Act {
    Entitle(usize, usize, u8),
    Revoke(usize, usize),
    Clear(usize, usize),
    Join(u8),
    Leave(u8),
    Raise,
    Go(usize, usize),
}

const PLACES: [&str; 4] = ["", "Hartford", "/laptop", "Hartford/laptop"];

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let subject = || 0..4_usize;
    let place = || 0..PLACES.len();
    let act = prop_oneof![
        4 => (subject(), place(), any::<u8>()).prop_map(|(subject, place, text)| Act::Entitle(subject, place, text)),
        1 => (subject(), place()).prop_map(|(subject, place)| Act::Revoke(subject, place)),
        2 => (subject(), place()).prop_map(|(subject, place)| Act::Clear(subject, place)),
        1 => (1..3_u8).prop_map(Act::Join),
        1 => (1..3_u8).prop_map(Act::Leave),
        1 => Just(Act::Raise),
        8 => (0..3_usize, place()).prop_map(|(client, place)| Act::Go(client, place)),
    ];
    vec(act, 1..40)
}

/// Wherever the users go and whatever the operator does, a token sees no serial fall, and no other
/// document under the serial that it holds.
pub fn serials_never_fall_wherever_the_user_goes<S: Run>(make: Make<'_, S>) {
    let config = ProptestConfig { cases: S::PLAYS, failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&acts(), |acts| {
        let desk = Desk::new(make);
        let team = || group("team");
        let subjects = [staff(), Subject::Group(team()), Subject::User(user(1)), Subject::User(user(2))];
        let mut clients =
            [(1, 1), (2, 2), (3, 2)].map(|(n, user)| (Client::new(&desk, n, user), Given::None));
        for act in acts {
            match act {
                Act::Entitle(subject, place, text) => {
                    desk.run(&entitle(&subjects[subject], &text.to_string()).when(at(PLACES[place])));
                }
                Act::Revoke(subject, place) => {
                    let revoke = RevokeEntitlement::new(subjects[subject].clone(), app("mail"));
                    desk.run(&revoke.when(at(PLACES[place])));
                }
                Act::Clear(subject, place) => {
                    let (application, condition) = (app("mail"), at(PLACES[place]));
                    // There may be none.
                    let _ = match &subjects[subject] {
                        Subject::User(user_id) => {
                            let clear = ClearUserEntitlement::new(user_id.clone(), application);
                            desk.store.run(&clear.when(condition), desk.now())
                        }
                        subject => {
                            let subject = subject.clone();
                            let clear = ClearConditionalEntitlement { subject, application, condition };
                            desk.store.run(&clear, desk.now())
                        }
                    };
                }
                Act::Join(n) => desk.run(&JoinGroup { user_id: user(n), group: team() }),
                Act::Leave(n) => desk.run(&LeaveGroup { user_id: user(n), group: team() }),
                Act::Raise => {
                    desk.run(&RaiseEpoch);
                }
                Act::Go(which, place) => {
                    let (client, before) = &mut clients[which];
                    let after = client.ask(PLACES[place]);
                    if let (Some(before), Some(after)) = (&before, &after) {
                        prop_assert!(before.0 <= after.0, "{before:?}, then {after:?}");
                        prop_assert!(before.0 < after.0 || before.1 == after.1, "{before:?}, then {after:?}");
                    }
                    prop_assert!(
                        after.is_some() || before.is_none(),
                        "what was given is never just forgotten"
                    );
                    let again = client.ask(PLACES[place]);
                    prop_assert_eq!(&again, &after, "the same again");
                    *before = after;
                }
            }
        }
        Ok(())
    });
    result.unwrap();
}
