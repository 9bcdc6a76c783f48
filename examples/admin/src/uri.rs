//! Enrolment URIs and their QR codes.

use crate::failure::Failure;
use crate::gate::Gate;
use crate::text_file;
use fast_qr::qr::QRBuilder;
use fast_qr::{ECL, Module};
use halfkey::certificate::TrustAnchors;
use halfkey::registration::{ActivationCode, EnrolmentUri};
use halfkey::{ServerName, UserName};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// How the server is reached and trusted by an agent with nothing else.
#[derive(clap::Args)]
pub(crate) struct UriArguments {
    /// Tells an enrolment URI too, for an agent to connect there; where --gate is given, at its name and port.
    #[arg(long, value_name = "HOST:PORT", env = "HALFKEY_CONNECT")]
    connect: Option<String>,
    /// The file with the issuer's anchor, which then stands in the URI; where --gate is given, anchor.pem beside its
    /// configuration, if there is one.
    #[arg(long, value_name = "FILE", env = "HALFKEY_ANCHOR")]
    anchor: Option<PathBuf>,
    /// Shows the URI as a QR code.
    #[arg(long)]
    pub(crate) qr: bool,
    /// Tells the URI and nothing else, for a pipe to `halfkey enrol -`.
    #[arg(long, conflicts_with = "qr")]
    pub(crate) uri: bool,
}

impl UriArguments {
    /// Returns the URI without name and code, if one is wanted.
    pub(crate) fn uri(
        &self,
        server: &ServerName,
        gate: Option<&Gate>,
    ) -> Result<Option<EnrolmentUri>, Failure> {
        let Some(connect) = self.connect.clone().or_else(|| gate?.connect()) else {
            let unused = Failure::Usage("where is the server? Give --connect HOST:PORT for the URI");
            return if self.qr || self.uri { Err(unused) } else { Ok(None) };
        };
        // Host and port, and no more than that.
        if connect.contains(['/', '?', '#']) {
            return Err(Failure::Usage("--connect takes HOST:PORT"));
        }
        let uri: EnrolmentUri = format!("halfkey://{connect}/?server={server}").parse()?;
        let Some(file) = self.anchor.clone().or_else(|| gate?.anchor()) else { return Ok(Some(uri)) };
        let anchors =
            TrustAnchors::from_pem(&text_file::read(&file)?).map_err(|error| Failure::pem(&file, error))?;
        let [anchor] = anchors.as_slice() else {
            return Err(Failure::Usage("one anchor is wanted in --anchor"));
        };
        Ok(Some(uri.with_anchor(anchor.clone())))
    }
}

/// Returns the text of a URI with name and code.
pub(crate) fn text(
    uri: EnrolmentUri,
    name: &UserName,
    code: &ActivationCode,
) -> Result<Zeroizing<String>, Failure> {
    Ok(uri.with_code(name.clone(), code.clone()).reveal()?)
}

/// Modules of light around a QR code (ISO/IEC 18004, section 6.3.8).
const QUIET: usize = 4;

/// Draws a QR code with half blocks, light on dark: two rows of modules are a line of text. What is not light is left
/// as the terminal has it.
pub(crate) fn qr(text: &str) -> Result<String, Failure> {
    let code = QRBuilder::new(text).ecl(ECL::L).build().map_err(|_| Failure::Qr)?;
    let size = code.size.saturating_add(QUIET.saturating_mul(2));
    let is_light = |row: usize, column: usize| {
        let inside = |place: usize| place.checked_sub(QUIET).filter(|place| *place < code.size);
        let module = inside(row)
            .zip(inside(column))
            .and_then(|(row, column)| code.data.get(row.saturating_mul(code.size).saturating_add(column)));
        row < size && module.is_none_or(|module: &Module| !module.value())
    };
    let mut drawn = String::new();
    for row in (0..size).step_by(2) {
        for column in 0..size {
            drawn.push(match (is_light(row, column), is_light(row.saturating_add(1), column)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        drawn.push('\n');
    }
    Ok(drawn)
}
