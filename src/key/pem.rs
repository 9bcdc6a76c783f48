//! PEM (RFC 7468) around DER, read as editors and other tools leave it, with the label checked.

use alloc::string::String;
use alloc::vec::Vec;
use der::pem::LineEnding;
use thiserror::Error;
use zeroize::Zeroizing;

pub(crate) const PRIVATE_KEY: &str = "PRIVATE KEY";
pub(crate) const PUBLIC_KEY: &str = "PUBLIC KEY";

/// Longest PEM text that is looked at, in bytes for each block that is wanted: base-64 of the longest thing
/// stored so, with room for the explanatory text that some tools put before it.
const MAX_TEXT: usize = 64 * 1024;

/// An error for a text without the PEM that is wanted. It holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PemError {
    /// No block at all; perhaps it is DER.
    #[error("no PEM block {wanted:?} is there{}", convert_der(.wanted))]
    Missing {
        /// Label of the wanted block.
        wanted: &'static str,
    },
    /// A block of another kind.
    #[error("a PEM block {found:?} is there, and one {wanted:?} is wanted{}", convert(.found, .wanted))]
    Label {
        /// Label of the block, or `unknown` for one that is in no common use.
        found: &'static str,
        /// Label of the wanted block.
        wanted: &'static str,
    },
    /// More blocks than are wanted.
    #[error("there are too many PEM blocks {wanted:?}; wanted: {most}")]
    TooMany {
        /// Label of the blocks.
        wanted: &'static str,
        /// Most blocks that may be there.
        most: usize,
    },
    /// A block that is cut off at its beginning or its end, or is not in base 64.
    #[error("a PEM block {wanted:?} is cut or damaged")]
    Damaged {
        /// Label of the wanted block.
        wanted: &'static str,
    },
    /// A text of more than 64 KiB for each block that may be there.
    #[error("the PEM text is too long")]
    TooLong,
}

/// Labels that people mistake for another; the text of an error holds none but these.
const LABELS: [&str; 19] = [
    PRIVATE_KEY,
    PUBLIC_KEY,
    "CERTIFICATE",
    "X509 CRL",
    "HALFKEY TRUST ANCHOR",
    "HALFKEY CERTIFICATE REQUEST",
    "HALFKEY SECRET",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "EC PARAMETERS",
    "DSA PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "RSA PUBLIC KEY",
    "CERTIFICATE REQUEST",
    "NEW CERTIFICATE REQUEST",
    "TRUSTED CERTIFICATE",
    "X509 CERTIFICATE",
    "PKCS7",
];

/// The command that makes of a block what is wanted.
fn convert(found: &str, wanted: &str) -> &'static str {
    match (found, wanted) {
        (
            "RSA PRIVATE KEY"
            | "EC PRIVATE KEY"
            | "EC PARAMETERS"
            | "DSA PRIVATE KEY"
            | "ENCRYPTED PRIVATE KEY",
            PRIVATE_KEY,
        ) => "; `openssl pkey -in FILE -out NEW` converts it",
        ("OPENSSH PRIVATE KEY", PRIVATE_KEY) => "; `ssh-keygen -p -m PKCS8 -f FILE` converts it",
        ("RSA PUBLIC KEY", PUBLIC_KEY) => {
            "; `openssl rsa -RSAPublicKey_in -in FILE -pubout -out NEW` converts it"
        }
        (PRIVATE_KEY, PUBLIC_KEY) => "; `openssl pkey -in FILE -pubout -out NEW` takes it out",
        ("CERTIFICATE", PUBLIC_KEY) => "; `openssl x509 -in FILE -noout -pubkey -out NEW` takes it out",
        ("TRUSTED CERTIFICATE" | "X509 CERTIFICATE", "CERTIFICATE") => {
            "; `openssl x509 -in FILE -out NEW` converts it"
        }
        ("PKCS7", "CERTIFICATE") => "; `openssl pkcs7 -print_certs -in FILE -out NEW` takes it out",
        _ => "",
    }
}

/// The command that makes PEM of DER.
fn convert_der(wanted: &str) -> &'static str {
    match wanted {
        PRIVATE_KEY => "; `openssl pkey -inform DER -in FILE -out NEW` converts DER",
        PUBLIC_KEY => "; `openssl pkey -pubin -inform DER -in FILE -out NEW` converts DER",
        "CERTIFICATE" => "; `openssl x509 -inform DER -in FILE -out NEW` converts DER",
        "X509 CRL" => "; `openssl crl -inform DER -in FILE -out NEW` converts DER",
        _ => "",
    }
}

