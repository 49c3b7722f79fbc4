#![no_main]

libfuzzer_sys::fuzz_target!(
    |bytes: &[u8]| chat_fuzz::framing::lines_are_those_of_the_whole_stream(bytes)
);
