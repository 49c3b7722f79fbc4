//! How a command ended: what `chat-cli send --done` tells.

texts! {
    succeeded(command, took) {
        en: "{command} succeeded after {took}",
        id: "{command} berhasil setelah {took}",
    }
    failed_with(command, code, took) {
        en: "{command} failed with {code} after {took}",
        id: "{command} gagal dengan {code} setelah {took}",
    }
    ended_by_signal(command, signal, took) {
        en: "{command} was ended by signal {signal} after {took}",
        id: "{command} diakhiri oleh sinyal {signal} setelah {took}",
    }
    not_run(command, error) {
        en: "{command} could not be run: {error}",
        id: "{command} tidak bisa dijalankan: {error}",
    }
    process_ended(process, took) {
        en: "{process} ended after {took}",
        id: "{process} berakhir setelah {took}",
    }
    process(number) { en: "process {number}", id: "proses {number}" }
    process_named(name, number) {
        en: "{name} (process {number})",
        id: "{name} (proses {number})",
    }
    no_process(number) {
        en: "there is no process {number}, or it has ended",
        id: "tidak ada proses {number}, atau sudah berakhir",
    }
    process_not_watched(number, error) {
        en: "the end of process {number} cannot be watched: {error}",
        id: "akhir proses {number} tidak bisa dipantau: {error}",
    }
    cannot_watch(error) {
        en: "the command was not run: {error}",
        id: "perintahnya tidak dijalankan: {error}",
    }
    not_told(users) {
        en: "the result of the command was not sent to {users}",
        id: "hasil perintah tidak terkirim ke {users}",
    }
    less_than_a_second { en: "less than a second", id: "kurang dari satu detik" }
    seconds(seconds) { en: "{seconds} s", id: "{seconds} dtk" }
    minutes(minutes) { en: "{minutes} min", id: "{minutes} mnt" }
    minutes_and_seconds(minutes, seconds) {
        en: "{minutes} min {seconds} s",
        id: "{minutes} mnt {seconds} dtk",
    }
    hours(hours) { en: "{hours} h", id: "{hours} jam" }
    hours_and_minutes(hours, minutes) {
        en: "{hours} h {minutes} min",
        id: "{hours} jam {minutes} mnt",
    }
}
