//! The operations of every store: a contract, run against each store.
//!
//! ```ignore
//! #[path = "store/operations.rs"]
//! mod operations;
//! operations::contract!(|names| Store::with_names(names));
//! ```
//! makes a test of each clause. A store in another process is given the port by a value that waits.

#![allow(unreachable_pub, reason = "each store's tests have it for a module of theirs")]

#[path = "operations/aliases.rs"]
pub mod aliases;
#[path = "operations/codes.rs"]
pub mod codes;
#[path = "operations/desk.rs"]
mod desk;
#[path = "operations/entitlements.rs"]
pub mod entitlements;
#[path = "operations/groups.rs"]
pub mod groups;
#[path = "operations/lists.rs"]
pub mod lists;
#[path = "operations/log.rs"]
pub mod log;
#[path = "operations/places.rs"]
pub mod places;
#[path = "operations/purging.rs"]
pub mod purging;
#[path = "operations/random.rs"]
pub mod random;
#[path = "operations/registrations.rs"]
pub mod registrations;
#[path = "operations/renaming.rs"]
pub mod renaming;
#[path = "operations/reports.rs"]
pub mod reports;
#[path = "operations/requests.rs"]
pub mod requests;

use halfkey::port::EntitlementStore;
use halfkey::port::contract::Seed;
use halfkey::port::entitlement_store::Document;
use halfkey::store::operation::{DecideRequest, Entitle, IssueCode};
use halfkey::store::{EntitlementCondition, Operation, Subject, UniqueNames};
use halfkey::{ApplicationName, UnixTime};

/// A store, as its operator and as the steps ask it.
pub trait Run {
    /// How many random plays it is worth: a store that takes its time does with fewer.
    const PLAYS: u32 = 64;

    fn run<O: Operation>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error>;
    fn port(&self) -> &dyn EntitlementStore;
}

/// What puts the contract's seed into an empty store.
pub fn seeds(seed: &Seed<'_>) -> (IssueCode, [Entitle; 3]) {
    let (name, secret) = (seed.code.0.clone(), seed.code.1.clone());
    let (user, application, document) = seed.entitled;
    let entitle = |application: &ApplicationName, document: &Document| {
        Entitle::new(Subject::User(user.clone()), application.clone(), document.clone())
    };
    let (local, places) = seed.by_place;
    let [here, there] = places
        .map(|(place, document)| entitle(local, document).when(EntitlementCondition::new(place).unwrap()));
    (IssueCode { name, secret, expires: None }, [entitle(application, document), here, there])
}

/// Puts the contract's seed into an empty store.
pub fn plant(store: &impl Run, seed: &Seed<'_>, now: UnixTime) {
    let (code, entitlements) = seeds(seed);
    store.run(&code, now).unwrap();
    for entitlement in entitlements {
        store.run(&entitlement, now).unwrap();
    }
    answer(store, seed, now);
}

/// Has those wait whom the contract's seed says, and answers them.
pub fn answer(store: &impl Run, seed: &Seed<'_>, now: UnixTime) {
    for (outcome, ticket_id, answer) in seed.answered {
        store.port().commit(outcome, now).unwrap();
        store.run(&DecideRequest { ticket_id, answer }, now).unwrap();
    }
}

/// Makes an empty store.
pub type Make<'m, S> = &'m dyn Fn(UniqueNames) -> S;

macro_rules! contract {
    ($make:expr) => {
        $crate::operations::contract!(@ $make;
            aliases: a_young_alias_opens_sessions_without_another
                who_may_not_open_a_session_is_told_so_by_a_young_alias
                the_oldest_unused_of_one_address_goes a_key_has_32_aliases_at_most
                a_record_drops_what_is_older_and_nothing_else an_alias_is_of_one_key_and_one_address;
            codes: a_code_is_issued a_code_is_the_one_that_is_issued a_code_is_replaced a_code_is_withdrawn a_user_is_readmitted
                a_code_expires
                what_was_proven_in_time_may_be_confirmed_later a_code_is_used_once
                a_code_that_waits_is_kept a_code_is_for_its_name_alone
                an_expired_code_keeps_no_name;
            registrations: each_state_allows_what_it_allows an_end_is_for_good a_session_is_told_how_it_stands
                an_expiry_is_set a_name_is_freed a_forgotten_one_is_a_stranger a_ticket_is_good_once
                a_ticket_takes_nothing_from_others
                what_is_not_there_is_not_found;
            requests: an_application_is_answered every_code_is_kept an_answer_is_replaced_until_it_is_fetched
                what_is_over_or_granted_has_no_answer an_answer_goes_on_where_its_token_waits_again
                a_refusal_takes_back_what_was_granted answers_are_in_nobodys_way;
            renaming: a_name_is_changed a_new_name_must_be_free renewals_of_the_old_name_are_gone
                a_renewal_that_comes_late_is_lost a_freed_name_is_not_held_but_the_new_one_is
                where_names_repeat_only_what_was_held_is_taken;
            entitlements: a_subject_is_entitled documents_have_limits the_nearest_counts
                what_a_user_has_alone_is_taken_away an_epoch_is_raised serials_never_fall;
            places: the_place_chooses_among_what_a_user_has the_most_terms_count_then_the_newest
                there_and_back_serials_rise what_is_given_is_remembered_only_where_places_differ
                a_place_without_anything_is_a_revocation an_entitlement_under_a_condition_is_cleared
                a_change_beside_the_place_gives_no_new_serial a_renewed_key_is_given_no_lower_serial
                a_serial_that_another_key_was_given_is_passed an_epoch_holds_for_every_place
                the_operator_sees_where_each_token_stands conditions_are_listed_read_and_logged
                a_forgotten_key_is_remembered_no_more serials_never_fall_wherever_the_user_goes;
            groups: a_user_joins_and_leaves the_newest_group_counts who_leaves_the_last_group_has_nothing
                a_user_is_in_so_many_groups members_are_listed;
            reports: who_applied_what what_nobody_is_entitled_to_is_not_kept a_renewal_carries_them_over
                reports_are_filtered who_has_yet_to_apply;
            lists: pages_are_parts_of_the_whole pages_have_a_size a_cursor_outlives_its_entry
                strange_cursors_do_no_harm registrations_are_filtered names_are_in_the_order_of_bytes
                applications_that_are_over_are_not_listed;
            log: every_refusal_is_logged sessions_are_logged a_fork_of_aliases_is_logged the_log_is_filtered
                the_log_is_in_order the_log_is_read_backwards nothing_secret_is_shown;
            purging: what_is_over_goes no_outcome_takes_a_code_away nothing_that_counts_goes a_purge_is_bounded what_stays_is_in_nothings_way the_log_is_purged
                a_store_with_one_key_has_nothing_to_reseal
                a_spent_challenge_stays_spent_when_a_clock_is_set_back;
            random: whatever_happens_the_rules_hold;
        );
    };
    (@ $make:expr; $($module:ident: $($case:ident)*;)*) => { $(
        mod $module {
            use super::*;
            $( #[test]
            fn $case() {
                $crate::operations::$module::$case(&$make);
            } )*
        }
    )* };
}
pub(crate) use contract;