/// Reads the one block of a text.
pub(crate) fn decode(text: &str, wanted: &'static str) -> Result<Zeroizing<Vec<u8>>, PemError> {
    decode_all(text, wanted, 1)?.pop().ok_or(PemError::Missing { wanted })
}

/// Reads the blocks of a text: one at least, `most` at most, all with the label `wanted`.
///
/// Passed over are a byte order mark, carriage returns, blank lines, spaces around lines, and remarks outside
/// of blocks; lines are as long as they like. But a block that has lost its first line is no remark.
pub(crate) fn decode_all(
    text: &str,
    wanted: &'static str,
    most: usize,
) -> Result<Vec<Zeroizing<Vec<u8>>>, PemError> {
    if text.len() > MAX_TEXT.saturating_mul(most) {
        return Err(PemError::TooLong);
    }
    let damaged = PemError::Damaged { wanted };
    let mut lines = text.trim_start_matches('\u{FEFF}').split(['\n', '\r']).map(str::trim);
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("-----END") {
            return Err(damaged);
        }
        let Some(begin) = line.strip_prefix("-----BEGIN ") else { continue };
        let label = begin.strip_suffix("-----").ok_or(damaged)?;
        if label != wanted {
            let found = LABELS.into_iter().find(|known| *known == label).unwrap_or("unknown");
            return Err(PemError::Label { found, wanted });
        }
        if blocks.len() >= most {
            return Err(PemError::TooMany { wanted, most });
        }
        blocks.push(block(&mut lines, text.len(), wanted).ok_or(damaged)?);
    }
    if blocks.is_empty() { Err(PemError::Missing { wanted }) } else { Ok(blocks) }
}

/// Reads the lines of a block up to its last, `longest` bytes at most.
fn block<'t>(
    lines: &mut impl Iterator<Item = &'t str>,
    longest: usize,
    label: &str,
) -> Option<Zeroizing<Vec<u8>>> {
    // Room for all from the beginning: what grows leaves copies behind.
    let mut base64 = Zeroizing::new(String::with_capacity(longest));
    loop {
        let line = lines.next()?;
        if let Some(end) = line.strip_prefix("-----END ") {
            if end.strip_suffix("-----") == Some(label) {
                break;
            }
            return None;
        }
        base64.push_str(line);
    }
    // As the decoder wants it: 64 characters on each line but the last.
    let room = longest.saturating_mul(2).saturating_add(label.len().saturating_mul(2)).saturating_add(64);
    let mut strict = Zeroizing::new(String::with_capacity(room));
    strict.extend(["-----BEGIN ", label, "-----\n"]);
    for line in base64.as_bytes().chunks(64) {
        strict.extend([core::str::from_utf8(line).ok()?, "\n"]);
    }
    strict.extend(["-----END ", label, "-----\n"]);
    let (_, der) = der::pem::decode_vec(strict.as_bytes()).ok()?;
    Some(Zeroizing::new(der))
}

