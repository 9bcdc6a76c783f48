#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| halfkey_fuzz::targets::run("software_token_file", bytes));
