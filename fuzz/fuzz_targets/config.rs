//! `config`: any text as a configuration.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| qaudjrn_fuzz::config(input));
