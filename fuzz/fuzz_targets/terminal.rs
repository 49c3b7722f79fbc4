#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    chat_fuzz::terminal::nothing_that_acts_or_hides_is_shown(bytes)
});
