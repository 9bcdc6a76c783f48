use super::*;

/// A token in a device copies no label: what it authenticates is whole, as PROTOCOL.md has it.
#[test]
fn what_a_device_authenticates_is_whole() {
    let (th, tag) = (Digest::new([7; 32]), [9; 32]);
    let t = [7; 32];
    let join = |parts: &[&[u8]]| parts.concat();
    for (key_use, input) in [
        (KeyUse::Response([5; 96]), join(&[b"halfkey/1 response\0", &[5; 96]])),
        (KeyUse::Session([5; 64]), join(&[b"halfkey/1 session\0", &[5; 64], &[1]])),
        (KeyUse::Grant(th), join(&[b"halfkey/1 grant\0", &t])),
        (KeyUse::Confirm(th, tag), join(&[b"halfkey/1 confirm\0", &t, &tag])),
        (KeyUse::Done(th, tag), join(&[b"halfkey/1 done\0", &t, &tag])),
        (KeyUse::Lost(th, tag), join(&[b"halfkey/1 lost\0", &t, &tag])),
        (KeyUse::Renew(th), join(&[b"halfkey/1 renew\0", &t])),
        (KeyUse::Binder(th), join(&[b"halfkey/1 mix\0", &t, &[1]])),
    ] {
        assert_eq!(key_use.input(), input, "{key_use:?}");
    }
    assert_eq!(Ssk1Use::Request.input(&th), join(&[b"halfkey/1 half B\0", &t, &[1]]));
    assert_eq!(Ssk1Use::Outcome.input(&th), join(&[b"halfkey/1 half G\0", &t, &[1]]));
}
