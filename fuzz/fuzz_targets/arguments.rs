#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    chat_fuzz::command::arguments_mean_the_same_however_their_json_is_written(bytes)
});