/// The PEM block, or nothing when it would not fit in memory at all.
pub(crate) fn encode(der: &[u8], label: &'static str) -> Result<String, PemError> {
    der::pem::encode_string(label, LineEnding::LF, der).map_err(|_| PemError::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const PLAIN: &str = "-----BEGIN X509 CRL-----\nQUJDREVGRw==\n-----END X509 CRL-----\n";

    fn read(text: &str) -> Result<Vec<Zeroizing<Vec<u8>>>, PemError> {
        decode_all(text, "X509 CRL", 2)
    }

    #[test]
    fn what_editors_and_tools_leave_is_passed_over() {
        for text in [
            PLAIN.into(),
            PLAIN.trim_end().into(),
            format!("\u{FEFF}{PLAIN}\n\n"),
            PLAIN.replace('\n', "\r\n"),
            PLAIN.replace('\n', "\r"),
            PLAIN.replace('\n', " \t\n"),
            PLAIN.replace('\n', "\n\n"),
            format!("Bag Attributes\n  a: b\n--\n{PLAIN}trailing -- remark\n"),
            PLAIN.replace("QUJDREVG", "QUJD\n  REVG"),
        ] {
            assert_eq!(read(&text).as_deref(), Ok(&[Zeroizing::new(b"ABCDEFG".to_vec())][..]), "{text:?}");
        }
        assert_eq!(read(&PLAIN.repeat(2)).map(|blocks| blocks.len()), Ok(2));
        for columns in [1, 48, 63, 64, 65, 76, 500] {
            let bytes: Vec<u8> = (0..=255).collect();
            let whole = encode(&bytes, "X509 CRL").unwrap();
            let lines: Vec<&str> = whole.lines().collect();
            let [first, base64 @ .., last] = lines.as_slice() else { panic!() };
            let base64: Vec<char> = base64.concat().chars().collect();
            let base64: Vec<String> = base64.chunks(columns).map(|line| line.iter().collect()).collect();
            let text = format!("{first}\n{}\n{last}\n", base64.join("\n"));
            assert_eq!(decode(&text, "X509 CRL").as_deref(), Ok(&bytes), "{columns} columns");
        }
    }

    #[test]
    fn what_is_cut_or_damaged_is_no_remark() {
        let damaged = Err(PemError::Damaged { wanted: "X509 CRL" });
        for cut in 1..PLAIN.len() - 1 {
            let (head, tail) = PLAIN.split_at(cut);
            assert!(read(head).is_err(), "to {cut}");
            // Of a block of which less than its last line is left, there is nothing to miss.
            if tail.contains("-----END") {
                assert_eq!(read(&format!("{PLAIN}{tail}")), damaged, "from {cut}");
                assert_eq!(read(&format!("{tail}{PLAIN}")), damaged, "from {cut}");
            }
        }
        for text in [
            PLAIN.replace("QUJD", "QU-D"),
            PLAIN.replace("QUJD", "QÜJD"),
            PLAIN.replace("QUJD", "QUJ"),
            PLAIN.replace("END X509", "END"),
            format!("{}{PLAIN}", PLAIN.replace("-----END X509 CRL-----\n", "")),
        ] {
            assert_eq!(read(&text), damaged, "{text:?}");
        }
        assert_eq!(read(&PLAIN.repeat(3)), Err(PemError::TooMany { wanted: "X509 CRL", most: 2 }));
        assert_eq!(read(""), Err(PemError::Missing { wanted: "X509 CRL" }));
        assert_eq!(read(&" ".repeat(128 * 1024)), Err(PemError::Missing { wanted: "X509 CRL" }));
        assert_eq!(read(&" ".repeat(128 * 1024 + 1)), Err(PemError::TooLong));
    }

    #[test]
    fn other_blocks_are_named_and_only_known_labels() {
        let of = |found: &str, wanted: &'static str| {
            let text = format!("-----BEGIN {found}-----\nQUJD\n-----END {found}-----\n");
            alloc::string::ToString::to_string(&decode(&text, wanted).unwrap_err())
        };
        for found in LABELS.into_iter().filter(|label| *label != PRIVATE_KEY) {
            let text = of(found, PRIVATE_KEY);
            assert!(
                text.contains(&format!("{found:?}")) && text.contains("\"PRIVATE KEY\" is wanted"),
                "{text}"
            );
            assert_eq!(text.contains("converts it"), found.contains("PRIVATE") || found.contains("PARAM"));
        }
        assert!(!of("\u{1B}[2J", PRIVATE_KEY).contains('\u{1B}'));
        for (found, wanted, command) in [
            ("OPENSSH PRIVATE KEY", PRIVATE_KEY, "ssh-keygen -p -m PKCS8"),
            ("RSA PUBLIC KEY", PUBLIC_KEY, "openssl rsa -RSAPublicKey_in"),
            (PRIVATE_KEY, PUBLIC_KEY, "openssl pkey -in FILE -pubout"),
            ("CERTIFICATE", PUBLIC_KEY, "openssl x509 -in FILE -noout -pubkey"),
            ("TRUSTED CERTIFICATE", "CERTIFICATE", "openssl x509 -in FILE -out NEW"),
            ("X509 CERTIFICATE", "CERTIFICATE", "openssl x509 -in FILE -out NEW"),
            ("PKCS7", "CERTIFICATE", "openssl pkcs7 -print_certs"),
        ] {
            assert!(of(found, wanted).contains(command), "{found} for {wanted}");
        }
        for (wanted, command) in [
            (PRIVATE_KEY, "openssl pkey -inform DER"),
            (PUBLIC_KEY, "openssl pkey -pubin -inform DER"),
            ("CERTIFICATE", "openssl x509 -inform DER"),
            ("X509 CRL", "openssl crl -inform DER"),
        ] {
            let text = alloc::string::ToString::to_string(&decode("", wanted).unwrap_err());
            assert!(text.contains(command), "{text}");
        }
    }
}
