//! Punycode (RFC 3492), encoding only: the letters of an A-label after its `xn--`.

use alloc::string::String;

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 128;

/// Encodes a label (section 6.3); none for one so long that the numbers overflow.
pub(super) fn encode(label: &str) -> Option<String> {
    let mut output: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(output.len()).ok()?;
    if basic > 0 {
        output.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (INITIAL_N, 0_u32, INITIAL_BIAS, basic);
    let points = || label.chars().map(u32::from);
    while let Some(next) = points().filter(|point| *point >= n).min() {
        let steps = next.checked_sub(n)?.checked_mul(handled.checked_add(1)?)?;
        delta = delta.checked_add(steps)?;
        n = next;
        for point in points() {
            if point < n {
                delta = delta.checked_add(1)?;
            }
            if point == n {
                variable_length(delta, bias, &mut output)?;
                bias = adapted(delta, handled.checked_add(1)?, handled == basic)?;
                delta = 0;
                handled = handled.checked_add(1)?;
            }
        }
        delta = delta.checked_add(1)?;
        n = n.checked_add(1)?;
    }
    Some(output)
}

/// Writes a generalised variable-length integer (section 3.3).
fn variable_length(mut q: u32, bias: u32, output: &mut String) -> Option<()> {
    let mut k = BASE;
    loop {
        let t = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
        let Some(rest) = q.checked_sub(t).filter(|_| q >= t) else { break };
        let range = BASE.checked_sub(t)?;
        output.push(digit(t.checked_add(rest.checked_rem(range)?)?)?);
        q = rest.checked_div(range)?;
        k = k.checked_add(BASE)?;
    }
    output.push(digit(q)?);
    Some(())
}

/// Bias adaptation (section 6.1).
fn adapted(delta: u32, handled: u32, first: bool) -> Option<u32> {
    const LIMIT: u32 = (BASE - T_MIN) * T_MAX / 2;
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta = delta.checked_add(delta.checked_div(handled)?)?;
    let mut k = 0_u32;
    while delta > LIMIT {
        delta /= BASE - T_MIN;
        k = k.checked_add(BASE)?;
    }
    k.checked_add(BASE.checked_mul(delta)?.checked_div(delta.checked_add(38)?)?)
}

/// The letters a to z, then the digits 0 to 9.
fn digit(value: u32) -> Option<char> {
    match value {
        0..=25 => char::from_u32(value.checked_add(u32::from(b'a'))?),
        26..=35 => char::from_digit(value.checked_sub(26)?, 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_of_rfc_3492_section_7_1() {
        for (label, encoded) in [
            ("ليهمابتكلموشعربي؟", "egbpdaj6bu4bxfgehfvwxn"),
            ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
            ("他們爲什麽不說中文", "ihqwctvzc91f659drss3x8bo0yb"),
            ("pročprostěnemluvíčesky", "proprostnemluvesky-uyb24dma41a"),
            ("למההםפשוטלאמדבריםעברית", "4dbcagdahymbxekheh6e0a7fei0b"),
            ("なぜみんな日本語を話してくれないのか", "n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa"),
            ("почемужеонинеговорятпорусски", "b1abfaaepdrnnbgefbadotcwatmq2g4l"),
            ("bücher", "bcher-kva"),
            ("ü", "tda"),
            ("", ""),
            ("plain", "plain-"),
        ] {
            assert_eq!(encode(label).as_deref(), Some(encoded), "{label}");
        }
    }
}
