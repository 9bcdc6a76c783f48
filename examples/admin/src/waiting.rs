//! Applications that wait for the operator.

use crate::failure::Failure;
use crate::paging::Paging;
use crate::registration::name;
use halfkey::record::{RequestAnswer, Takes};
use halfkey::store::operation::{DecideRequest, ListRequests, RequestEntry, RequestFilter};
use halfkey::template::FieldValue;
use halfkey::{TicketId, UnixTime, UserName};
use halfkey_common::Output;
use halfkey_common::output::Entry;
use halfkey_common::reason::Reason;
use halfkey_common::store::Store;
use halfkey_common::time::written;
use serde::Serialize;
use serde_json::Value;

/// What is done with them.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Lists them, with what was filled in.
    List {
        /// For this name.
        #[arg(long, value_parser = name)]
        name: Option<UserName>,
        /// Those that have no answer yet.
        #[arg(long)]
        undecided: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Approves one: it is registered when its agent asks again, unless its name has been taken meanwhile.
    Approve {
        /// The ticket's id, as the list shows it.
        ticket_id: TicketId,
    },
    /// Refuses one: its agent is told so, and the reason, when it asks again.
    ///
    /// A grant that has not been confirmed is taken back; so is an approval.
    Refuse {
        /// The ticket's id, as the list shows it.
        ticket_id: TicketId,
        /// Reason that the applicant is told.
        #[arg(long, value_enum, default_value = "declined")]
        reason: Reason,
    },
}

#[derive(Serialize)]
struct Shown {
    ticket_id: String,
    name: String,
    proof: Option<&'static str>,
    renews: Option<String>,
    since: String,
    hold_until: String,
    /// The operator's answer, which its agent has not fetched: approved, refused, or null.
    answer: Option<&'static str>,
    /// Reason of a refusal.
    reason: Option<&'static str>,
    /// By the places of the template's fields.
    form: Vec<Value>,
}

impl Entry for Shown {
    const COLUMNS: &'static [&'static str] = &["ticket_id", "name", "proof", "since", "answer", "form"];
}

impl From<RequestEntry> for Shown {
    fn from(entry: RequestEntry) -> Self {
        let value = |value: &FieldValue| match value {
            FieldValue::Text(text) => text.as_str().into(),
            FieldValue::Integer(number) => (*number).into(),
            FieldValue::Boolean(yes) => (*yes).into(),
            _ => Value::Null,
        };
        let mut form: Vec<Value> = (0..=usize::from(u8::MAX))
            .map(|place| entry.form.get(place).map_or(Value::Null, value))
            .collect();
        form.truncate(
            form.iter().rposition(|value| !value.is_null()).map_or(0, |last| last.saturating_add(1)),
        );
        let (proof, renews) = match entry.takes {
            None => (None, None),
            Some(Takes::Code(_)) => (Some("code"), None),
            Some(Takes::Place(key_id)) => (Some("renewal"), Some(key_id.to_string())),
        };
        let (answer, reason) = match entry.answer {
            None => (None, None),
            Some(RequestAnswer::Approved) => (Some("approved"), None),
            Some(RequestAnswer::Refused(code)) => (Some("refused"), Some(code.word())),
        };
        Self {
            ticket_id: entry.ticket_id.to_string(),
            name: entry.name.to_string(),
            proof,
            renews,
            since: written(entry.since),
            hold_until: written(entry.hold_until),
            answer,
            reason,
            form,
        }
    }
}

#[derive(Serialize)]
struct Decided {
    ticket_id: String,
    done: &'static str,
}

impl Command {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::List { name, undecided, paging } => {
                let page = |after, limit| {
                    let filter = RequestFilter { name: name.clone(), undecided };
                    store.run(&ListRequests { filter, after, limit }, UnixTime::now())
                };
                paging.list(out, page, |entry| Ok(Some(Shown::from(entry))))
            }
            Self::Approve { ticket_id } => decide(store, out, ticket_id, RequestAnswer::Approved, "approved"),
            Self::Refuse { ticket_id, reason } => {
                decide(store, out, ticket_id, RequestAnswer::Refused(reason.into()), "refused")
            }
        }
    }
}

fn decide(
    store: &Store,
    out: &mut Output,
    ticket_id: TicketId,
    answer: RequestAnswer,
    done: &'static str,
) -> Result<(), Failure> {
    store.run(&DecideRequest { ticket_id, answer }, UnixTime::now())?;
    let decided = Decided { ticket_id: ticket_id.to_string(), done };
    Ok(out.done(&decided, &format!("{done} {ticket_id}"))?)
}
