#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| halfkey_fuzz::targets::run("certificate", bytes));
