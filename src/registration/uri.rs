//! Enrolment URIs: everything that an agent needs for its first registration, in one text or QR code.

use super::{ActivationCode, ActivationCodeError};
use crate::certificate::{AnchorError, TrustAnchor};
use crate::id::{ServerName, UserName};
use crate::name::NameError;
use alloc::string::String;
use alloc::vec::Vec;
use base64ct::{Base64UrlUnpadded, Encoding};
use core::fmt::{self, Write};
use core::net::IpAddr;
use core::num::NonZeroU16;
use core::str::FromStr;
use thiserror::Error;
use zeroize::Zeroizing;

/// Address, server, user name, activation code and trust anchor for an enrolment, as a URI (RFC 3986):
///
/// ```text
/// halfkey://HOST:PORT/?server=SERVER&name=NAME&code=CODE&anchor=ANCHOR
/// ```
///
/// HOST is a DNS name, an IPv4 address or an IPv6 address in brackets. SERVER is the server's name as its
/// certificate has it, and left out where HOST is that name. NAME is the user name that CODE was issued for. ANCHOR
/// is the DER of the [`TrustAnchor`] in base64url without padding (RFC 4648, section 5). NAME, CODE and ANCHOR may
/// each be left out. The parameters come in any order, each once, and no others.
///
/// A URI with a code is a secret until the code is used, and whoever can change a URI can have its reader trust
/// another issuer: hand it out on a way that is both confidential and authentic. `Debug` does not show the code.
#[derive(Clone, Debug)]
pub struct EnrolmentUri {
    host: Host,
    port: NonZeroU16,
    server: ServerName,
    name: Option<UserName>,
    code: Option<ActivationCode>,
    anchor: Option<TrustAnchor>,
}

/// Host that a server is reached at. `Display` writes an IPv6 address without brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// DNS name.
    Name(ServerName),
    /// IP address.
    Address(IpAddr),
}

