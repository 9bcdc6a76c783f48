//! An open session: records, and the configurations among them.

use super::reply::{Configured, News, TokenReply};
use super::state::{OpenSession, State};
use super::then::{Applied, Configuring, Judging, RegistrationThen, UpdateThen};
use super::turn::{self, ClientTurn, TokenTurn, asked, sent, store};
use crate::configuration::TokenConfigurationError as ConfigurationError;
use crate::configuration::token::{self as steps, Applying, Instruction, Verdict};
use crate::id::ApplicationName;
use crate::message::{Configuration, Status, StatusMessage, UserInformation};
use crate::moment::Moment;
use crate::record::TokenRegistration;
use crate::session::place_of;
use crate::session::{ChannelError, Content, OpenedRecord, SessionEnded};
use crate::step::{ErrorReason, Fault};
use crate::wire::Message;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use zeroize::Zeroizing;

/// The most requests for configurations whose answers are awaited; the answer to an older one is nobody's.
const MAX_AWAITED: usize = 64;

impl OpenSession {
    /// Sends a message of the configuration flow, and tells the news. A side that has closed reports nothing
    /// more, and still hears the server out.
    fn send(mut self: Box<Self>, message: &[u8], news: Option<News>) -> TokenTurn {
        match (self.session.channel.seal_records(Content::Configuration, message), news) {
            (Ok(send), news) => sent(send, news, self),
            (Err(ChannelError::Closed), Some(news)) => turn::news(news, Some(State::Open(self))),
            (Err(error @ ChannelError::Closed), None) => turn::failed(error, Some(State::Open(self))),
            (Err(error), _) => turn::failed(error, None),
        }
    }

    /// Says to the server what became of a configuration, if it wants to know.
    pub(super) fn report(
        self: Box<Self>,
        application: ApplicationName,
        configured: Configured,
        report: Option<Vec<u8>>,
    ) -> TokenTurn {
        let news = Some(News::Configured(application, configured));
        match report {
            Some(report) => self.send(&report, news),
            None => sent(Vec::new(), news, self),
        }
    }

    /// A message that breaks the protocol ends the session; anything else leaves it open.
    fn fail(mut self: Box<Self>, error: ConfigurationError) -> TokenTurn {
        if error.fault() != Fault::Peer {
            return turn::failed(error, Some(State::Open(self)));
        }
        turn::done(TokenReply {
            send: self.session.channel.close().into_iter().collect(),
            news: Some(News::Failed(error.into())),
            ..TokenReply::default()
        })
    }
}

/// Takes one record.
pub(super) fn record(mut open: Box<OpenSession>, frame: &[u8], moment: Moment) -> TokenTurn {
    match open.session.channel.open(frame) {
        Ok(record) => opened(open, record, moment),
        Err(error) => turn::failed(error, None),
    }
}

/// Takes one record, and opens data where it lies.
pub(super) fn record_in_place(mut open: Box<OpenSession>, frame: &mut [u8], moment: Moment) -> TokenTurn {
    match open.session.channel.open_in_place(frame) {
        Ok(OpenedRecord::Data(data)) => {
            let in_place = Some(place_of(data.len()));
            let next = turn::next(State::Open(open));
            turn::done(TokenReply { in_place, next, ..TokenReply::default() })
        }
        Ok(record) => opened(open, record.into_owned(), moment),
        Err(error) => turn::failed(error, None),
    }
}

fn opened(open: Box<OpenSession>, record: OpenedRecord, moment: Moment) -> TokenTurn {
    let (data, closed) = match record {
        OpenedRecord::Data(data) => (Some(data), false),
        OpenedRecord::Closed => (None, true),
        OpenedRecord::Rekeyed => (None, false),
        OpenedRecord::Configuration(message) => return configuration(open, message, moment),
        OpenedRecord::Status(message) => return ended(&open, &message, moment),
    };
    let over = closed && open.session.channel.is_closed();
    let next = (!over).then_some(State::Open(open)).and_then(turn::next);
    turn::done(TokenReply { data, closed, next, ..TokenReply::default() })
}

/// The server ends the session. A standing that is not active is stored before it is told.
fn ended(open: &OpenSession, message: &[u8], moment: Moment) -> TokenTurn {
    let status = match StatusMessage::decode(message) {
        Ok(StatusMessage { status, alias: None }) => Status::from_code(status),
        _ => None,
    };
    match status {
        None => turn::failed(ChannelError::Broken, None),
        Some(Status::Active) => turn::failed(SessionEnded(Status::Active), None),
        Some(status) => asked(RegistrationThen::NotActive(open.key_id, status, true), moment),
    }
}

