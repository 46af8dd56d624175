//! LEEF 1.0 and 2.0 lines of any record.
#![no_main]
use qaudjrn::encode::Format;
use qaudjrn_fuzz::parse::Body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    qaudjrn_fuzz::encode(Format::Leef, Body::Leef1, input);
    qaudjrn_fuzz::encode(Format::Leef2, Body::Leef2, input);
});
