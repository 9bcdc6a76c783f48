//! The worked example of PROTOCOL.md, section 14, made of one of the cases.

use serde_json::Value;
use std::fmt::Write;

pub(crate) const CASE: &str = "x25519-activation-psk.json";

/// Longer values are cut in the middle.
const FULL: usize = 80;
/// The example stands between these lines.
const MARKS: [&str; 2] = ["<!-- example: made by tests/vectors -->", "<!-- end of the example -->"];

const REGISTRATION: &[&str] = &[
    "thO",
    "ss_e",
    "thB",
    "p_B",
    "prk2",
    "k2",
    "nonce2",
    "A",
    "proof",
    "thG",
    "p_G",
    "prk3",
    "k3",
    "nonce3",
    "thJ",
    "o(thJ)",
    "j",
    "K",
    "K_auth",
    "K_derive",
    "K_confirm",
    "K_renew",
    "tag_s",
    "tag_c",
    "tag of R5 done",
];
const SESSION: &[&str] = &["thC", "tag_c", "d", "prk", "SES", "export"];

/// The document with the example in its place.
pub(crate) fn into(document: &str, example: &str) -> String {
    let [start, end] = MARKS.map(|mark| document.find(mark).unwrap_or_else(|| panic!("no {mark}")));
    let (before, after) = (&document[..start], &document[end..]);
    format!("{before}{}\n{example}{after}", MARKS[0])
}

fn line(out: &mut String, name: &str, value: &Value) {
    let text = value.as_str().unwrap();
    let length = text.len() / 2;
    if length <= FULL || name == "SES" {
        for (at, part) in text.as_bytes().chunks(64).enumerate() {
            let name = if at == 0 { name } else { "" };
            writeln!(out, "{name:<15} {}", str::from_utf8(part).unwrap()).unwrap();
        }
    } else {
        writeln!(out, "{name:<15} {}…{} ({length} bytes)", &text[..32], &text[text.len() - 16..]).unwrap();
    }
}

fn block(run: &Value, messages: &[&str], values: &[&str]) -> String {
    let mut out = String::from("```text\n");
    for side in ["token", "server"] {
        for draw in run["random"][side]["draws"].as_array().unwrap() {
            let (name, value) = (draw["for"].as_str().unwrap(), &draw["bytes"]);
            let name = name.split(',').next().unwrap().replace("private key of pk_e", "sk of pk_e");
            line(
                &mut out,
                &name.replace("OAEP seed of ct", "OAEP seed").replace("encapsulation of", "sk of"),
                value,
            );
        }
    }
    out.push('\n');
    for name in messages {
        line(&mut out, name, &run["messages"][name]);
    }
    out.push('\n');
    for name in values {
        line(&mut out, name, &run["values"][name]);
    }
    out + "```\n"
}

/// The example's text.
pub(crate) fn markdown(case: &Value) -> String {
    let given = &case["given"];
    let [registration, session] = [0, 1].map(|run| &case["runs"][run]);
    format!(
        "\nFrom `{CASE}`: at `{}` the user `{}` registers in suite 1\nwith the activation code `{}`, \
         and opens a session in mode psk. H(leaf certificate) is\n`{}`.\n\
         Messages over {FULL} bytes are cut here and whole in the file.\n\n\
         The registration: random bytes (the token's, then the server's), messages, values.\n\n{}\n\
         The session, in the same order; the exporter's label is `example`, its context `context`, n is 48.\n\n{}",
        given["server_name"].as_str().unwrap(),
        given["user_name"].as_str().unwrap(),
        given["activation_code"].as_str().unwrap(),
        given["certificate_hash"].as_str().unwrap(),
        block(registration, &["R0", "R1", "R2", "R3", "R4", "R5"], REGISTRATION),
        block(session, &["S0", "S1", "S2", "S3"], SESSION),
    )
}
