#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    chat_fuzz::configuration::settings_read_back_and_mistakes_are_in_the_file(bytes)
});