/// Error of a text that is no enrolment URI. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EnrolmentUriError {
    /// The text is longer than [`EnrolmentUri::MAX`].
    #[error("an enrolment URI has at most {} bytes", EnrolmentUri::MAX)]
    TooLong,
    /// The text does not begin with `halfkey://`.
    #[error("an enrolment URI begins with halfkey://")]
    Scheme,
    /// The host is neither a DNS name nor an IP address, or there is a user before it.
    #[error("the host of the enrolment URI is neither a DNS name nor an IP address")]
    Host,
    /// There is no port, or none from 1 to 65535.
    #[error("the enrolment URI has no port from 1 to 65535")]
    Port,
    /// There is a path or a fragment.
    #[error("the enrolment URI has a path or a fragment")]
    Path,
    /// A parameter is none that is known, or has no value.
    #[error("the enrolment URI has a parameter that is none of server, name, code and anchor")]
    Parameter,
    /// A parameter comes twice.
    #[error("the enrolment URI has the parameter {0} twice")]
    Twice(&'static str),
    /// A value is not percent-encoded UTF-8, or the anchor not base64url.
    #[error("the parameter {0} of the enrolment URI is not encoded as it should be")]
    Encoding(&'static str),
    /// The host is an address, and the server is not named.
    #[error("the enrolment URI has an address and does not name the server")]
    NoServer,
    /// The server's name is not one.
    #[error("the server's name in the enrolment URI: {0}")]
    Server(NameError),
    /// The user name is not one, or not normalised.
    #[error("the user name in the enrolment URI: {0}")]
    Name(NameError),
    /// The activation code is not one.
    #[error(transparent)]
    Code(#[from] ActivationCodeError),
    /// The trust anchor is not one.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
}

/// Scheme and the signs after it.
const SCHEME: &str = "halfkey://";
const SERVER: &str = "server";
const NAME: &str = "name";
const CODE: &str = "code";
const ANCHOR: &str = "anchor";

impl EnrolmentUri {
    /// Longest text in bytes. A QR code holds at most 2,953.
    pub const MAX: usize = 8192;

    /// Makes a URI for a server that is reached under its own name.
    #[must_use]
    pub fn new(server: ServerName, port: NonZeroU16) -> Self {
        Self::at(Host::Name(server.clone()), port, server)
    }

    /// Makes a URI for a server that is reached at a host with another name, or at an address.
    #[must_use]
    pub const fn at(host: Host, port: NonZeroU16, server: ServerName) -> Self {
        Self { host, port, server, name: None, code: None, anchor: None }
    }

    /// Adds an activation code and the user name that it was issued for.
    #[must_use]
    pub fn with_code(mut self, name: UserName, code: ActivationCode) -> Self {
        (self.name, self.code) = (Some(name), Some(code));
        self
    }

    /// Adds the user name alone.
    #[must_use]
    pub fn with_name(mut self, name: UserName) -> Self {
        self.name = Some(name);
        self
    }

    /// Adds the anchor that the server's certificate leads to.
    #[must_use]
    pub fn with_anchor(mut self, anchor: TrustAnchor) -> Self {
        self.anchor = Some(anchor);
        self
    }

    /// Returns the host to connect to.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the TCP port to connect to.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port.get()
    }

    /// Returns the server's name, which its certificate must have.
    #[must_use]
    pub const fn server(&self) -> &ServerName {
        &self.server
    }

    /// Returns the user name.
    #[must_use]
    pub const fn name(&self) -> Option<&UserName> {
        self.name.as_ref()
    }

    /// Returns the activation code.
    #[must_use]
    pub const fn code(&self) -> Option<&ActivationCode> {
        self.code.as_ref()
    }

    /// Returns the trust anchor.
    #[must_use]
    pub const fn anchor(&self) -> Option<&TrustAnchor> {
        self.anchor.as_ref()
    }

    /// Returns the text, with the code in it, to hand out; it erases itself.
    ///
    /// # Errors
    /// [`EnrolmentUriError::Anchor`] only when memory cannot hold the anchor's encoding.
    pub fn reveal(&self) -> Result<Zeroizing<String>, EnrolmentUriError> {
        let anchor = self.anchor.as_ref().map(TrustAnchor::to_der).transpose()?;
        let anchor = anchor.map(|der| Base64UrlUnpadded::encode_string(&der));
        let named = Host::Name(self.server.clone()) == self.host;
        // Room for all of it at once, also where each byte of a name takes three: growing would leave a copy behind.
        let room = 1536_usize.saturating_add(anchor.as_ref().map_or(0, String::len));
        let mut text = Zeroizing::new(String::with_capacity(room));
        text.push_str(SCHEME);
        // To write to a `String` does not fail.
        let _ = match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(text, "[{address}]:{}/", self.port),
            host => write!(text, "{host}:{}/", self.port),
        };
        let parameters = [
            (SERVER, (!named).then(|| self.server.as_str())),
            (NAME, self.name.as_ref().map(UserName::as_str)),
            (CODE, self.code.as_ref().map(ActivationCode::symbols)),
            (ANCHOR, anchor.as_deref()),
        ];
        let given = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for (place, (name, value)) in given.enumerate() {
            text.push(if place == 0 { '?' } else { '&' });
            text.push_str(name);
            text.push('=');
            escape(&mut text, value);
        }
        Ok(text)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// Reads an address, or a name in either case.
impl FromStr for Host {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.parse() {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => ServerName::new(&text.to_ascii_lowercase()).map(Self::Name),
        }
    }
}

/// Reads what [`EnrolmentUri::reveal`] writes; white space around it does not count, nor case in scheme and host.
impl FromStr for EnrolmentUri {
    type Err = EnrolmentUriError;
    fn from_str(text: &str) -> Result<Self, EnrolmentUriError> {
        if text.len() > Self::MAX {
            return Err(EnrolmentUriError::TooLong);
        }
        let (scheme, rest) = text.trim().split_at_checked(SCHEME.len()).ok_or(EnrolmentUriError::Scheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(EnrolmentUriError::Scheme);
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let place = place.strip_suffix('/').unwrap_or(place);
        if place.contains(['/', '#']) || query.contains('#') {
            return Err(EnrolmentUriError::Path);
        }
        let (host, port) = place.rsplit_once(':').ok_or(EnrolmentUriError::Port)?;
        let host = read_host(host).ok_or(EnrolmentUriError::Host)?;
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits).ok_or(EnrolmentUriError::Port)?;
        let [server, name, code, anchor] = parameters(query)?;
        let server = match (server, &host) {
            (Some(server), _) => ServerName::new(&server).map_err(EnrolmentUriError::Server)?,
            (None, Host::Name(name)) => name.clone(),
            (None, Host::Address(_)) => return Err(EnrolmentUriError::NoServer),
        };
        let name = name.map(|name| UserName::new(&name)).transpose().map_err(EnrolmentUriError::Name)?;
        let code = code.map(|code| ActivationCode::parse(&code)).transpose()?;
        let der = anchor.map(|anchor| Base64UrlUnpadded::decode_vec(&anchor)).transpose();
        let der = der.map_err(|_| EnrolmentUriError::Encoding(ANCHOR))?;
        let anchor = der.map(|der| TrustAnchor::from_der(&der)).transpose()?;
        Ok(Self { host, port, server, name, code, anchor })
    }
}

fn read_host(text: &str) -> Option<Host> {
    match text.strip_prefix('[') {
        Some(address) => Some(Host::Address(IpAddr::V6(address.strip_suffix(']')?.parse().ok()?))),
        None => text.parse().ok().filter(|host| !matches!(host, Host::Address(IpAddr::V6(_)))),
    }
}

/// Returns the values of server, name, code and anchor.
fn parameters(query: &str) -> Result<[Option<Zeroizing<String>>; 4], EnrolmentUriError> {
    let mut values = [(SERVER, None), (NAME, None), (CODE, None), (ANCHOR, None)];
    for parameter in query.split('&').filter(|_| !query.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or(EnrolmentUriError::Parameter)?;
        let place =
            values.iter_mut().find(|(known, _)| *known == name).ok_or(EnrolmentUriError::Parameter)?;
        let value = unescape(value).ok_or(EnrolmentUriError::Encoding(place.0))?;
        if place.1.replace(value).is_some() {
            return Err(EnrolmentUriError::Twice(place.0));
        }
    }
    Ok(values.map(|(_, value)| value))
}

/// Writes what is not unreserved (RFC 3986, section 2.3) as `%` and two digits.
fn escape(to: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            to.push(byte.into());
        } else {
            let _ = write!(to, "%{byte:02X}");
        }
    }
}

fn unescape(text: &str) -> Option<Zeroizing<String>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    // As long as the text at most, so that it does not grow.
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => plain.push(digit(bytes.next()?)?.checked_mul(16)?.checked_add(digit(bytes.next()?)?)?),
            b'!'..=b'~' => plain.push(byte),
            _ => return None,
        }
    }
    Some(Zeroizing::new(core::str::from_utf8(&plain).ok()?.into()))
}
