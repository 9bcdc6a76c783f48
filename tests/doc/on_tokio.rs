// What the examples on tokio need besides `setting.rs`.

use super::setting::{Outcome, Setting, grant};
use halfkey::port::Token;
use halfkey::record::TokenRegistration;
use halfkey::registration::token::Credential;
use halfkey::template::Template;
use halfkey::tokio::{Acceptor, Connector, OffExecutor, RegistrationOutcome};
use tokio::io::{AsyncWriteExt, DuplexStream, copy, duplex};

pub fn acceptor(setting: &Setting) -> Acceptor {
    let store = OffExecutor::shared(setting.store.clone());
    Acceptor::builder(setting.settings.clone(), setting.keys.clone(), store).approval(grant).build()
}

/// A connection to a server whose sessions are echoes.
pub fn connect(acceptor: &Acceptor) -> DuplexStream {
    let ((near, far), acceptor) = (duplex(65_536), acceptor.clone());
    tokio::spawn(async move {
        if let Some(session) = acceptor.accept(far, "peer").await? {
            let (mut read, mut write) = session.into_split();
            copy(&mut read, &mut write).await?;
            write.shutdown().await?;
        }
        Outcome::Ok(())
    });
    near
}

pub async fn register(
    connector: &Connector<impl Token + 'static>,
    setting: &Setting,
    acceptor: &Acceptor,
) -> Outcome<TokenRegistration> {
    let fill =
        |_, form: Template| async move { Ok((form.fill([("name", "alice".into())])?, Credential::None)) };
    match connector.register(connect(acceptor), &setting.name, fill).await? {
        RegistrationOutcome::Active(registration) => Ok(registration),
        outcome => Err(format!("{outcome:?}").into()),
    }
}
