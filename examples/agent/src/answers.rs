//! Answers to a gate's template: from the command line, from before, or from the user, at the terminal or on a page.

use halfkey::certificate::VerifiedServer;
use halfkey::registration::token::Credential;
use halfkey::template::{Field, FieldKind, FieldValue, Form, FormError, Template};
use halfkey::tokio::FillError;
use halfkey_common::output::clean;
use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

/// Time for a person to fill a form in on a page. A gate's offer is good for fifteen minutes at the most.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);
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
    /// The person who is asked for the rest.
    pub(crate) person: Person,
}

/// The person who is asked for what is not known.
#[derive(Clone, Debug, Default)]
pub(crate) enum Person {
    /// There is none.
    #[default]
    Nobody,
    /// At the terminal.
    Terminal,
    /// At a page, which is sent all questions at once.
    Page(mpsc::Sender<Question>),
}

/// The questions of a gate, for a page.
#[derive(Debug)]
pub(crate) struct Question {
    /// The gate, which has shown its certificate.
    pub(crate) server: VerifiedServer,
    /// Its questions.
    pub(crate) template: Template,
    /// Answers known so far.
    pub(crate) answers: BTreeMap<String, String>,
    /// Problems of answers that were given.
    pub(crate) wrong: FormError,
    /// Takes the answers. They are given up when it is dropped.
    pub(crate) reply: oneshot::Sender<BTreeMap<String, String>>,
}

/// Error of a person who does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unanswered {
    /// The form was left.
    #[error("the form was left")]
    Left,
    /// The form was open for too long.
    #[error("the form was open for too long, and the gate's offer is only good for some minutes")]
    Late,
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
        let person = if person { Person::Terminal } else { Person::Nobody };
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
                let form = self.fill(server, template).await?;
                *kept.0.lock().unwrap_or_else(PoisonError::into_inner) = form.1;
                Ok((form.0, credential))
            })
        };
        (fill, given)
    }

    async fn fill(
        mut self,
        server: VerifiedServer,
        template: Template,
    ) -> Result<(Form, BTreeMap<String, String>), FillError> {
        let named = template.fields.iter().find(|field| field.kind == FieldKind::UserName);
        if let (Some(field), Some(name)) = (named, self.name.take()) {
            self.answers.entry(field.name.clone()).or_insert(name);
        }
        match self.person.clone() {
            Person::Nobody => Ok((self.filled(&template)?, self.answers)),
            Person::Terminal => {
                tokio::task::spawn_blocking(move || self.fill_at_terminal(&server, &template)).await?
            }
            Person::Page(page) => self.fill_on(&page, &server, &template).await,
        }
    }

    fn fill_at_terminal(
        mut self,
        server: &VerifiedServer,
        template: &Template,
    ) -> Result<(Form, BTreeMap<String, String>), FillError> {
        say(&format!("{} has shown its certificate. It asks:", server.name()))?;
        let mut times = TIMES;
        loop {
            self.ask(template)?;
            match self.filled(template) {
                Ok(form) => return Ok((form, self.answers)),
                Err(FormError(wrong)) if times > 1 => {
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

    /// Asks until the form is filled in, the page gives up, or the time is over.
    async fn fill_on(
        mut self,
        page: &mpsc::Sender<Question>,
        server: &VerifiedServer,
        template: &Template,
    ) -> Result<(Form, BTreeMap<String, String>), FillError> {
        let asked = async {
            let mut wrong = FormError(Vec::new());
            loop {
                let (reply, answers) = oneshot::channel();
                let (server, asked) = (server.clone(), template.clone());
                let question = Question { server, template: asked, answers: self.answers, wrong, reply };
                page.send(question).await.map_err(|_| Unanswered::Left)?;
                self.answers = answers.await.map_err(|_| Unanswered::Left)?;
                match self.filled(template) {
                    Ok(form) => return Ok((form, self.answers)),
                    Err(error) => wrong = error,
                }
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.map_err(|_| Unanswered::Late)?
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
    use halfkey::certificate::{CertificateRequest, IssuerName, Validity, verify};
    use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
    use halfkey::memory::Authority;
    use halfkey::policy::SuiteList;
    use halfkey::port::CertificateAuthority;
    use halfkey::{ServerName, SystemRandom, UnixTime};

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

    #[tokio::test(start_paused = true)]
    async fn a_page_is_asked_until_the_form_is_filled_in_or_the_time_is_over() {
        let template = Template::new(vec![
            Field::required("name", FieldKind::UserName),
            Field::required("floor", FieldKind::Integer { min: -1, max: 9 }),
        ]);
        let (template, (page, mut asked)) = (template.unwrap(), mpsc::channel(1));
        let asker =
            || Asker { name: Some("alice".into()), person: Person::Page(page.clone()), ..Asker::default() };
        let fill = |asker: Asker| tokio::spawn(asker.fill(server(), template.clone()));

        let filling = fill(asker());
        let first = asked.recv().await.unwrap();
        assert_eq!((first.answers["name"].as_str(), first.wrong.0.len()), ("alice", 0));
        let with = |floor: &str| [("name".into(), "alice".into()), ("floor".into(), floor.into())].into();
        first.reply.send(with("10")).unwrap();
        let second = asked.recv().await.unwrap();
        assert_eq!(second.wrong.0.len(), 1);
        second.reply.send(with("9")).unwrap();
        assert_eq!(filling.await.unwrap().unwrap().1, with("9"));

        let why = |failed: Result<_, FillError>| {
            failed.map(drop).unwrap_err().downcast_ref::<Unanswered>().copied()
        };
        let filling = fill(asker());
        drop(asked.recv().await.unwrap());
        assert_eq!(why(filling.await.unwrap()), Some(Unanswered::Left));
        let filling = fill(asker());
        let open = asked.recv().await.unwrap();
        assert_eq!(why(filling.await.unwrap()), Some(Unanswered::Late));
        drop(open);
        drop(asked);
        assert_eq!(why(asker().fill(server(), template).await), Some(Unanswered::Left));
    }

    /// A server whose certificate was verified.
    fn server() -> VerifiedServer {
        let (random, now) = (&mut SystemRandom, UnixTime::now());
        let key = IssuerKey::generate_ed25519(random).unwrap();
        let mut authority = Authority::root(IssuerName::common_name("Issuer").unwrap(), key).unwrap();
        let (name, offer_key) = (ServerName::new("gate.example").unwrap(), OfferKey::generate(random));
        let kem_key = include_str!("../../../tests/data/test-key-rsa-2048-a.pem");
        let kem_key = KemPrivateKey::from_pkcs8_pem(kem_key).unwrap();
        let request =
            CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key).unwrap();
        let chain = authority.issue(&request, Validity::lasting(now, 86_400).unwrap(), random).unwrap();
        let anchors = authority.trust_anchor().unwrap().into();
        verify(&chain.as_der(), &anchors, &name, now, &Default::default()).unwrap()
    }
}