/// C1, or E0 in its place. E0 names no request, so those that are awaited stay so.
fn configuration(open: Box<OpenSession>, message: Zeroizing<Vec<u8>>, moment: Moment) -> TokenTurn {
    match ErrorReason::read(&message) {
        Some(reason) => open.fail(ConfigurationError::ErrorMessage(reason)),
        None => {
            let then = RegistrationThen::Judge(Box::new(Judging { open, message }));
            asked(then, moment)
        }
    }
}

pub(super) fn configure(
    open: Box<OpenSession>,
    application: ApplicationName,
    information: UserInformation,
    moment: Moment,
) -> TokenTurn {
    let then = RegistrationThen::Configure(Box::new(Configuring { open, application, information }));
    asked(then, moment)
}

impl Configuring {
    /// C0.
    pub(super) fn ask(self, registration: &TokenRegistration, moment: &Moment) -> TokenTurn {
        let Self { mut open, application, information } = self;
        open.requests = open.requests.saturating_add(1);
        let id = NonZeroU32::new(open.requests).unwrap_or(NonZeroU32::MIN);
        match steps::request(registration, &application, &information, id, moment.time()) {
            Ok(step) => {
                if open.awaited.len() >= MAX_AWAITED {
                    drop(open.awaited.remove(0));
                }
                open.awaited.push(step.next);
                open.send(step.send.as_bytes(), None)
            }
            Err(error) => open.fail(error),
        }
    }
}

impl Judging {
    /// An answer to a request, or a configuration that was sent unasked and may have crossed one.
    pub(super) fn judge(self, registration: &TokenRegistration, moment: Moment) -> TokenTurn {
        let Self { mut open, message } = self;
        let (request_id, application) = match Configuration::decode(&message) {
            Ok(c1) => (c1.request_id, c1.scope.application),
            Err(error) => return open.fail(error.into()),
        };
        let place = open.awaited.iter().position(|awaited| awaited.request_id() == request_id);
        let verdict = match place.map(|place| open.awaited.remove(place)) {
            Some(awaited) => {
                awaited.receive(&message, registration, moment.time()).map(|answer| answer.verdict)
            }
            None => steps::receive_push(&message, registration, moment.time()),
        };
        match verdict {
            Ok(verdict) => judged(open, application, verdict, moment),
            Err(error) => open.fail(error),
        }
    }
}

fn judged(
    open: Box<OpenSession>,
    application: ApplicationName,
    verdict: Verdict,
    moment: Moment,
) -> TokenTurn {
    match verdict {
        Verdict::Apply(need) => TokenTurn::Client(ClientTurn { open, need, moment }),
        Verdict::Refused(step) => {
            let news = News::Configured(application, Configured::Refused(step.next));
            open.send(step.send.as_bytes(), Some(news))
        }
        Verdict::Unchanged(step) => {
            let report = Some(step.send.into_bytes());
            let then = UpdateThen::Configured(open, application, Configured::Unchanged, report);
            store(*step.next, then, moment)
        }
        Verdict::Unknown(record) => {
            let then = UpdateThen::Configured(open, application, Configured::Unknown, None);
            store(*record, then, moment)
        }
    }
}

impl ClientTurn {
    /// The application, and what is to be done for it, all of it or nothing.
    #[must_use]
    pub const fn wanted(&self) -> (&ApplicationName, &Instruction) {
        (self.need.application(), self.need.wanted())
    }

    /// Goes on with what the client system did: the token stores it, and the server is told.
    pub fn supply(self, applying: Applying) -> TokenTurn {
        let Self { open, need, moment } = self;
        let then = RegistrationThen::Applied(Box::new(Applied { open, need, applying }));
        asked(then, moment)
    }
}

impl Applied {
    /// C2, once the token has stored what was done.
    pub(super) fn report(self, registration: &TokenRegistration, moment: Moment) -> TokenTurn {
        let Self { open, need, applying } = self;
        let configured = match (applying, need.wanted()) {
            (Applying::Failed, _) => Configured::Failed,
            (Applying::Applied, Instruction::Install(_)) => Configured::Installed,
            (Applying::Applied, Instruction::Remove) => Configured::Removed,
        };
        let application = need.application().clone();
        match need.supply(applying, registration) {
            Ok(step) => {
                let report = Some(step.send.into_bytes());
                let then = UpdateThen::Configured(open, application, configured, report);
                store(*step.next, then, moment)
            }
            Err(error) => open.fail(error),
        }
    }
}
