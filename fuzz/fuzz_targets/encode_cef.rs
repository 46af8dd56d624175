//! CEF lines of any record.
#![no_main]
use qaudjrn::encode::Format;
use qaudjrn_fuzz::parse::Body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| qaudjrn_fuzz::encode(Format::Cef, Body::Cef, input));
